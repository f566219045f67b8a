import assert from "node:assert/strict";
import { test } from "node:test";
import { OpenFeature, ProviderEvents } from "@openfeature/server-sdk";
import { Tacit } from "../src/index.ts";
import { PROMPT_FLAG, TacitProvider } from "../src/openfeature.ts";
import { CATALOGUE, CHOICE } from "./answers.ts";
import { BrokenService, eventually, json, problem, type Reply } from "./broken-service.ts";

const ANSWERS: Reply = (answer, request) => {
  if (request.url === "/v1/changes") return;
  json(request.url === "/v1/catalogue" ? CATALOGUE : CHOICE)(answer, request);
};

test("a service that does not answer makes the provider stale, until it answers", async () => {
  await using service = await BrokenService.start(problem(503));
  const tacit = new Tacit({ url: service.url, region: "eu", key: "tk_test", timeoutMs: 10_000 });
  await OpenFeature.setProviderAndWait(new TacitProvider(tacit));
  const flags = OpenFeature.getClient();
  const seen: string[] = [];
  flags.addHandler(ProviderEvents.Stale, () => seen.push("stale"));
  flags.addHandler(ProviderEvents.Ready, () => seen.push("ready"));
  await eventually(() => seen.length === 1, "the first status");
  const context = { targetingKey: "ada", unit: "c-1" };
  const away = await flags.getStringDetails("length", "?", context);
  assert.deepEqual([away.value, away.reason, away.errorCode], ["?", "DEFAULT", undefined]);
  service.replyWith(ANSWERS);
  const there = await flags.getStringDetails("length", "?", context);
  assert.deepEqual([there.value, there.reason, there.flagMetadata["runner_up"]], ["concise", "SPLIT", "balanced"]);
  assert.deepEqual(seen, ["ready", "stale", "ready"]);
  await OpenFeature.close();
});

test("evaluations side by side share a request", async () => {
  await using service = await BrokenService.start(ANSWERS);
  const tacit = new Tacit({ url: service.url, region: "eu", key: "tk_test", timeoutMs: 10_000 });
  await OpenFeature.setProviderAndWait(new TacitProvider(tacit));
  const flags = OpenFeature.getClient();
  const context = { targetingKey: "ada", unit: "c-1" };
  await Promise.all([
    flags.getStringValue("length", "?", context),
    flags.getStringValue("tone", "?", context),
    flags.getObjectValue(PROMPT_FLAG, {}, context),
  ]);
  assert.equal(service.paths.filter((path) => path === "/v1/choices").length, 1);
  await OpenFeature.close();
});

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Client, type EventDetails, OpenFeature, ProviderEvents } from "@openfeature/server-sdk";
import { PROMPT_FLAG, TacitProvider } from "../../src/openfeature.ts";
import { eventually } from "../broken-service.ts";
import { client, newUser, WAIT } from "./service.ts";

const tacit = client();
let flags: Client;

before(async () => {
  await OpenFeature.setProviderAndWait(new TacitProvider(tacit));
  flags = OpenFeature.getClient();
});

after(async () => {
  await OpenFeature.close();
  await tacit.close();
});

test("a facet is a string flag with reason, variant and metadata", async () => {
  const user = newUser();
  const context = { targetingKey: user, unit: "c-1", topic: "code", surface: "chat" };
  const before = await flags.getStringDetails("length", "?", context);
  assert.deepEqual([before.value, before.variant, before.reason], ["balanced", "balanced", "DEFAULT"]);
  assert.deepEqual(before.flagMetadata, { policy: "learned", status: "absent", strength: "default", propensity: 1 });
  await tacit.user(user).pin("length", "concise", WAIT);
  const pinned = await flags.getStringDetails("length", "?", context);
  assert.deepEqual(
    [pinned.value, pinned.reason, pinned.flagMetadata["strength"]],
    ["concise", "TARGETING_MATCH", "pin"],
  );
});

test("the prompt is an object flag, with what goes back with the feedback", async () => {
  const user = newUser();
  await tacit.user(user).pin("length", "concise", WAIT);
  const found = await flags.getObjectDetails(PROMPT_FLAG, {}, { targetingKey: user, unit: "c-1" });
  const value = found.value as { prompt: string; values: Record<string, string>; acted_on: { facet: string }[] };
  assert.equal(value.prompt, "Keep answers short.");
  assert.equal(value.values["length"], "concise");
  assert.ok(value.acted_on.some(({ facet }) => facet === "length"));
  assert.deepEqual([found.variant, found.reason], ["learned", "TARGETING_MATCH"]);
});

test("a change of a user is a change of the flags", async () => {
  const seen: (EventDetails<ProviderEvents.ConfigurationChanged> | undefined)[] = [];
  flags.addHandler(ProviderEvents.ConfigurationChanged, (details) => seen.push(details));
  const user = newUser();
  const { user: pseudonym } = await tacit.choose({ user, unit: "c-1" });
  await eventually(async () => {
    await tacit.user(user).pin("length", seen.length % 2 ? "concise" : "detailed", WAIT);
    return seen.some((details) => String(details?.metadata?.["users"]).includes(pseudonym));
  }, "the change");
  assert.ok(seen[0]?.flagsChanged?.includes("length") && seen[0].flagsChanged.includes(PROMPT_FLAG));
});

test("a wrong flag, a wrong type and a missing user are errors with the default", async () => {
  const context = { targetingKey: newUser() };
  const found = [
    await flags.getStringDetails("height", "?", context),
    await flags.getBooleanDetails("length", true, context),
    await flags.getNumberDetails(PROMPT_FLAG, 7, context),
    await flags.getStringDetails(PROMPT_FLAG, "?", context),
    await flags.getObjectDetails(PROMPT_FLAG, [], context),
    await flags.getStringDetails("length", "?", {}),
  ];
  assert.deepEqual(
    found.map(({ value }) => value),
    ["?", true, 7, "?", [], "?"],
  );
  assert.deepEqual(
    found.map(({ errorCode }) => errorCode),
    ["FLAG_NOT_FOUND", ...Array<string>(4).fill("TYPE_MISMATCH"), "TARGETING_KEY_MISSING"],
  );
});

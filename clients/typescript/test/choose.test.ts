import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigurationError, ForbiddenError, Tacit, type TacitOptions, UnauthorizedError } from "../src/index.ts";
import { BrokenService, hangUp, json, problem, type Reply, silence } from "./broken-service.ts";
import { CATALOGUE, CHOICE } from "./answers.ts";

const ASKED = { user: "ada", unit: "c-1" };

function client(service: BrokenService, options: Partial<TacitOptions> = {}): Tacit {
  return new Tacit({ url: service.url, region: "eu", key: "tk_test", timeoutMs: 10_000, ...options });
}

const FAILURES: [string, Reply][] = [
  ["that hangs up", hangUp],
  ["that is silent", silence],
  ["that fails", problem(500)],
  ["without a part that it needs", problem(503, { "retry-after": "1" })],
  ["with too many requests", problem(429, { "retry-after": "1" })],
  ["behind a proxy with a page", (answer) => answer.end("<html>")],
  ["that is another one", json({ status: "ok" })],
];

for (const [name, reply] of FAILURES) {
  test(`a service ${name} gives empty values`, async () => {
    await using service = await BrokenService.start(reply);
    const errors: unknown[] = [];
    const timeoutMs = reply === silence ? 50 : 10_000;
    const choice = await client(service, { timeoutMs, onError: (error) => errors.push(error) }).choose(ASKED);
    assert.equal(choice.status, "unavailable");
    assert.deepEqual([choice.values, choice.acted_on, choice.prompt, choice.user], [{}, [], "", ""]);
    assert.equal(errors.length, 1);
    assert.doesNotMatch(String(errors[0]), /ada/);
  });
}

test("an address without a service gives empty values", async () => {
  const tacit = new Tacit({ url: "http://127.0.0.1:1", region: "eu", key: "tk_test" });
  assert.equal((await tacit.choose(ASKED)).status, "unavailable");
  assert.equal(await tacit.context("ada", { unit: "c-1" }), null);
  assert.deepEqual(
    (await tacit.chooseMany([ASKED, ASKED])).map((one) => one.status),
    ["unavailable", "unavailable"],
  );
});

test("a service that fails later gives the defaults of the catalogue and the pins of the conversation", async () => {
  await using service = await BrokenService.start(json(CATALOGUE), problem(503));
  const tacit = client(service);
  await tacit.catalogue();
  const choice = await tacit.choose({ ...ASKED, pinned: { length: "concise" } });
  assert.equal(choice.status, "unavailable");
  assert.deepEqual(choice.values, { length: "concise", tone: "neutral" });
  assert.deepEqual(choice.strengths, { length: "pin", tone: "default" });
  const neutral = { facet: "tone", value: "neutral", version: null, propensity: 1 };
  assert.deepEqual(choice.acted_on, [{ ...neutral, facet: "length", value: "concise" }, neutral]);
});

test("a choice fetches the catalogue when its version is another", async () => {
  await using service = await BrokenService.start((answer, request) =>
    json(request.url === "/v1/catalogue" ? CATALOGUE : CHOICE)(answer, request),
  );
  const tacit = client(service);
  await tacit.choose(ASKED);
  await tacit.choose(ASKED);
  await tacit.catalogue();
  await tacit.choose(ASKED);
  assert.equal(service.paths.filter((path) => path === "/v1/catalogue").length, 2);
});

test("a user id that an address cannot have is an error", async () => {
  const tacit = new Tacit({ url: "http://127.0.0.1:1", region: "eu", key: "tk_test" });
  for (const id of ["", ".", "..", "\ud800"]) await assert.rejects(tacit.user(id).known(), ConfigurationError);
  assert.throws(() => new Tacit({ url: "localhost:8080", region: "eu", key: "tk_test" }), ConfigurationError);
});

test("a wrong key and a missing scope are errors", async () => {
  await using service = await BrokenService.start(problem(401), problem(403));
  const tacit = client(service);
  await assert.rejects(tacit.choose(ASKED), UnauthorizedError);
  await assert.rejects(tacit.choose(ASKED), (error: ForbiddenError) => {
    assert.deepEqual([error.status, error.requestId, error.problem.type], [403, "r-1", "/problems/test"]);
    return error instanceof ForbiddenError;
  });
});

test("a refused token is asked for again, once", async () => {
  await using service = await BrokenService.start(problem(401), json(CHOICE));
  const asked: boolean[] = [];
  const key = (isRefused: boolean) => {
    asked.push(isRefused);
    return isRefused ? "new" : "old";
  };
  assert.equal((await client(service, { key }).choose(ASKED)).status, "fresh");
  assert.deepEqual(asked.slice(0, 2), [false, true]);
  assert.deepEqual(
    service.received.slice(0, 2).map(({ headers }) => headers.authorization),
    ["Bearer old", "Bearer new"],
  );
});

test("a provider of tokens that hangs or fails gives defaults", async () => {
  await using service = await BrokenService.start(json(CHOICE));
  const providers = [() => new Promise<string>(() => {}), () => Promise.reject(new Error("no token"))];
  for (const key of providers)
    assert.equal((await client(service, { key, timeoutMs: 50 }).choose(ASKED)).status, "unavailable");
  assert.deepEqual(service.paths, []);
});

test("a lost connection is tried again, once", async () => {
  await using service = await BrokenService.start(json(CATALOGUE));
  const tacit = client(service);
  await tacit.catalogue();
  service.replyWith(hangUp, json(CHOICE));
  assert.equal((await tacit.choose(ASKED)).status, "fresh");
  service.replyWith(hangUp);
  const before = service.paths.length;
  assert.equal((await tacit.choose(ASKED)).status, "unavailable");
  assert.equal(service.paths.length, before + 2);
});

test("after three failures one request per second goes out", async () => {
  await using service = await BrokenService.start(hangUp);
  const tacit = client(service);
  for (let count = 0; count < 50; count += 1) await tacit.choose(ASKED);
  assert.ok(service.paths.length <= 8, `${service.paths.length} requests`);
  service.replyWith((answer, request) => json(request.url === "/v1/catalogue" ? CATALOGUE : CHOICE)(answer, request));
  let choice = await tacit.choose(ASKED);
  while (choice.status === "unavailable") {
    await new Promise((resolve) => setTimeout(resolve, 20));
    choice = await tacit.choose(ASKED);
  }
  assert.equal(choice.status, "fresh");
});

test("five hundred choices are one request", async () => {
  await using service = await BrokenService.start((answer, request) => {
    const { requests = [] } = JSON.parse(request.body || "{}") as { requests?: { unit: string }[] };
    json(
      request.url === "/v1/catalogue"
        ? CATALOGUE
        : { choices: requests.map(({ unit }) => ({ ...CHOICE, prompt: unit })) },
    )(answer, request);
  });
  const choices = await client(service).chooseMany(
    Array.from({ length: 501 }, (_, number) => ({ user: "ada", unit: `c-${number}` })),
  );
  assert.equal(service.paths.filter((path) => path === "/v1/choices:batch").length, 2);
  assert.deepEqual(
    choices.map(({ prompt }) => prompt),
    Array.from({ length: 501 }, (_, number) => `c-${number}`),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type EventToSend,
  ForbiddenError,
  InvalidRequestError,
  type LostEvent,
  UnauthorizedError,
} from "../../src/index.ts";
import { eventually } from "../broken-service.ts";
import { client, newUser, READING_KEY, WAIT, willing } from "./service.ts";

test("a new user gets the defaults of the catalogue, and the pins of the conversation", async () => {
  const tacit = client();
  const { facets } = await tacit.catalogue();
  const choice = await tacit.choose({ user: newUser(), unit: "c-1", topic: "code", pinned: { length: "concise" } });
  assert.deepEqual([choice.status, choice.policy, choice.catalogue], ["absent", "learned", 1]);
  const defaults = Object.fromEntries(facets.map((facet) => [facet.facet, facet.default]));
  assert.deepEqual(choice.values, { ...defaults, length: "concise" });
  assert.equal(choice.strengths["length"], "pin");
  assert.match(choice.prompt, /short/);
  assert.match(choice.user, /^k1\.[0-9a-f]{32}$/);
});

test("choices of many conversations have the order of the requests", async () => {
  const tacit = client();
  const pinned = ["concise", "balanced", "detailed"].map((length) => ({ length }));
  const requests = Array.from({ length: 600 }, (_, at) => ({ user: "ada", unit: `c-${at}`, pinned: pinned[at % 3] }));
  const choices = await tacit.chooseMany(requests);
  assert.deepEqual(
    choices.map((choice) => choice.values["length"]),
    requests.map((one) => one.pinned?.length),
  );
});

test("feedback changes the answers, and the change is announced", async () => {
  const tacit = client({ events: { onLost: (event) => assert.fail(JSON.stringify(event)) } });
  const user = await willing(tacit);
  const { user: pseudonym } = await tacit.choose({ user, unit: "c-0" });
  const controller = new AbortController();
  const announced: string[] = [];
  let isConnected = false;
  const following = (async () => {
    for await (const change of tacit.changes({ signal: controller.signal })) {
      if (change.kind === "connected") isConnected = true;
      if (change.kind === "changed") announced.push(...change.users);
    }
  })();
  await eventually(() => isConnected, "the stream of changes");
  for (let turn = 0; turn < 12; turn += 1) {
    const choice = await tacit.choose({ user, unit: `c-${turn}`, pinned: { length: "detailed" } });
    assert.ok(tacit.send(choice.turn({ topic: "code", surface: "chat" }).feedback("shorter")));
  }
  assert.ok(await tacit.flush());
  await eventually(() => announced.includes(pseudonym), "the change");
  await eventually(async () => {
    const choice = await tacit.choose({ user, unit: "c-20", explore: false });
    return (
      choice.status === "fresh" && choice.values["length"] !== "detailed" && choice.strengths["length"] !== "default"
    );
  }, "another answer");
  controller.abort();
  await following;
  const context = await tacit.context(user, { unit: "c-1", topic: "code" });
  assert.equal(context?.is_permitted, true);
  assert.deepEqual(tacit.counts, { waiting: 0, accepted: 12, lost: 0 });
});

test("an event outside of the catalogue is lost with the member's path, and the others arrive", async () => {
  const lost: LostEvent[] = [];
  const tacit = client({ events: { onLost: (event) => lost.push(event) } });
  const event: EventToSend = { type: "interaction", user_id: newUser() };
  for (const each of [
    event,
    { ...event, event_id: "bad", topic: "no-topic" },
    { ...event, event_id: "not an id" },
    event,
  ]) {
    tacit.send(each);
  }
  assert.ok(await tacit.flush());
  assert.deepEqual(lost, [
    { eventId: "bad", type: "interaction", reason: "rejected", detail: "not_in_catalogue: topic" },
    { eventId: "not an id", type: "interaction", reason: "rejected", detail: lost[1]?.detail },
  ]);
  assert.deepEqual(tacit.counts, { waiting: 0, accepted: 2, lost: 2 });
});

test("a cache answers until the user decides, at another client", async () => {
  const tacit = client({ cache: {} });
  const other = client();
  const user = await willing(other);
  const request = { user, unit: "c-1" };
  const isKept = async () => (await tacit.choose(request)) === (await tacit.choose(request));
  await eventually(isKept, "a choice that is kept");
  await other.user(user).pin("tone", "friendly", WAIT);
  await eventually(async () => (await tacit.choose(request)).values["tone"] === "friendly", "the pin");
  await eventually(isKept, "the new choice that is kept");
  await tacit.close();
});

test("a wrong key, a missing scope and a wrong value are errors with a problem", async () => {
  const reading = client({ key: READING_KEY });
  assert.equal((await reading.choose({ user: "ada", unit: "c-1" })).policy, "learned");
  await assert.rejects(reading.user("ada").known(), ForbiddenError);
  await assert.rejects(client({ key: "tk_wrong" }).choose({ user: "ada", unit: "c-1" }), UnauthorizedError);
  await assert.rejects(client().user("ada").pin("length", "endless"), (error: unknown) => {
    assert.ok(error instanceof InvalidRequestError);
    assert.deepEqual(
      error.problem.errors.map(({ pointer }) => pointer),
      ["/value"],
    );
    assert.match(error.requestId ?? "", /./);
    return true;
  });
});

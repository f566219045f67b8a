import assert from "node:assert/strict";
import { test } from "node:test";
import { type EventToSend, type LostEvent, type SenderOptions, Tacit, Turn } from "../src/index.ts";
import {
  accept,
  BrokenService,
  eventually,
  hangUp,
  json,
  problem,
  type Received,
  type Reply,
  silence,
} from "./broken-service.ts";

const PIN: EventToSend = { type: "pin", user_id: "ada", facet: "length", value: "concise" };

/** An interaction with an id. */
function answered(id: string): EventToSend {
  return { type: "interaction", user_id: "ada", event_id: id };
}

function client(service: BrokenService, lost: LostEvent[], events: SenderOptions = {}, onError = () => {}): Tacit {
  const options = { delayMs: 5, onLost: (event: LostEvent) => lost.push(event), ...events };
  return new Tacit({ url: service.url, region: "eu", key: "tk_test", events: options, onError });
}

function ids(request: Received | undefined): string[] {
  return (JSON.parse(request?.body ?? "[]") as { event_id: string }[]).map((event) => event.event_id);
}

/** Accept events, but for those with the outcomes given by id. */
function outcomes(others: Record<string, string>): Reply {
  return (answer, request) =>
    json(
      { outcomes: ids(request).map((id) => ({ event_id: id, outcome: others[id] ?? "accepted", detail: "served" })) },
      207,
    )(answer, request);
}

test("events go out in one request, in their order, with id, time and region", async () => {
  await using service = await BrokenService.start(accept);
  const tacit = client(service, []);
  const now = Date.now();
  assert.ok([answered("e-1"), PIN, answered("e-2")].every((event) => tacit.send(event)));
  assert.ok(await tacit.flush());
  assert.deepEqual(service.paths, ["/v1/events"]);
  const sent = JSON.parse(service.received[0]?.body ?? "") as Record<string, unknown>[];
  assert.deepEqual(
    sent.map((event) => event["type"]),
    ["interaction", "pin", "interaction"],
  );
  for (const event of sent) {
    assert.deepEqual([event["schema"], event["region"], event["user_id"]], [1, "eu", "ada"]);
    assert.match(String(event["event_id"]), /^[A-Za-z0-9_.:-]{1,64}$/);
    assert.ok(Math.abs(Number(event["at"]) - now) < 60_000);
  }
  assert.deepEqual(tacit.counts, { waiting: 0, accepted: 3, lost: 0 });
});

test("a later change of an event does not count", async () => {
  await using service = await BrokenService.start(accept);
  const tacit = client(service, []);
  const event = { type: "interaction", user_id: "ada", topic: "code" } satisfies EventToSend;
  tacit.send(event);
  event.topic = "email";
  await tacit.flush();
  assert.match(service.received[0]?.body ?? "", /"topic":"code"/);
});

test("a request that fails is repeated with the same ids", async () => {
  await using service = await BrokenService.start(hangUp, problem(401), json({}), accept);
  const errors: unknown[] = [];
  const tacit = client(service, [], {}, () => errors.push(1));
  tacit.send(answered("e-1"));
  tacit.send(answered("e-2"));
  assert.ok(await tacit.flush());
  assert.deepEqual(new Set(service.received.map((request) => ids(request).join())), new Set(["e-1,e-2"]));
  assert.equal(service.received.length, 4);
  assert.equal(errors.length, 3);
});

test("a pause is as long as the service asks for", async () => {
  await using service = await BrokenService.start(problem(429, { "retry-after": "1" }), accept);
  const tacit = client(service, []);
  const begin = Date.now();
  tacit.send(PIN);
  assert.ok(await tacit.flush());
  assert.ok(Date.now() - begin >= 1_000);
});

test("events that failed alone are repeated alone, and rejected ones are lost with the reason", async () => {
  await using service = await BrokenService.start(outcomes({ "e-1": "failed", "e-2": "rejected" }), accept);
  const lost: LostEvent[] = [];
  const tacit = client(service, lost);
  for (const id of ["e-1", "e-2", "e-3"]) tacit.send(answered(id));
  assert.ok(await tacit.flush());
  assert.deepEqual(service.received.map(ids), [["e-1", "e-2", "e-3"], ["e-1"]]);
  assert.deepEqual(lost, [{ eventId: "e-2", type: "interaction", reason: "rejected", detail: "served" }]);
  assert.deepEqual(tacit.counts, { waiting: 0, accepted: 2, lost: 1 });
});

test("of a request that the service refuses, all but the event behind it arrive", async () => {
  const taken: string[] = [];
  await using service = await BrokenService.start((answer, request) => {
    if (ids(request).includes("e-7")) return problem(400)(answer, request);
    taken.push(...ids(request));
    return accept(answer, request);
  });
  const lost: LostEvent[] = [];
  const tacit = client(service, lost);
  const all = Array.from({ length: 20 }, (_, number) => `e-${number}`);
  for (const id of all) tacit.send(answered(id));
  assert.ok(await tacit.flush());
  assert.deepEqual(
    taken,
    all.filter((id) => id !== "e-7"),
  );
  assert.deepEqual(
    lost.map((event) => event.eventId),
    ["e-7"],
  );
});

test("a full queue loses its oldest interactions, and no control event before them", async () => {
  await using service = await BrokenService.start(silence);
  const lost: LostEvent[] = [];
  const tacit = client(service, lost, { capacity: 3, delayMs: 60_000 });
  for (const id of ["e-1", "e-2"]) tacit.send(answered(id));
  for (let count = 0; count < 3; count += 1) assert.ok(tacit.send(PIN));
  assert.deepEqual(
    lost.map((event) => event.eventId),
    ["e-1", "e-2"],
  );
  assert.equal(tacit.send(answered("e-3")), false);
  assert.equal(tacit.send({ ...PIN, event_id: "p-4" }), false);
  assert.deepEqual(
    lost.slice(2).map((event) => [event.eventId, event.reason]),
    [
      ["e-3", "full"],
      ["p-4", "full"],
    ],
  );
  assert.equal(tacit.counts.waiting, 3);
  await tacit.close({ timeoutMs: 0 });
});

test("events in the open request are not displaced", async () => {
  let answer: (() => void) | undefined;
  await using service = await BrokenService.start((response, request) => {
    answer = () => void accept(response, request);
  });
  const lost: LostEvent[] = [];
  const tacit = client(service, lost, { capacity: 2 });
  for (const id of ["e-1", "e-2"]) tacit.send(answered(id));
  await eventually(() => answer !== undefined, "the request");
  assert.equal(tacit.send(answered("e-3")), false);
  answer?.();
  assert.ok(await tacit.flush());
  assert.deepEqual(tacit.counts, { waiting: 0, accepted: 2, lost: 1 });
});

test("what is no event is lost without an exception", async () => {
  await using service = await BrokenService.start(accept);
  const lost: LostEvent[] = [];
  const onLost = (event: LostEvent) => {
    lost.push(event);
    throw new Error("of the callback");
  };
  const tacit = client(service, lost, { onLost });
  const ring: Record<string, unknown> = { type: "interaction", user_id: "ada" };
  ring["ring"] = ring;
  const bad = [ring, { ...answered("e-1"), topic: "x".repeat(20_000) }, null, { ...PIN, value: 1n }];
  assert.deepEqual(
    bad.map((event) => tacit.send(event as unknown as EventToSend)),
    [false, false, false, false],
  );
  assert.deepEqual(
    lost.map((event) => event.reason),
    ["rejected", "rejected", "rejected", "rejected"],
  );
  assert.deepEqual(service.paths, []);
});

test("a request has at most 500 events and a mebibyte", async () => {
  await using service = await BrokenService.start(accept);
  const tacit = client(service, []);
  for (let count = 0; count < 501; count += 1) tacit.send(PIN);
  for (let count = 0; count < 100; count += 1) tacit.send({ ...PIN, value: "x".repeat(16_000) });
  assert.ok(await tacit.flush());
  assert.ok(service.received.every((request) => ids(request).length <= 500 && request.body.length <= 1024 * 1024));
  assert.equal(service.received.flatMap(ids).length, 601);
  assert.ok(service.received.length <= 4);
});

test("closing loses what the service does not take in time", async () => {
  await using service = await BrokenService.start(silence);
  const lost: LostEvent[] = [];
  const tacit = client(service, lost);
  tacit.send(answered("e-1"));
  assert.equal(await tacit.flush({ timeoutMs: 50 }), false);
  await tacit.close({ timeoutMs: 50 });
  assert.deepEqual(
    lost.map((event) => [event.eventId, event.reason]),
    [["e-1", "closed"]],
  );
  assert.equal(tacit.send(answered("e-2")), false);
  assert.deepEqual(tacit.counts, { waiting: 0, accepted: 0, lost: 2 });
});

test("a turn has the same id in all events, also in another process", () => {
  const followed = { facet: "length", value: "concise", version: null, propensity: 0.9 };
  const data = {
    user_id: "ada",
    region: "eu",
    turn_id: "t-1",
    served: { length: "concise" },
    acted_on: [followed],
    proposed: [],
  };
  const turn = new Turn({ ...data, topic: "code", surface: undefined });
  const later = new Turn(JSON.parse(JSON.stringify(turn)));
  const [event, feedback] = [turn.event(), later.feedback("shorter", ["length"])];
  assert.notEqual(event.event_id, feedback.event_id);
  const { event_id: _, at: __, ...members } = feedback;
  assert.deepEqual(members, {
    schema: 1,
    type: "interaction",
    user_id: "ada",
    region: "eu",
    turn_id: "t-1",
    topic: "code",
    served: { length: "concise" },
    acted_on: [followed],
    feedback: { kind: "shorter", facets: ["length"] },
  });
});

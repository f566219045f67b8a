import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { Connection } from "../src/connection.ts";
import { changes } from "../src/changes.ts";
import { type Change, ForbiddenError, Tacit } from "../src/index.ts";
import { SseParser } from "../src/sse.ts";
import { CATALOGUE, CHOICE } from "./answers.ts";
import { BrokenService, eventually, hangUp, json, problem, shortStream, stream } from "./broken-service.ts";

const USER = CHOICE.user;

function changed(id: string, ...users: string[]): string {
  return `id: ${id}\nevent: changed\ndata: ${JSON.stringify({ users })}\n\n`;
}

/** Read the first changes of a service. */
async function first(service: BrokenService, count: number, silenceMs?: number): Promise<Change[]> {
  const connection = new Connection(service.url, "tk_test", (url, init) => fetch(url, init));
  const found: Change[] = [];
  for await (const change of changes(connection, {}, () => {}, silenceMs)) {
    found.push(change);
    if (found.length === count) break;
  }
  return found;
}

test("parts of a stream may end anywhere", () => {
  const bytes = new TextEncoder().encode(
    ": hi\r\nid: 1\r\nevent: changed\r\ndata: ä\r\ndata:b\r\n\r\nretry: 7\rdata\r\r\ndata: lost",
  );
  for (let size = 1; size <= bytes.length; size += 1) {
    const parser = new SseParser();
    const found = [];
    for (let at = 0; at < bytes.length; at += size) found.push(...parser.feed(bytes.subarray(at, at + size)));
    assert.deepEqual(found, [
      { event: "changed", data: "ä\nb", id: "1" },
      { event: "message", data: "", id: "1" },
    ]);
    assert.equal(parser.retryMs, 7);
  }
});

test("a stream continues after the last id on a new connection", async () => {
  await using service = await BrokenService.start(
    shortStream("retry: 10\n\n", changed("0-1", "k1.a"), "id: 1-0\n\n"),
    hangUp,
    problem(503, { "retry-after": "0" }),
    stream(changed("2-0", "k1.b", "k1.c"), "event: reset\ndata: {}\n\n"),
  );
  const found = await first(service, 8);
  assert.deepEqual(found, [
    { kind: "connected", isResumed: false },
    { kind: "changed", users: ["k1.a"], id: "0-1" },
    { kind: "disconnected" },
    { kind: "disconnected" },
    { kind: "disconnected" },
    { kind: "connected", isResumed: true },
    { kind: "changed", users: ["k1.b", "k1.c"], id: "2-0" },
    { kind: "reset" },
  ]);
  const ids = service.received.map(({ headers }) => headers["last-event-id"]);
  assert.deepEqual(ids, [undefined, "1-0", "1-0", "1-0"]);
});

test("a stream that is silent for too long is opened again", async () => {
  await using service = await BrokenService.start(stream(changed("1-0", "k1.a")));
  const found = await first(service, 4, 500);
  assert.deepEqual(
    found.map((change) => change.kind),
    ["connected", "changed", "disconnected", "connected"],
  );
});

test("a missing scope ends the changes with an error", async () => {
  await using service = await BrokenService.start(problem(403));
  await assert.rejects(first(service, 1), ForbiddenError);
});

test("the end of the client ends the changes without an error", async () => {
  await using service = await BrokenService.start(stream());
  const tacit = new Tacit({ url: service.url, region: "eu", key: "tk_test" });
  for await (const change of tacit.changes({ signal: new AbortController().signal })) {
    assert.equal(change.kind, "connected");
    await tacit.close();
  }
});

test("a signal ends the changes without an error", async () => {
  await using service = await BrokenService.start(stream());
  const controller = new AbortController();
  const tacit = new Tacit({ url: service.url, region: "eu", key: "tk_test" });
  const found: string[] = [];
  for await (const change of tacit.changes({ signal: controller.signal, lastEventId: "7-0" })) {
    found.push(change.kind);
    controller.abort();
  }
  assert.deepEqual(found, ["connected"]);
  assert.equal(service.received[0]?.headers["last-event-id"], "7-0");
});

/** A service with one choice, whose streams the test writes. */
async function withStreams() {
  const streams: ServerResponse[] = [];
  const service = await BrokenService.start((answer, request) => {
    if (request.url === "/v1/changes") streams.push(answer);
    const reply = request.url === "/v1/changes" ? stream() : json(request.url === "/v1/catalogue" ? CATALOGUE : CHOICE);
    return reply(answer, request);
  });
  const tacit = new Tacit({ url: service.url, region: "eu", key: "tk_test", timeoutMs: 10_000, cache: {} });
  const request = { user: "ada", unit: "c-1" };
  const asked = () => service.paths.filter((path) => path === "/v1/choices").length;
  /** Return whether a second choice comes without a request. */
  const isKept = async (): Promise<boolean> => {
    await tacit.choose(request);
    const before = asked();
    await tacit.choose(request);
    return asked() === before;
  };
  return { service, streams, tacit, asked, request, isKept };
}

test("a cache serves until the user changes, and nothing while the stream is closed", async () => {
  const { service, streams, tacit, asked, request, isKept } = await withStreams();
  await using _ = service;
  await eventually(isKept, "a choice that is kept");
  const before = asked();
  for (const open of streams) open.write(changed("1-0", "k1.other") + changed("2-0", USER));
  await eventually(async () => (await tacit.choose(request)) && asked() > before, "a new choice");
  await eventually(isKept, "a new choice that is kept");

  service.replyWith((answer, received) => received.url !== "/v1/changes" && json(CHOICE)(answer, received));
  for (const open of streams) open.destroy();
  await eventually(async () => !(await isKept()), "a choice that is not kept");
  assert.equal(await isKept(), false);
  await tacit.close();
});

test("a decision of the user empties the cache", async () => {
  const { service, tacit, asked, request, isKept } = await withStreams();
  await using _ = service;
  await eventually(isKept, "a choice that is kept");
  const before = asked();
  await tacit.user("ada").pin("length", "detailed");
  await tacit.choose(request);
  assert.equal(asked(), before + 1);
  await tacit.close();
});

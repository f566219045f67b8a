import assert from "node:assert/strict";
import { test } from "node:test";
import { ChoiceCache } from "../src/cache.ts";
import { Choice } from "../src/index.ts";
import { CHOICE } from "./answers.ts";

function request(unit: string, more: object = {}) {
  return { user: "ada", unit, ...more };
}

function choice(user: string): Choice {
  return new Choice({ ...CHOICE, user }, request("c-1"), "eu");
}

/** A cache with an open stream. */
function open(maxChoices: number, maxAgeMs = 60_000): ChoiceCache {
  const cache = new ChoiceCache({ maxChoices, maxAgeMs });
  cache.apply({ kind: "connected", isResumed: false });
  return cache;
}

test("the least recently used choice gives way", () => {
  const cache = open(2);
  for (const unit of ["c-1", "c-2"]) cache.keep(request(unit), choice(unit), cache.now());
  cache.find(request("c-1"));
  cache.keep(request("c-3"), choice("c-3"), cache.now());
  assert.deepEqual(
    ["c-1", "c-2", "c-3"].map((unit) => cache.find(request(unit))?.user),
    ["c-1", undefined, "c-3"],
  );
  assert.equal(cache.size, 2);
});

test("a choice that is too old is not served", () => {
  const cache = open(2, -1);
  cache.keep(request("c-1"), choice("k1.a"), cache.now());
  assert.equal(cache.find(request("c-1")), null);
  assert.equal(cache.size, 0);
});

test("each part of a request counts, and the order of pins does not", () => {
  const cache = open(10);
  cache.keep(request("c-1", { pinned: { tone: "formal", length: "concise" } }), choice("k1.a"), cache.now());
  assert.ok(cache.find(request("c-1", { pinned: { length: "concise", tone: "formal" }, explore: true })));
  const others = [
    {},
    { pinned: { tone: "formal" } },
    { topic: "code" },
    { surface: "chat" },
    { explore: false },
    { defaults: true },
  ];
  assert.deepEqual(
    others.map((other) => cache.find(request("c-1", other))),
    others.map(() => null),
  );
});

test("a change drops the choices of its users only", () => {
  const cache = open(10);
  for (const unit of ["c-1", "c-2"]) cache.keep(request(unit), choice("k1.a"), cache.now());
  cache.keep(request("c-3"), choice("k1.b"), cache.now());
  cache.apply({ kind: "changed", users: ["k1.a", "k1.z"], id: "1-0" });
  assert.deepEqual(
    ["c-1", "c-2", "c-3"].map((unit) => cache.find(request(unit)) !== null),
    [false, false, true],
  );
});

test("an answer that is older than a change is not kept", () => {
  const cache = open(10);
  const asked = cache.now();
  cache.apply({ kind: "changed", users: ["k1.a"], id: "1-0" });
  cache.keep(request("c-1"), choice("k1.a"), asked);
  assert.equal(cache.size, 0);
});

test("a reset and the end of the stream empty the cache", () => {
  const cache = open(10);
  cache.keep(request("c-1"), choice("k1.a"), cache.now());
  cache.apply({ kind: "reset" });
  assert.equal(cache.size, 0);
  cache.keep(request("c-1"), choice("k1.a"), cache.now());
  cache.apply({ kind: "disconnected" });
  cache.keep(request("c-1"), choice("k1.a"), cache.now());
  assert.equal(cache.size, 0);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../broken-service.ts";
import { client, newUser, WAIT, willing } from "./service.ts";

test("a pin outranks all until it is taken back", async () => {
  const tacit = client();
  const user = newUser();
  const rights = tacit.user(user);
  const done = await rights.pin("length", "detailed", WAIT);
  assert.ok(done.took_ms !== null);
  const choice = await tacit.choose({ user, unit: "c-1" });
  assert.deepEqual([choice.values["length"], choice.strengths["length"]], ["detailed", "pin"]);
  const known = await rights.known();
  assert.deepEqual(known.facets.find(({ facet }) => facet === "length")?.pin?.value, "detailed");
  await rights.unpin("length", WAIT);
  assert.equal((await tacit.choose({ user, unit: "c-1" })).strengths["length"], "default");
  const { actions } = await rights.history();
  assert.deepEqual(actions.map(({ action }) => action).sort(), ["pin", "unpin"]);
});

test("a consent holds for the scopes that are named", async () => {
  const tacit = client();
  const rights = tacit.user(await willing(tacit));
  await rights.consent(false, ["explore"], WAIT);
  const { consent, learns, tries } = await rights.known();
  assert.deepEqual(
    [consent["learn"]?.state, consent["explore"]?.state, learns, tries],
    ["granted", "denied", true, false],
  );
});

test("a forget deletes pins, and gives a receipt", async () => {
  const tacit = client();
  const user = await willing(tacit);
  const rights = tacit.user(user);
  await rights.pin("tone", "formal", WAIT);
  await rights.forgetFacet("tone", WAIT);
  assert.equal((await tacit.choose({ user, unit: "c-1" })).strengths["tone"], "default");
  await rights.pin("tone", "formal", WAIT);
  const { receipt, follow } = await rights.forget(WAIT);
  assert.equal((await tacit.choose({ user, unit: "c-1" })).strengths["tone"], "default");
  assert.ok((await rights.known()).forgotten_ms > 0);
  if (receipt !== null) {
    assert.equal(follow, `/v1/receipts/${receipt}`);
    await eventually(async () => !("state" in (await rights.receipt(receipt))), "the receipt");
  }
});

test("a link opens the page of the user", async () => {
  const tacit = client();
  const { url, expires_at_ms } = await tacit.pageLink(newUser(), { expiresInS: 60, language: "en" });
  assert.ok(expires_at_ms > Date.now());
  const opened = await fetch(url, { redirect: "manual" });
  assert.ok(opened.status < 400);
  assert.match(opened.headers.get("set-cookie") ?? "", /HttpOnly/i);
});

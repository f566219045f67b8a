import type { Connection } from "./connection.ts";
import { InvalidRequestError, NoAnswerError, ProblemError } from "./errors.ts";
import { type EventToSend, isControl, newId } from "./events.ts";
import { Backoff, pause } from "./pause.ts";
import type { Outcome } from "./wire.ts";

/**
 * Reason for the loss of an event:
 *
 * - `full`: the queue was full; an interaction is lost before a control event;
 * - `rejected`: the service will never take the event, or it is no event, or above 16 KiB;
 * - `closed`: the client was closed before the service took the event.
 */
export type LostReason = "full" | "rejected" | "closed";

/** An event that will not be delivered. */
export interface LostEvent {
  readonly eventId: string;
  readonly type: string;
  readonly reason: LostReason;
  /** Rule or member; no value of the event. */
  readonly detail: string;
}

export interface SenderOptions {
  /** Events that may wait, those in a request included; 10,000 without it. */
  readonly capacity?: number | undefined;
  /** Events per request, at most 500; 500 without it. */
  readonly batchSize?: number | undefined;
  /** Time that the first event of a batch waits for more; 100 ms without it. */
  readonly delayMs?: number | undefined;
  /** Called for each event that will not be delivered. */
  readonly onLost?: ((event: LostEvent) => void) | undefined;
}

/** Counts of events since the start of the client. */
export interface SenderCounts {
  readonly waiting: number;
  readonly accepted: number;
  readonly lost: number;
}

const MAX_BATCH = 500;
const MAX_EVENT_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 1024 * 1024;
const TIMEOUT_MS = 15_000;

interface Entry {
  readonly number: number;
  readonly id: string;
  readonly type: string;
  readonly json: string;
  readonly bytes: number;
}

interface Waiter {
  readonly upTo: number;
  readonly done: () => void;
}

/**
 * Bounded queue of events in front of the service.
 *
 * Events go out in their order, one request at a time. A request that fails is repeated, with the same event ids, so a
 * repeat of what the service has taken changes nothing.
 */
export class Sender {
  readonly #connection: Connection;
  readonly #region: string;
  readonly #capacity: number;
  readonly #batchSize: number;
  readonly #delayMs: number;
  readonly #onLost: (event: LostEvent) => void;
  readonly #onError: (error: unknown) => void;
  readonly #encoder = new TextEncoder();
  readonly #backoff = new Backoff();
  readonly #closing = new AbortController();
  /** Entries in their order; the first `#inRequest` are in the open request. */
  #queue: Entry[] = [];
  #inRequest = 0;
  #size: number;
  #numbered = 0;
  #accepted = 0;
  #lost = 0;
  #isDelivering = false;
  #isClosed = false;
  #waiters: Waiter[] = [];
  #hurry: () => void = () => {};

  /** @param onError told of each request that fails; it must not throw. */
  constructor(connection: Connection, region: string, options: SenderOptions, onError: (error: unknown) => void) {
    this.#connection = connection;
    this.#region = region;
    this.#capacity = options.capacity ?? 10_000;
    this.#batchSize = Math.min(MAX_BATCH, Math.max(1, options.batchSize ?? MAX_BATCH));
    this.#size = this.#batchSize;
    this.#delayMs = options.delayMs ?? 100;
    this.#onLost = options.onLost ?? (() => {});
    this.#onError = onError;
  }

  get counts(): SenderCounts {
    return { waiting: this.#queue.length, accepted: this.#accepted, lost: this.#lost };
  }

  /** Queue an event; return whether it waits now. Never throws, never waits. */
  send(event: EventToSend): boolean {
    const entry = this.#entry(event);
    if (entry === null) return false;
    if (this.#isClosed) return this.#lose(entry, "closed", "the client is closed");
    if (this.#queue.length >= this.#capacity && !this.#makeRoom(entry)) return false;
    this.#queue.push(entry);
    if (!this.#isDelivering) void this.#deliver();
    else if (this.#queue.length >= this.#batchSize) this.#hurry();
    return true;
  }

  /** Wait until the service has answered for all events so far; return false if the time is over before. */
  async flush(timeoutMs: number): Promise<boolean> {
    const upTo = this.#numbered;
    if (this.#isDone(upTo)) return true;
    this.#hurry();
    return new Promise((resolve) => {
      const waiter = { upTo, done: () => end(true) };
      const end = (isDone: boolean) => {
        clearTimeout(timer);
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        resolve(isDone);
      };
      const timer = setTimeout(() => end(false), timeoutMs);
      this.#waiters.push(waiter);
    });
  }

  /** Take no more events, flush, and lose the rest after the time. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    await this.flush(timeoutMs);
    this.#closing.abort();
    const rest = this.#queue;
    this.#queue = [];
    for (const entry of rest) this.#lose(entry, "closed", "the service did not take it in time");
    this.#wake();
  }

  /** Return the stamped event as JSON, so that later changes of the object do not count; null if it is none. */
  #entry(event: EventToSend): Entry | null {
    const number = ++this.#numbered;
    let id = "";
    let type = "";
    try {
      id = event.event_id ?? newId();
      type = event.type;
      const json = JSON.stringify({ schema: 1, at: Date.now(), region: this.#region, ...event, event_id: id });
      const entry = { number, id, type, json, bytes: this.#encoder.encode(json).length };
      if (entry.bytes <= MAX_EVENT_BYTES) return entry;
      this.#lose(entry, "rejected", `above ${MAX_EVENT_BYTES} bytes`);
    } catch {
      this.#lose({ id, type }, "rejected", "not an object of JSON");
    }
    return null;
  }

  /** Lose the oldest interaction that is not in the request, else the new event; return whether there is room. */
  #makeRoom(entry: Entry): boolean {
    const at = this.#queue.findIndex((other, index) => index >= this.#inRequest && !isControl(other));
    if (at < 0) return this.#lose(entry, "full", `${this.#capacity} events wait`);
    const [oldest] = this.#queue.splice(at, 1);
    if (oldest) this.#lose(oldest, "full", `${this.#capacity} events wait`);
    this.#wake();
    return true;
  }

  #lose(entry: Pick<Entry, "id" | "type">, reason: LostReason, detail: string): false {
    this.#lost += 1;
    try {
      this.#onLost({ eventId: entry.id, type: entry.type, reason, detail });
    } catch {
      // An error of a callback is no reason to fail an answer, or to stop sending.
    }
    return false;
  }

  /** Send until the queue is empty. */
  async #deliver(): Promise<void> {
    this.#isDelivering = true;
    await this.#wait(this.#delayMs);
    while (this.#queue.length > 0 && !this.#closing.signal.aborted) {
      const waitMs = await this.#request();
      this.#wake();
      if (waitMs > 0) await pause(waitMs, this.#closing.signal);
    }
    this.#isDelivering = false;
  }

  /** Wait for more events of a batch; a full batch and `flush` end the wait. */
  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#hurry = () => {
        clearTimeout(timer);
        this.#hurry = () => {};
        resolve();
      };
    });
  }

  /** Send one batch, and return the pause before the next one. */
  async #request(): Promise<number> {
    const batch = this.#batch();
    this.#inRequest = batch.length;
    try {
      const answer = await this.#connection.json<{ outcomes?: unknown } | null>({
        method: "POST",
        route: "/v1/events",
        body: `[${batch.map((entry) => entry.json).join(",")}]`,
        timeoutMs: TIMEOUT_MS,
        signal: this.#closing.signal,
      });
      return this.#settle(batch, outcomesIn(answer, batch.length));
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#onError(error);
      return this.#failed(batch, error);
    } finally {
      this.#inRequest = 0;
    }
  }

  #batch(): Entry[] {
    let bytes = 2;
    const found: Entry[] = [];
    for (const entry of this.#queue) {
      bytes += entry.bytes + 1;
      if (found.length === this.#size || (bytes > MAX_BODY_BYTES && found.length > 0)) break;
      found.push(entry);
    }
    return found;
  }

  /** Take what is settled out of the queue; events that failed stay in front. Outcomes have the order of the events. */
  #settle(batch: Entry[], outcomes: Outcome[]): number {
    const failed: Entry[] = [];
    for (const [at, entry] of batch.entries()) {
      const { outcome, reason, detail } = outcomes[at] ?? { outcome: "failed" };
      if (outcome === "failed") failed.push(entry);
      else if (outcome === "accepted") this.#accepted += 1;
      else this.#lose(entry, "rejected", [reason, detail].filter(Boolean).join(": "));
    }
    this.#queue.splice(0, batch.length, ...failed);
    if (failed.length > 0) return this.#backoff.next();
    this.#backoff.reset();
    this.#size = Math.min(this.#batchSize, this.#size * 2);
    return 0;
  }

  /** Keep the batch, unless the service will never take it; find the event behind a refused request by halves. */
  #failed(batch: Entry[], error: unknown): number {
    const first = batch[0];
    if (error instanceof InvalidRequestError && first) {
      this.#size = Math.max(1, batch.length >> 1);
      if (batch.length === 1) {
        this.#queue.shift();
        this.#lose(first, "rejected", error.problem.detail || error.problem.title);
      }
      return 0;
    }
    return this.#backoff.next(error instanceof ProblemError ? error.retryAfterMs : null);
  }

  #isDone(upTo: number): boolean {
    const first = this.#queue[0];
    return first === undefined || first.number > upTo;
  }

  #wake(): void {
    for (const waiter of this.#waiters) if (this.#isDone(waiter.upTo)) waiter.done();
  }
}

/** Return the outcomes in an answer; an answer without them, as of another service, is none. */
function outcomesIn(answer: { readonly outcomes?: unknown } | null, count: number): Outcome[] {
  const found = answer?.outcomes;
  if (Array.isArray(found) && found.length === count) return found as Outcome[];
  throw new NoAnswerError("POST /v1/events: the answer has no outcome per event; is the address that of the service?");
}

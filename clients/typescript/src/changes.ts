import { type Connection, asNoAnswer } from "./connection.ts";
import { isTransient, NoAnswerError, ProblemError } from "./errors.ts";
import { Backoff, pause } from "./pause.ts";
import { SseParser } from "./sse.ts";

/**
 * A change of users' signals:
 *
 * - `changed`: the pseudonyms of users whose signals, pins or consents changed, as `user` of a choice has them;
 * - `connected`: the stream is open; `isResumed` is false if changes may have been missed before;
 * - `reset`: the service no longer holds all changes since the last one, so any user may have changed;
 * - `disconnected`: the stream is closed for now, and changes arrive late.
 */
export type Change =
  | { readonly kind: "changed"; readonly users: readonly string[]; readonly id: string }
  | { readonly kind: "connected"; readonly isResumed: boolean }
  | { readonly kind: "reset" }
  | { readonly kind: "disconnected" };

export interface ChangesOptions {
  /** Id of the last change that was seen, from `Change.id`: the stream continues after it. */
  readonly lastEventId?: string | undefined;
  /** Ends the stream without an error. */
  readonly signal?: AbortSignal | undefined;
}

const CALL = { method: "GET", route: "/v1/changes" } as const;
const CONNECT_MS = 10_000;
/** The service sends a comment each 15 s; a stream that is silent for longer is dead. */
const SILENCE_MS = 45_000;

/** Yield changes, over as many connections as it takes; an answer such as 401 or 403 is thrown. */
export async function* changes(
  connection: Connection,
  options: ChangesOptions,
  onError: (error: unknown) => void,
  silenceMs: number = SILENCE_MS,
): AsyncGenerator<Change, void, undefined> {
  const ended = options.signal ?? new AbortController().signal;
  const backoff = new Backoff();
  let lastId = options.lastEventId ?? "";
  while (!ended.aborted) {
    const stream = new Stream(connection, silenceMs, ended);
    let waitMs = 0;
    try {
      await stream.open(lastId);
      yield { kind: "connected", isResumed: lastId !== "" };
      for (let events = await stream.next(); events !== null; events = await stream.next()) {
        lastId = stream.lastId || lastId;
        for (const { event, data, id } of events) {
          backoff.reset();
          const change = changeIn(event, data, id);
          if (change !== null) yield change;
        }
      }
      waitMs = backoff.next(stream.retryMs);
    } catch (error) {
      if (ended.aborted) return;
      if (!isTransient(error)) throw error;
      onError(error);
      waitMs = backoff.next(error instanceof ProblemError ? error.retryAfterMs : stream.retryMs);
    } finally {
      stream.close();
    }
    if (ended.aborted) return;
    yield { kind: "disconnected" };
    await pause(waitMs, ended);
  }
}

function changeIn(event: string, data: string, id: string): Change | null {
  if (event === "reset") return { kind: "reset" };
  if (event !== "changed") return null;
  try {
    return { kind: "changed", users: (JSON.parse(data) as { users: string[] }).users, id };
  } catch {
    return { kind: "reset" };
  }
}

/** One connection; it ends itself when nothing arrives for too long. */
class Stream {
  readonly #connection: Connection;
  readonly #silenceMs: number;
  readonly #ended: AbortSignal;
  readonly #controller = new AbortController();
  readonly #parser = new SseParser();
  readonly #stop = () => this.#controller.abort();
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;

  constructor(connection: Connection, silenceMs: number, ended: AbortSignal) {
    this.#connection = connection;
    this.#silenceMs = silenceMs;
    this.#ended = ended;
    ended.addEventListener("abort", this.#stop);
  }

  get lastId(): string {
    return this.#parser.lastId;
  }

  get retryMs(): number | null {
    return this.#parser.retryMs;
  }

  async open(lastId: string): Promise<void> {
    const headers = { accept: "text/event-stream", ...(lastId === "" ? {} : { "last-event-id": lastId }) };
    const call = { ...CALL, headers, timeoutMs: CONNECT_MS };
    const answer = await this.#within(CONNECT_MS, () => this.#connection.open(call, this.#controller.signal));
    this.#reader = answer.body?.getReader() ?? null;
  }

  /** Return the events of the next part, or null at the end of the connection. */
  async next(): Promise<ReturnType<SseParser["feed"]> | null> {
    const reader = this.#reader;
    if (reader === null) return null;
    const { done, value } = await this.#within(this.#silenceMs, () => reader.read());
    return done ? null : this.#parser.feed(value);
  }

  close(): void {
    this.#ended.removeEventListener("abort", this.#stop);
    this.#controller.abort();
  }

  async #within<T>(ms: number, wait: () => Promise<T>): Promise<T> {
    const call = { ...CALL, timeoutMs: ms };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new NoAnswerError(`GET /v1/changes: nothing for ${ms} ms`)), ms);
    });
    try {
      return await Promise.race([wait(), silence]);
    } catch (error) {
      throw asNoAnswer(call, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

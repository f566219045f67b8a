import { type CacheOptions, ChoiceCache } from "./cache.ts";
import { type Change, type ChangesOptions, changes } from "./changes.ts";
import { bodyOf, Choice, type ChoiceRequest, isAnswer, unavailable } from "./choice.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { type Call, Connection, type Fetch, type KeyProvider } from "./connection.ts";
import { isTransient, NoAnswerError } from "./errors.ts";
import type { EventToSend } from "./events.ts";
import { Sender, type SenderCounts, type SenderOptions } from "./sender.ts";
import { User } from "./user.ts";
import type { Catalogue, ChoiceAnswer, Context, PageLink } from "./wire.ts";

export interface TacitOptions {
  /** Address of the service. */
  readonly url: string;
  /** Region of the users, as the workers have it. */
  readonly region: string;
  /** Key or token of this assistant, or a function that returns it before each request. */
  readonly key: string | KeyProvider;
  /** Time limit of reads for an answer; 500 ms without it. */
  readonly timeoutMs?: number | undefined;
  /** Queue of events. */
  readonly events?: SenderOptions | undefined;
  /** Keep choices until their user changes; needs an open stream to the service. Off without it. */
  readonly cache?: CacheOptions | undefined;
  /** Called for each failure that no caller sees: behind defaults, in the queue of events, in the stream of a cache. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** `fetch` to use. */
  readonly fetch?: Fetch | undefined;
}

const USERS_PER_REQUEST = 500;
const LINK_TIMEOUT_MS = 10_000;
const FLUSH_MS = 10_000;
const CLOSE_MS = 5_000;
/** Time between two requests for the catalogue that choices cause. */
const CATALOGUE_PAUSE_MS = 10_000;

/**
 * Client of one Tacit service; an assistant keeps one per process.
 *
 * `choose`, `chooseMany`, `context` and `send` never throw because the service does not answer. An answer that no
 * repetition changes, such as 401 for a wrong key, is thrown by all methods but `send`.
 */
export class Tacit {
  readonly #connection: Connection;
  readonly #region: string;
  readonly #timeoutMs: number;
  readonly #sender: Sender;
  readonly #cache: ChoiceCache | null;
  readonly #onError: (error: unknown) => void;
  readonly #breaker = new CircuitBreaker();
  readonly #closing = new AbortController();
  #catalogue: Catalogue | null = null;
  #catalogueAskedMs = -Infinity;
  #isFollowing = false;

  constructor(options: TacitOptions) {
    const onError = options.onError ?? (() => {});
    this.#onError = (error) => {
      try {
        onError(error);
      } catch {
        // An error of a callback is no reason to fail an answer.
      }
    };
    this.#connection = new Connection(options.url, options.key, options.fetch ?? ((url, init) => fetch(url, init)));
    this.#region = options.region;
    this.#timeoutMs = options.timeoutMs ?? 500;
    this.#sender = new Sender(this.#connection, options.region, options.events ?? {}, this.#onError);
    this.#cache = options.cache === undefined ? null : new ChoiceCache(options.cache);
  }

  /**
   * Choose a value per facet for one answer of a conversation.
   *
   * If the service does not answer, the choice has the catalogue's defaults as far as they are known, and the status
   * `unavailable`.
   */
  async choose(request: ChoiceRequest): Promise<Choice> {
    const cache = this.#openCache();
    const kept = cache?.find(request);
    if (kept) return kept;
    const asked = cache?.now() ?? 0;
    const call = this.#read("POST", "/v1/choices", { body: JSON.stringify(bodyOf(request)) });
    const answers = await this.#orElse(async () => checked([await this.#connection.json(call)], 1), null);
    const [choice] = this.#choices([request], answers);
    if (choice === undefined) throw new TypeError("one request has one choice");
    cache?.keep(request, choice, asked);
    return choice;
  }

  /** Choose for many users or conversations; the choices have the order of the requests. */
  async chooseMany(requests: readonly ChoiceRequest[]): Promise<Choice[]> {
    const found: Choice[] = [];
    for (let start = 0; start < requests.length; start += USERS_PER_REQUEST) {
      const part = requests.slice(start, start + USERS_PER_REQUEST);
      const call = this.#read("POST", "/v1/choices:batch", { body: JSON.stringify({ requests: part.map(bodyOf) }) });
      const ask = async () =>
        checked((await this.#connection.json<{ choices?: unknown } | null>(call))?.choices, part.length);
      found.push(...this.#choices(part, await this.#orElse(ask, null)));
    }
    return found;
  }

  /** Return what an assistant may reason with about a user, or null if the service does not answer. */
  async context(user: string, about: Pick<ChoiceRequest, "unit" | "topic" | "surface">): Promise<Context | null> {
    const { unit, topic, surface } = about;
    const call = this.#read("GET", "/v1/context/{user}", { path: { user }, query: { unit, topic, surface } });
    return this.#orElse(() => this.#connection.json<Context>(call), null);
  }

  /** Fetch the catalogue; the client keeps it for the defaults of a service that does not answer. */
  async catalogue(options: { readonly language?: string | undefined } = {}): Promise<Catalogue> {
    const call = this.#read("GET", "/v1/catalogue", { query: { language: options.language } });
    this.#catalogue = await this.#connection.json<Catalogue>(call);
    return this.#catalogue;
  }

  /** The catalogue that was fetched last; null before the first time. */
  get knownCatalogue(): Catalogue | null {
    return this.#catalogue;
  }

  /**
   * Queue an event, and return whether it waits now. Never throws, and never waits for the service.
   *
   * A full queue loses its oldest interaction; control events (consent, pin, forget) stay.
   */
  send(event: EventToSend): boolean {
    return this.#sender.send(event);
  }

  /** Counts of events. */
  get counts(): SenderCounts {
    return this.#sender.counts;
  }

  /** Wait until the service has taken all events so far; return false if the time is over before. */
  flush(options: { readonly timeoutMs?: number | undefined } = {}): Promise<boolean> {
    return this.#sender.flush(options.timeoutMs ?? FLUSH_MS);
  }

  /** Follow the changes of all users' signals, over as many connections as it takes, until the signal or `close`. */
  changes(options: ChangesOptions = {}): AsyncGenerator<Change, void, undefined> {
    const signal = either(this.#closing.signal, options.signal);
    return changes(this.#connection, { ...options, signal }, this.#onError);
  }

  /** Make a link to the page on which a user sees and changes what was learned; it is valid for minutes. */
  pageLink(
    user: string,
    options: { readonly expiresInS?: number | undefined; readonly language?: string | undefined } = {},
  ): Promise<PageLink> {
    const body = JSON.stringify({ user, expires_in_s: options.expiresInS, language: options.language });
    return this.#connection.json({ method: "POST", route: "/v1/links", body, timeoutMs: LINK_TIMEOUT_MS });
  }

  /** Return the rights of a user: see, correct, permit, forget. */
  user(id: string): User {
    return new User(this.#connection, id, () => this.#cache?.clear());
  }

  /** Send what waits, for at most the given time, and end all connections. */
  async close(options: { readonly timeoutMs?: number | undefined } = {}): Promise<void> {
    await this.#sender.close(options.timeoutMs ?? CLOSE_MS);
    this.#closing.abort();
  }

  #read(method: Call["method"], route: string, parts: Partial<Call>): Call {
    return { method, route, timeoutMs: this.#timeoutMs, isRead: true, ...parts };
  }

  /** Return an answer, or `otherwise` where the service does not answer. */
  async #orElse<T>(ask: () => Promise<T>, otherwise: T): Promise<T> {
    if (!this.#breaker.allows(Date.now())) return otherwise;
    try {
      const answer = await ask();
      this.#breaker.succeeded();
      return answer;
    } catch (error) {
      if (!isTransient(error)) throw error;
      if (error instanceof NoAnswerError) this.#breaker.failed(Date.now());
      this.#onError(error);
      return otherwise;
    }
  }

  #choices(requests: readonly ChoiceRequest[], answers: readonly ChoiceAnswer[] | null): Choice[] {
    const newest = answers?.[0]?.catalogue;
    if (newest !== undefined && newest !== this.#catalogue?.version) void this.#fetchCatalogue();
    return requests.map(
      (request, at) => new Choice(answers?.[at] ?? unavailable(request, this.#catalogue), request, this.#region),
    );
  }

  async #fetchCatalogue(): Promise<void> {
    if (Date.now() - this.#catalogueAskedMs < CATALOGUE_PAUSE_MS) return;
    this.#catalogueAskedMs = Date.now();
    await this.catalogue().catch(this.#onError);
  }

  /** Return the cache, with its stream of changes begun. */
  #openCache(): ChoiceCache | null {
    if (this.#cache !== null && !this.#isFollowing && !this.#closing.signal.aborted) {
      this.#isFollowing = true;
      void this.#follow(this.#cache);
    }
    return this.#cache;
  }

  async #follow(cache: ChoiceCache): Promise<void> {
    try {
      for await (const change of this.changes()) cache.apply(change);
    } catch (error) {
      this.#onError(error); // as 401 or 403: the client works on without a cache
    }
    cache.apply({ kind: "disconnected" });
  }
}

/** Return a signal that aborts with the first of two; Node 18 has no `AbortSignal.any`. */
function either(one: AbortSignal, other: AbortSignal | undefined): AbortSignal {
  if (other === undefined) return one;
  const controller = new AbortController();
  for (const signal of [one, other]) {
    if (signal.aborted) controller.abort();
    signal.addEventListener("abort", () => controller.abort(), { once: true });
  }
  return controller.signal;
}

function checked(answers: unknown, count: number): ChoiceAnswer[] {
  if (Array.isArray(answers) && answers.length === count && answers.every(isAnswer)) return answers;
  throw new NoAnswerError("POST /v1/choices: the answer has no choices; is the address that of the service?");
}

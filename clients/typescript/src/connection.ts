import { ConfigurationError, NoAnswerError, TacitError, problemIn } from "./errors.ts";

/**
 * Return the key or token of the next request.
 *
 * @param isRefused the service answered 401 to the last one: fetch a new token.
 */
export type KeyProvider = (isRefused: boolean) => string | Promise<string>;

/** The part of `fetch` that the client needs. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** One request: the route with `{names}`, and what fills it. */
export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly route: string;
  readonly path?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** JSON of the body. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** A read: it is sent once more if its connection is lost, as an idle one may be closed at that moment. */
  readonly isRead?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Requests to one service, with its key. */
export class Connection {
  readonly #url: string;
  readonly #key: string | KeyProvider;
  readonly #fetch: Fetch;

  constructor(url: string, key: string | KeyProvider, fetch: Fetch) {
    if (!/^https?:\/\/[^/?#]+[^?#]*$/.test(url)) {
      throw new ConfigurationError("url: not an address of a service; it must be like https://tacit.example.com");
    }
    this.#url = url.replace(/\/+$/, "");
    this.#key = key;
    this.#fetch = fetch;
  }

  /** Return the JSON of an answer; null if it has no body. */
  async json<T>(call: Call): Promise<T> {
    return this.#within(call, async (signal) => {
      const answer = await this.open(call, signal);
      return (await jsonOf(call, answer)) as T;
    });
  }

  /** Return a successful answer, of which the body is not read yet. */
  async open(call: Call, signal: AbortSignal): Promise<Response> {
    const url = this.#address(call);
    let answer = await this.#send(call, url, signal, false);
    if (answer.status === 401 && typeof this.#key === "function") {
      await answer.body?.cancel();
      answer = await this.#send(call, url, signal, true);
    }
    if (!answer.ok) {
      throw problemIn(operation(call), answer, await jsonOf(call, answer).catch(() => null));
    }
    return answer;
  }

  async #send(call: Call, url: string, signal: AbortSignal, isRefused: boolean): Promise<Response> {
    const key = typeof this.#key === "function" ? await this.#key(isRefused) : this.#key;
    const headers: Record<string, string> = { accept: "application/json", authorization: `Bearer ${key}` };
    if (call.body !== undefined) headers["content-type"] = "application/json";
    const init: RequestInit = {
      method: call.method,
      headers: { ...headers, ...call.headers },
      signal,
      redirect: "error",
    };
    const request = call.body === undefined ? init : { ...init, body: call.body };
    try {
      return await this.#fetch(url, request);
    } catch (error) {
      if (call.isRead !== true || signal.aborted) throw error;
      return this.#fetch(url, request);
    }
  }

  /** Run a request and the reading of its body within the call's time, even if a provider of keys hangs. */
  async #within<T>(call: Call, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    call.signal?.throwIfAborted();
    const controller = new AbortController();
    const stop = () => controller.abort();
    const stopped = new Promise<never>((_, reject) => {
      controller.signal.addEventListener("abort", () => reject(controller.signal.reason));
    });
    const timer = setTimeout(stop, call.timeoutMs);
    call.signal?.addEventListener("abort", stop);
    try {
      return await Promise.race([run(controller.signal), stopped]);
    } catch (error) {
      if (call.signal?.aborted) throw call.signal.reason;
      if (!controller.signal.aborted) throw asNoAnswer(call, error);
      throw new NoAnswerError(`${operation(call)}: no answer within ${call.timeoutMs} ms`);
    } finally {
      clearTimeout(timer);
      call.signal?.removeEventListener("abort", stop);
    }
  }

  #address(call: Call): string {
    const path = call.route.replace(/\{(\w+)\}/g, (_, name: string) => segment(name, String(call.path?.[name] ?? "")));
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) query.set(name, String(value));
    }
    const search = query.toString();
    return `${this.#url}${path}${search ? `?${search}` : ""}`;
  }
}

/** Return the name of a request for messages: its route, without a user id. */
export function operation(call: Call): string {
  return `${call.method} ${call.route}`;
}

async function jsonOf(call: Call, answer: Response): Promise<unknown> {
  const body = await answer.text();
  if (body === "") return null;
  try {
    return JSON.parse(body);
  } catch {
    throw new NoAnswerError(`${operation(call)}: the answer is not JSON`);
  }
}

/** Return a name as one segment of a path. */
function segment(name: string, value: string): string {
  if (value === "" || value === "." || value === "..") {
    throw new ConfigurationError(`${name}: empty, "." and ".." cannot be a part of an address`);
  }
  try {
    return encodeURIComponent(value);
  } catch {
    throw new ConfigurationError(`${name}: not Unicode text; a surrogate is alone`);
  }
}

/** Return an error of `fetch`, or of the provider of keys, as `NoAnswerError`; errors of this package stay. */
export function asNoAnswer(call: Call, error: unknown): TacitError {
  if (error instanceof TacitError) return error;
  return new NoAnswerError(`${operation(call)}: the service cannot be reached`, { cause: error });
}

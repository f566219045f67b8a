import type { Call, Connection } from "./connection.ts";
import type { Done, Export, Forgotten, History, Known, PendingReceipt, Receipt, Scope, Why } from "./wire.ts";

/** Limit of a managed action: the service may wait up to 10 s for the effect. */
const TIMEOUT_MS = 20_000;

export interface WaitOptions {
  /** Time to wait until readers see the effect, in seconds, at most 10; without it, the answer comes at once. */
  readonly waitS?: number | undefined;
}

/**
 * Rights of one user: see, correct, permit, forget. Each action needs a key with the scope `manage`, and is audited;
 * `why` and `export` need the scope `export`. Unlike `choose`, these methods throw if the service does not answer.
 */
export class User {
  readonly #connection: Connection;
  readonly #id: string;
  readonly #onDecision: () => void;

  constructor(connection: Connection, id: string, onDecision: () => void) {
    this.#connection = connection;
    this.#id = id;
    this.#onDecision = onDecision;
  }

  /** Return what is known of the user; `language` is a BCP 47 tag for labels and texts. */
  known(options: { readonly language?: string | undefined } = {}): Promise<Known> {
    return this.#ask("GET", "/v1/users/{user}", {}, { language: options.language });
  }

  /** Set a facet to a value of the user's own; it outranks all that was learned. */
  pin(facet: string, value: string, options: WaitOptions = {}): Promise<Done> {
    return this.#decide("PUT", "/v1/users/{user}/pins/{facet}", { facet }, options, { value });
  }

  /** Take a pin back: the user has no preference. */
  unpin(facet: string, options: WaitOptions = {}): Promise<Done> {
    return this.#decide("DELETE", "/v1/users/{user}/pins/{facet}", { facet }, options);
  }

  /** Grant or deny; without scopes, all of `learn`, `use` and `explore`. */
  consent(granted: boolean, scopes?: readonly Scope[], options: WaitOptions = {}): Promise<Done> {
    const body = scopes === undefined ? { granted } : { granted, scopes };
    return this.#decide("PUT", "/v1/users/{user}/consent", {}, options, body);
  }

  /** Forget everything about the user, and return the receipt to follow. */
  forget(options: WaitOptions = {}): Promise<Forgotten> {
    return this.#decide("DELETE", "/v1/users/{user}", {}, options);
  }

  /** Forget one facet. */
  forgetFacet(facet: string, options: WaitOptions = {}): Promise<Done> {
    return this.#decide("DELETE", "/v1/users/{user}/facets/{facet}", { facet }, options);
  }

  /** Return a receipt about the user, by its number; its `state` is `pending` while it is made. */
  receipt(number: string): Promise<Receipt | PendingReceipt> {
    return this.#ask("GET", "/v1/receipts/{number}", { number }, { user: this.#id });
  }

  /** Return the user's own actions, and the changes of what was learned. */
  history(): Promise<History> {
    return this.#ask("GET", "/v1/users/{user}/history");
  }

  /** Return the reasons behind all facets, or one. */
  why(facet?: string): Promise<Why> {
    return this.#ask("GET", "/v1/users/{user}/why", {}, { facet });
  }

  /** Return all that is held about the user. */
  export(): Promise<Export> {
    return this.#ask("GET", "/v1/users/{user}/export");
  }

  async #decide<T>(
    method: Call["method"],
    route: string,
    path: Record<string, string>,
    options: WaitOptions,
    body?: object,
  ): Promise<T> {
    const done = await this.#ask<T>(method, route, path, { wait: options.waitS }, body);
    this.#onDecision();
    return done;
  }

  #ask<T>(
    method: Call["method"],
    route: string,
    path: Call["path"] = {},
    query: NonNullable<Call["query"]> = {},
    body?: object,
  ): Promise<T> {
    const call: Call = { method, route, path: { ...path, user: this.#id }, query, timeoutMs: TIMEOUT_MS };
    return this.#connection.json<T>(body === undefined ? call : { ...call, body: JSON.stringify(body) });
  }
}

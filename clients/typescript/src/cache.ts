import type { Change } from "./changes.ts";
import type { Choice, ChoiceRequest } from "./choice.ts";

export interface CacheOptions {
  /** Choices that are kept; the least recently used one gives way. 10,000 without it. */
  readonly maxChoices?: number | undefined;
  /** Age at which a choice is asked for again; 60 s without it. */
  readonly maxAgeMs?: number | undefined;
}

interface Entry {
  readonly choice: Choice;
  readonly untilMs: number;
}

/** Moment of a request, for `ChoiceCache.keep`. */
export type Moment = number;

/**
 * Choices until their user changes.
 *
 * The cache serves only while the stream of changes is open, so an answer is at most as old as a change needs to
 * arrive.
 */
export class ChoiceCache {
  readonly #maxChoices: number;
  readonly #maxAgeMs: number;
  /** Request → choice, the least recently used first. */
  readonly #entries = new Map<string, Entry>();
  /** Pseudonym → requests. */
  readonly #requests = new Map<string, Set<string>>();
  #isOpen = false;
  /** Count of what was heard of changes; a choice that was asked for before the last one is not kept. */
  #moment: Moment = 0;

  constructor(options: CacheOptions) {
    this.#maxChoices = options.maxChoices ?? 10_000;
    this.#maxAgeMs = options.maxAgeMs ?? 60_000;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Return the moment at which a request begins. */
  now(): Moment {
    return this.#moment;
  }

  find(request: ChoiceRequest): Choice | null {
    const key = keyOf(request);
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    this.#entries.delete(key);
    if (entry.untilMs < Date.now()) {
      this.#forget(key, entry);
      return null;
    }
    this.#entries.set(key, entry);
    return entry.choice;
  }

  /** Keep a choice that was asked for at a moment, unless something has changed since. */
  keep(request: ChoiceRequest, choice: Choice, asked: Moment): void {
    if (!this.#isOpen || asked !== this.#moment || choice.status === "unavailable") return;
    const key = keyOf(request);
    this.#entries.set(key, { choice, untilMs: Date.now() + this.#maxAgeMs });
    const requests = this.#requests.get(choice.user) ?? new Set();
    this.#requests.set(choice.user, requests.add(key));
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= this.#maxChoices) break;
      this.#entries.delete(oldest);
      this.#forget(oldest, entry);
    }
  }

  apply(change: Change): void {
    this.#moment += 1;
    if (change.kind === "changed") {
      for (const user of change.users) this.#drop(user);
      return;
    }
    this.#isOpen = change.kind === "connected" || (change.kind === "reset" && this.#isOpen);
    this.clear();
  }

  clear(): void {
    this.#moment += 1;
    this.#entries.clear();
    this.#requests.clear();
  }

  #drop(user: string): void {
    for (const key of this.#requests.get(user) ?? []) this.#entries.delete(key);
    this.#requests.delete(user);
  }

  #forget(key: string, entry: Entry): void {
    const requests = this.#requests.get(entry.choice.user);
    requests?.delete(key);
    if (requests?.size === 0) this.#requests.delete(entry.choice.user);
  }
}

function keyOf(request: ChoiceRequest): string {
  const { user, unit, topic, surface, explore, pinned, defaults } = request;
  return JSON.stringify([
    user,
    unit,
    topic,
    surface,
    explore ?? true,
    Object.entries(pinned ?? {}).sort(),
    defaults ?? false,
  ]);
}

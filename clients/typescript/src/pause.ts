const FIRST_MS = 200;
const LONGEST_MS = 30_000;

/** Exponential growth of pauses after failures, with jitter. */
export class Backoff {
  #failures = 0;

  /** Return the pause after one more failure: at least `leastMs`, which a `Retry-After` gives. */
  next(leastMs: number | null = null): number {
    const ms = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return Math.max(leastMs ?? 0, ms * (0.5 + Math.random() / 2));
  }

  /** Begin with the shortest pause again, after a success. */
  reset(): void {
    this.#failures = 0;
  }
}

/** Wait until the time is over or the signal aborts. A pause alone does not keep a process of Node alive. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    release(timer);
  });
}

/** Let a process of Node end in spite of a timer; timers of browsers are numbers. */
export function release(timer: unknown): void {
  (timer as { unref?: () => void }).unref?.();
}

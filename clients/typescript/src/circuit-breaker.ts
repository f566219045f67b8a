const FAILURES = 3;
const RETRY_MS = 1_000;

/**
 * Guard of a service that does not answer: after three failures in a row, one request per second still goes out, and
 * all others fail at once.
 */
export class CircuitBreaker {
  #failures = 0;
  #nextMs = 0;

  /** Return whether a request may go out now. */
  allows(nowMs: number): boolean {
    if (this.#failures < FAILURES) return true;
    if (nowMs < this.#nextMs) return false;
    this.#nextMs = nowMs + RETRY_MS;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(nowMs: number): void {
    this.#failures += 1;
    if (this.#failures === FAILURES) this.#nextMs = nowMs + RETRY_MS;
  }
}

/**
 * Errors of the client:
 *
 *     TacitError
 *     ├── ConfigurationError      an option or argument that no request can carry
 *     ├── NoAnswerError           no connection, no answer in time, or an answer that is not JSON
 *     └── ProblemError            an answer with problem details (RFC 9457)
 *         ├── InvalidRequestError     400, 413, 422
 *         ├── UnauthorizedError       401
 *         ├── ForbiddenError          403
 *         ├── NotFoundError           404
 *         ├── TooManyRequestsError    429
 *         └── UnavailableError        500 and above
 *
 * No message has a user id.
 */

/** A member of the request that breaks a rule: a JSON pointer and the rule. */
export interface ProblemMember {
  readonly pointer: string;
  readonly detail: string;
}

/** Problem details as the service sends them. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly request_id: string | null;
  readonly errors: readonly ProblemMember[];
}

/** Base of all errors of this package. */
export class TacitError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An option or argument that no request can carry. */
export class ConfigurationError extends TacitError {}

/** No connection, no answer in time, or an answer that is not JSON. */
export class NoAnswerError extends TacitError {}

/** An answer with problem details. */
export class ProblemError extends TacitError {
  readonly problem: Problem;
  /** Time to wait before the next request, where the answer has `Retry-After`. */
  readonly retryAfterMs: number | null;

  constructor(operation: string, problem: Problem, retryAfterMs: number | null) {
    super(`${operation}: ${problem.status} ${problem.title}${problem.detail ? `: ${problem.detail}` : ""}`);
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }

  get status(): number {
    return this.problem.status;
  }

  get requestId(): string | null {
    return this.problem.request_id;
  }
}

export class InvalidRequestError extends ProblemError {}
export class UnauthorizedError extends ProblemError {}
export class ForbiddenError extends ProblemError {}
export class NotFoundError extends ProblemError {}
export class TooManyRequestsError extends ProblemError {}
export class UnavailableError extends ProblemError {}

/** Return whether the same request may succeed later without a change of it. */
export function isTransient(error: unknown): boolean {
  return (
    error instanceof NoAnswerError ||
    error instanceof TooManyRequestsError ||
    (error instanceof UnavailableError && error.status !== 501)
  );
}

const BY_STATUS: Readonly<Record<number, typeof ProblemError>> = {
  400: InvalidRequestError,
  401: UnauthorizedError,
  403: ForbiddenError,
  404: NotFoundError,
  408: UnavailableError,
  413: InvalidRequestError,
  422: InvalidRequestError,
  429: TooManyRequestsError,
};

/** Return the error in an answer that is not a success; an answer of a proxy has no problem details. */
export function problemIn(operation: string, answer: Response, body: unknown): ProblemError {
  const found = isObject(body) ? body : {};
  const status = answer.status;
  const problem: Problem = {
    type: text(found["type"]) ?? "about:blank",
    title: text(found["title"]) ?? answer.statusText,
    status,
    detail: text(found["detail"]) ?? "",
    request_id: text(found["request_id"]) ?? answer.headers.get("x-request-id"),
    errors: Array.isArray(found["errors"]) ? (found["errors"] as ProblemMember[]) : [],
  };
  const kind = BY_STATUS[status] ?? (status >= 500 ? UnavailableError : ProblemError);
  return new kind(operation, problem, retryAfterMs(answer.headers.get("retry-after")));
}

/** Return the milliseconds of a `Retry-After` header, which has seconds or a date. */
function retryAfterMs(header: string | null): number | null {
  if (header === null) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

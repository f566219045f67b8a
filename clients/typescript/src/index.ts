export type { CacheOptions } from "./cache.ts";
export type { Change, ChangesOptions } from "./changes.ts";
export { Choice, type ChoiceRequest } from "./choice.ts";
export type { Fetch, KeyProvider } from "./connection.ts";
export {
  ConfigurationError,
  ForbiddenError,
  InvalidRequestError,
  NoAnswerError,
  NotFoundError,
  type Problem,
  ProblemError,
  type ProblemMember,
  TacitError,
  TooManyRequestsError,
  UnauthorizedError,
  UnavailableError,
} from "./errors.ts";
export { type EventToSend, type TacitEvent, Turn, type TurnContext, type TurnData } from "./events.ts";
export type { LostEvent, LostReason, SenderCounts, SenderOptions } from "./sender.ts";
export { Tacit, type TacitOptions } from "./tacit.ts";
export { User, type WaitOptions } from "./user.ts";
export type * from "./wire.ts";

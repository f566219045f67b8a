import { newId, Turn, type TurnContext } from "./events.ts";
import type { Catalogue, ChoiceAnswer, Followed, Policy, Reason, Status, Strength } from "./wire.ts";

/** The user and the conversation that a choice is for. */
export interface ChoiceRequest {
  /** User id, opaque and compared by bytes. */
  readonly user: string;
  /** Id that the choice stays the same for, usually the conversation's. */
  readonly unit: string;
  readonly topic?: string | undefined;
  readonly surface?: string | undefined;
  /** Permission to try other values in this conversation; the user's consent is needed in any case. */
  readonly explore?: boolean | undefined;
  /** Facet → value that the user wants in this conversation only. */
  readonly pinned?: Readonly<Record<string, string>> | undefined;
  /** Whether the prompt has the defaults, too. */
  readonly defaults?: boolean | undefined;
}

/** Return the members of a request; the service refuses others, which an object of the assistant may have. */
export function bodyOf({ user, unit, topic, surface, explore, pinned, defaults }: ChoiceRequest): ChoiceRequest {
  return { user, unit, topic, surface, explore, pinned, defaults };
}

/** Style of one conversation: a value per facet, except facets without a value. */
export class Choice {
  /** Pseudonym of the user, as changes have it; empty if the service did not answer. */
  readonly user: string;
  readonly status: Status;
  readonly policy: Policy;
  /** Facet → value. */
  readonly values: Readonly<Record<string, string>>;
  /** Facet → strength of its value. */
  readonly strengths: Readonly<Record<string, Strength>>;
  /** Instructions for the system prompt. */
  readonly prompt: string;
  /** Entries that go back with the user's feedback; a turn has them. */
  readonly acted_on: readonly Followed[];
  /** In apprentice mode, the entries that `acted_on` would have. */
  readonly proposed: readonly Followed[];
  /** Facet → source, tier, confidence and feedback behind the value. */
  readonly reasons: Readonly<Record<string, Reason>>;
  /** Version of the catalogue; 0 if no catalogue is known. */
  readonly catalogue: number;
  readonly #request: ChoiceRequest;
  readonly #region: string;

  constructor(answer: ChoiceAnswer, request: ChoiceRequest, region: string) {
    this.user = answer.user;
    this.status = answer.status;
    this.policy = answer.policy;
    this.values = answer.values;
    this.strengths = answer.strengths;
    this.prompt = answer.prompt;
    this.acted_on = answer.acted_on;
    this.proposed = answer.proposed ?? [];
    this.reasons = answer.reasons;
    this.catalogue = answer.catalogue;
    this.#request = request;
    this.#region = region;
  }

  /** Return one answer in this style, as the builder of its events. */
  turn(context: TurnContext = {}): Turn {
    return new Turn({
      user_id: this.#request.user,
      region: this.#region,
      turn_id: context.turnId ?? newId(),
      served: this.values,
      acted_on: this.acted_on,
      proposed: this.proposed,
      topic: context.topic ?? this.#request.topic,
      surface: context.surface ?? this.#request.surface,
      item: context.item,
      locale: context.locale,
    });
  }
}

/** Return whether a document is an answer of the service; another server may answer at a wrong address. */
export function isAnswer(document: unknown): document is ChoiceAnswer {
  const { values, acted_on } = (document ?? {}) as Partial<ChoiceAnswer>;
  return typeof values === "object" && values !== null && Array.isArray(acted_on);
}

/** Return the answer of a service that cannot be reached: pins of this conversation, then the catalogue's defaults. */
export function unavailable(request: ChoiceRequest, catalogue: Catalogue | null): ChoiceAnswer {
  const values: Record<string, string> = {};
  const strengths: Record<string, Strength> = {};
  for (const { facet, default: value } of catalogue?.facets ?? []) {
    if (value !== null) [values[facet], strengths[facet]] = [value, "default"];
  }
  for (const [facet, value] of Object.entries(request.pinned ?? {})) [values[facet], strengths[facet]] = [value, "pin"];
  return {
    user: "",
    status: "unavailable",
    policy: "learned",
    values,
    strengths,
    prompt: "",
    acted_on: Object.entries(values).map(([facet, value]) => ({ facet, value, version: null, propensity: 1 })),
    reasons: {},
    catalogue: catalogue?.version ?? 0,
  };
}

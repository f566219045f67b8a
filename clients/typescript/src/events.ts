import type { ConsentEvent, Followed, ForgetEvent, InteractionEvent, PinEvent } from "./wire.ts";

/** An event of the contract. */
export type TacitEvent = InteractionEvent | ConsentEvent | PinEvent | ForgetEvent;

type Stamped = "schema" | "event_id" | "at" | "region";
type WithoutStamp<E> = E extends TacitEvent ? Omit<E, Stamped> & Partial<Pick<E, Stamped>> : never;

/** An event to send; `send` adds the version of the contract, an id, the time and the region where they are missing. */
export type EventToSend = WithoutStamp<TacitEvent>;

/** The answer that a turn is about. */
export interface TurnContext {
  /** Id of the turn; without one, a new id. */
  readonly turnId?: string | undefined;
  /** Topic of the answer; without one, that of the choice. */
  readonly topic?: string | undefined;
  /** Surface of the answer; without one, that of the choice. */
  readonly surface?: string | undefined;
  /** Id of the variant, card or template that was shown. */
  readonly item?: string | undefined;
  /** BCP 47 tag. */
  readonly locale?: string | undefined;
}

/** Members of a turn, under the names of the contract. */
export interface TurnData {
  readonly user_id: string;
  readonly region: string;
  readonly turn_id: string;
  readonly served: Readonly<Record<string, string | readonly string[]>>;
  readonly acted_on: readonly Followed[];
  /** Signals that the answer would have followed, of a deployment in apprentice mode. */
  readonly proposed: readonly Followed[];
  readonly topic?: string | undefined;
  readonly surface?: string | undefined;
  readonly item?: string | undefined;
  readonly locale?: string | undefined;
}

/**
 * One answer with the style that was served; `choice.turn` makes it.
 *
 * Events of one turn share its `turn_id`, so the turn counts once. Feedback may come later, and from another process:
 * `new Turn(JSON.parse(JSON.stringify(turn)))` is the same turn.
 */
export class Turn {
  readonly data: TurnData;

  constructor(data: TurnData) {
    this.data = data;
  }

  get id(): string {
    return this.data.turn_id;
  }

  toJSON(): TurnData {
    return this.data;
  }

  /** Return the event of the answer alone, which moves the windows of activity. */
  event(): EventToSend {
    return this.#event();
  }

  /**
   * Return the event of the user's reaction to the answer.
   *
   * @param kind feedback kind of the catalogue, such as `thumbs_up`.
   * @param facets facets that the feedback is about; without them, all.
   */
  feedback(kind: string, facets?: readonly string[]): EventToSend {
    return { ...this.#event(), feedback: facets === undefined ? { kind } : { kind, facets: [...facets] } };
  }

  #event(): InteractionEvent {
    const members = Object.entries(this.data).filter(([, value]) => !isEmpty(value));
    const event = { schema: 1, event_id: newId(), type: "interaction", at: Date.now(), ...Object.fromEntries(members) };
    return event as InteractionEvent;
  }
}

function isEmpty(value: unknown): boolean {
  return value === undefined || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
}

/** Return whether an event is a decision of the user, which no interaction may displace. */
export function isControl(event: { readonly type: string }): boolean {
  return event.type !== "interaction";
}

/** Return a new id of 104 random bits; Node 18, and pages without TLS, have no `crypto.randomUUID`. */
export function newId(): string {
  return digits() + digits();
}

function digits(): string {
  return Math.floor(Math.random() * 2 ** 52)
    .toString(36)
    .padStart(11, "0");
}

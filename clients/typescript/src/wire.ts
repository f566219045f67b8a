/** Types of the API under the names of this package; `generated.ts` has them from the OpenAPI document. */
import type { components } from "./generated.ts";

type Schemas = components["schemas"];

export type ChoiceAnswer = Schemas["ChoiceAnswer"];
export type Followed = Schemas["Followed"];
export type Policy = ChoiceAnswer["policy"];
export type Reason = Schemas["Reason"];
export type Status = ChoiceAnswer["status"];
export type Strength = ChoiceAnswer["strengths"][string];

type Event = Schemas["Event"];
export type InteractionEvent = Extract<Event, { type: "interaction" }>;
export type ConsentEvent = Extract<Event, { type: "consent" }>;
export type PinEvent = Extract<Event, { type: "pin" }>;
export type ForgetEvent = Extract<Event, { type: "forget" }>;
export type Scope = NonNullable<ConsentEvent["scope"]>[number];
export type Outcome = Schemas["Outcome"];

export type Catalogue = Schemas["CatalogueAnswer"];
export type Context = Schemas["Context"];
export type PageLink = Schemas["LinkAnswer"];

export type Done = Schemas["DoneAnswer"];
export type Export = Schemas["Export"];
export type Forgotten = Schemas["ForgetAnswer"];
export type History = Schemas["HistoryAnswer"];
export type Known = Schemas["Known"];
export type PendingReceipt = Schemas["PendingReceipt"];
export type Receipt = Schemas["Receipt"];
export type Why = Schemas["Why"];

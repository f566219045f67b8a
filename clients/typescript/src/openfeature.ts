import {
  type EvaluationContext,
  FlagNotFoundError,
  type FlagMetadata,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  type ResolutionDetails,
  StandardResolutionReasons,
  TargetingKeyMissingError,
  TypeMismatchError,
} from "@openfeature/server-sdk";
import {
  type Choice,
  type ChoiceRequest,
  NoAnswerError,
  type Tacit,
  TooManyRequestsError,
  UnavailableError,
} from "./index.ts";

/** Key of the object flag with the whole choice: values, prompt, policy and the entries for the feedback. */
export const PROMPT_FLAG = "tacit.prompt";

/**
 * OpenFeature provider of facets as string flags, and of the object flag `tacit.prompt`.
 *
 * The targeting key is the user id. Members of the context: `unit` (usually the conversation's id; without it, the user
 * id), `topic` and `surface`. A service that does not answer gives defaults, and the provider status STALE.
 *
 * A client with a cache answers all flags of an answer with one request. The application closes the client.
 */
export class TacitProvider implements Provider {
  readonly metadata = { name: "tacit" } as const;
  readonly runsOn = "server" as const;
  readonly events = new OpenFeatureEventEmitter();
  readonly #tacit: Tacit;
  /** Request → its open answer, which evaluations side by side share. */
  readonly #open = new Map<string, Promise<Choice>>();
  #closing = new AbortController();
  #isStale = false;

  constructor(tacit: Tacit) {
    this.#tacit = tacit;
  }

  /** Fetch the catalogue, which has the names of the flags, and follow changes. The service need not answer. */
  async initialize(): Promise<void> {
    try {
      await this.#tacit.catalogue();
    } catch (error) {
      const isAway = [NoAnswerError, TooManyRequestsError, UnavailableError].some((kind) => error instanceof kind);
      if (!isAway) throw error;
    }
    this.#closing = new AbortController();
    void this.#follow(this.#closing.signal);
  }

  async onClose(): Promise<void> {
    this.#closing.abort();
  }

  /** Resolve a facet; FlagNotFoundError, TypeMismatchError and TargetingKeyMissingError become error codes. */
  async resolveStringEvaluation(
    flag: string,
    defaultValue: string,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<string>> {
    this.#checkFacet(flag);
    const choice = await this.#choose(context);
    const value = choice.values[flag];
    if (value === undefined) {
      return { value: defaultValue, reason: StandardResolutionReasons.DEFAULT, flagMetadata: common(choice) };
    }
    return { value, variant: value, reason: reasonOf(choice, flag), flagMetadata: metadataOf(choice, flag) };
  }

  /** Resolve `tacit.prompt`. */
  async resolveObjectEvaluation<T extends JsonValue>(
    flag: string,
    defaultValue: T,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<T>> {
    if (flag !== PROMPT_FLAG) this.#refuse(flag);
    if (typeof defaultValue !== "object" || defaultValue === null || Array.isArray(defaultValue)) {
      throw new TypeMismatchError(`${PROMPT_FLAG} is an object; the default must be one, too`);
    }
    const choice = await this.#choose(context);
    const { prompt, values, strengths, policy, status, acted_on, proposed } = choice;
    const value = { prompt, values, strengths, policy, status, acted_on, proposed } as unknown as T;
    const reason = prompt === "" ? StandardResolutionReasons.DEFAULT : StandardResolutionReasons.TARGETING_MATCH;
    return { value, variant: policy, reason, flagMetadata: common(choice) };
  }

  async resolveBooleanEvaluation(flag: string): Promise<ResolutionDetails<boolean>> {
    return this.#refuse(flag);
  }

  async resolveNumberEvaluation(flag: string): Promise<ResolutionDetails<number>> {
    return this.#refuse(flag);
  }

  #checkFacet(flag: string): void {
    if (flag === PROMPT_FLAG) throw new TypeMismatchError(`${PROMPT_FLAG} is an object`);
    const facets = this.#facets();
    if (facets.length > 0 && !facets.includes(flag)) {
      throw new FlagNotFoundError(`allowed are ${facets.join(", ")}, ${PROMPT_FLAG}`);
    }
  }

  #refuse(flag: string): never {
    this.#checkFacet(flag);
    throw new TypeMismatchError("a facet is a string");
  }

  #facets(): string[] {
    return (this.#tacit.knownCatalogue?.facets ?? []).map(({ facet }) => facet);
  }

  async #choose(context: EvaluationContext): Promise<Choice> {
    const request = requestOf(context);
    const key = JSON.stringify(request);
    let open = this.#open.get(key);
    if (open === undefined) {
      open = this.#tacit.choose(request).finally(() => this.#open.delete(key));
      this.#open.set(key, open);
    }
    const choice = await open;
    this.#watch(choice.status === "unavailable");
    return choice;
  }

  /** Emit a change of the provider status. */
  #watch(isStale: boolean): void {
    if (isStale === this.#isStale) return;
    this.#isStale = isStale;
    if (isStale)
      this.events.emit(ProviderEvents.Stale, { message: "the service does not answer; values are defaults" });
    else this.events.emit(ProviderEvents.Ready, { message: "the service answers again" });
  }

  async #follow(signal: AbortSignal): Promise<void> {
    let isFirst = true;
    try {
      for await (const change of this.#tacit.changes({ signal })) {
        const mayMiss = change.kind === "reset" || (change.kind === "connected" && !change.isResumed && !isFirst);
        if (change.kind === "changed") this.#changed({ metadata: { users: change.users.join(",") } });
        else if (mayMiss) this.#changed({ message: "the values of any user may have changed" });
        isFirst = false;
      }
    } catch (error) {
      this.events.emit(ProviderEvents.Error, { message: `changes cannot be followed: ${String(error)}` });
    }
  }

  #changed(details: { readonly message?: string; readonly metadata?: FlagMetadata }): void {
    this.events.emit(ProviderEvents.ConfigurationChanged, {
      flagsChanged: [...this.#facets(), PROMPT_FLAG],
      ...details,
    });
  }
}

function requestOf(context: EvaluationContext): ChoiceRequest {
  const { targetingKey: user, unit, topic, surface } = context;
  if (!user) throw new TargetingKeyMissingError("the targeting key is the user id");
  return { user, unit: text(unit) || user, topic: text(topic), surface: text(surface) };
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/**
 * Return the reason of a value.
 *
 * SPLIT: drawn by the unit. TARGETING_MATCH: from the user's own signal or pin. STATIC: the catalogue's default, as the
 * policy uses no signal. DEFAULT: nothing is known of the user.
 */
function reasonOf(choice: Choice, facet: string): string {
  const strength = choice.strengths[facet] ?? "default";
  const followed = choice.acted_on.find((entry) => entry.facet === facet);
  if (strength === "try" || (followed !== undefined && followed.propensity < 1)) return StandardResolutionReasons.SPLIT;
  if (strength !== "default") return StandardResolutionReasons.TARGETING_MATCH;
  return choice.policy === "learned" ? StandardResolutionReasons.DEFAULT : StandardResolutionReasons.STATIC;
}

function common(choice: Choice): FlagMetadata {
  return { policy: choice.policy, status: choice.status };
}

function metadataOf(choice: Choice, facet: string): FlagMetadata {
  const followed = choice.acted_on.find((entry) => entry.facet === facet);
  return {
    ...common(choice),
    strength: choice.strengths[facet] ?? "default",
    ...(followed === undefined ? {} : { propensity: followed.propensity }),
    ...(followed?.version ? { version: followed.version } : {}),
    ...(followed?.runner_up ? { runner_up: followed.runner_up } : {}),
  };
}

"""Provider for OpenFeature: each facet is a flag. Needs the extra `tacit-signals[openfeature]`.

```
api.set_provider_and_wait(TacitProvider(reader))
context = EvaluationContext(user_id, {"unit": conversation_id, "topic": "code", "surface": "chat"})
details = api.get_client().get_string_details("length", "balanced", context)
```

https://openfeature.dev/specification/sections/providers
"""

import asyncio
from collections.abc import Mapping, Sequence
from threading import Event, Thread
from typing import NoReturn, cast

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import FlagNotFoundError, TargetingKeyMissingError, TypeMismatchError
from openfeature.flag_evaluation import FlagMetadata, FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from tacit.contract.catalogue import Catalogue
from tacit.reader.adaptation import Adaptation
from tacit.reader.changes import Changed, ChangeReader
from tacit.reader.choice import Choice, Followed
from tacit.reader.reader import AsyncSignalReader, SignalReader

PROMPT_FLAG = "tacit.prompt"
"""Object flag with the whole choice: values, prompt text, policy and the entries for the feedback."""

POLL_S = 0.1
"""Time between two looks at the feed of changes."""

_Object = Sequence[FlagValueType] | Mapping[str, FlagValueType]


class TacitProvider(AbstractProvider):
    """Provider of facets as string flags, and of the object flag `tacit.prompt`.

    The targeting key is the user id. Attributes of the context: `unit` (usually the conversation's id; without it, the
    user id), `topic` and `surface`. A failing Redis gives the values of defaults, and the provider status STALE.

    Args:
        reader: reader of signals; the application closes it.
        catalogue: the deployment's catalogue; None: the catalogue in this package.
        async_reader: reader for the async methods; None: they call `reader` in a thread.
        changes: feed of changes, for the event PROVIDER_CONFIGURATION_CHANGED with the pseudonyms of the users in the
            metadata `users`; the provider closes it. None: no such events.
    """

    def __init__(
        self,
        reader: SignalReader,
        *,
        catalogue: Catalogue | None = None,
        async_reader: AsyncSignalReader | None = None,
        changes: ChangeReader | None = None,
    ) -> None:
        super().__init__()
        self._reader = reader
        self._async_reader = async_reader
        self._catalogue = catalogue or Catalogue.load()
        self._changes = changes
        self._is_stale = False
        self._ends = Event()
        self._thread: Thread | None = None

    def get_metadata(self) -> Metadata:
        """Return the name of the provider."""
        return Metadata("tacit")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Start to follow the feed of changes. Redis need not answer."""
        if self._changes is not None and self._thread is None:
            self._changes.poll()
            self._thread = Thread(target=self._follow, args=(self._changes,), name="tacit-changes", daemon=True)
            self._thread.start()

    def shutdown(self) -> None:
        """End the thread of the feed."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join()

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Resolve a facet.

        Raises:
            FlagNotFoundError: no facet of the catalogue has this name.
            TargetingKeyMissingError: the context has no user id.
        """
        self._check_facet(flag_key)
        return self._facet(flag_key, default_value, self._read(evaluation_context), evaluation_context)

    async def resolve_string_details_async(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Resolve a facet, as `resolve_string_details` does."""
        self._check_facet(flag_key)
        return self._facet(flag_key, default_value, await self._read_async(evaluation_context), evaluation_context)

    def resolve_object_details(
        self, flag_key: str, default_value: _Object, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[_Object]:
        """Resolve `tacit.prompt`; errors as `resolve_string_details`, and TypeMismatchError for a facet."""
        self._check_object(flag_key)
        return self._whole(default_value, self._read(evaluation_context), evaluation_context)

    async def resolve_object_details_async(
        self, flag_key: str, default_value: _Object, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[_Object]:
        """Resolve `tacit.prompt`, as `resolve_object_details` does."""
        self._check_object(flag_key)
        return self._whole(default_value, await self._read_async(evaluation_context), evaluation_context)

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Raise TypeMismatchError for a facet, FlagNotFoundError for another name."""
        self._refuse(flag_key)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Raise an error, as `resolve_boolean_details` does."""
        self._refuse(flag_key)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Raise an error, as `resolve_boolean_details` does."""
        self._refuse(flag_key)

    # Values

    def _facet(
        self, facet: str, default: str, adaptation: Adaptation, context: EvaluationContext | None
    ) -> FlagResolutionDetails[str]:
        choice = _choice(adaptation, context)
        value = choice.values.get(facet)
        if value is None:
            return FlagResolutionDetails(default, reason=Reason.DEFAULT, flag_metadata=_common(adaptation, choice))
        [followed] = [entry for entry in choice.acted_on if entry["facet"] == facet]
        return FlagResolutionDetails(
            value,
            reason=_reason(choice, followed),
            variant=value,
            flag_metadata={
                **_common(adaptation, choice),
                "strength": choice.strengths.get(facet, "default"),
                "propensity": followed["propensity"],
                **_present(followed, "version"),
                **_present(followed, "runner_up"),
            },
        )

    def _whole(
        self, default: _Object, adaptation: Adaptation, context: EvaluationContext | None
    ) -> FlagResolutionDetails[_Object]:
        choice = _choice(adaptation, context)
        if not isinstance(default, Mapping):
            raise TypeMismatchError(f"{PROMPT_FLAG} is an object; the default must be a mapping")
        value: dict[str, FlagValueType] = {
            "prompt": choice.prompt(),
            "values": dict(choice.values),
            "strengths": dict(choice.strengths),
            "policy": choice.policy,
            "status": adaptation.status,
            "acted_on": [_entry(followed) for followed in choice.acted_on],
            "proposed": [_entry(followed) for followed in choice.proposed],
        }
        reason = Reason.TARGETING_MATCH if choice.prompt() else Reason.DEFAULT
        return FlagResolutionDetails(
            value, reason=reason, variant=choice.policy, flag_metadata=_common(adaptation, choice)
        )

    def _check_facet(self, flag_key: str) -> None:
        if flag_key == PROMPT_FLAG:
            raise TypeMismatchError(f"{PROMPT_FLAG} is an object")
        if flag_key not in self._catalogue.facets:
            raise FlagNotFoundError(f"allowed are {', '.join(self._catalogue.facets)}, {PROMPT_FLAG}")

    def _check_object(self, flag_key: str) -> None:
        if flag_key != PROMPT_FLAG:
            self._refuse(flag_key)

    def _refuse(self, flag_key: str) -> NoReturn:
        self._check_facet(flag_key)
        raise TypeMismatchError("a facet is a string")

    # Reads

    def _read(self, context: EvaluationContext | None) -> Adaptation:
        return self._watched(self._reader.get(_user(context)))

    async def _read_async(self, context: EvaluationContext | None) -> Adaptation:
        user_id = _user(context)
        if self._async_reader is not None:
            return self._watched(await self._async_reader.get(user_id))
        return self._watched(await asyncio.to_thread(self._reader.get, user_id))

    def _watched(self, adaptation: Adaptation) -> Adaptation:
        """Emit a change of the provider status."""
        is_stale = adaptation.status == "unavailable"
        if is_stale != self._is_stale:
            self._is_stale = is_stale
            if is_stale:
                self.emit_provider_stale(ProviderEventDetails(message="Redis does not answer; values are defaults"))
            else:
                self.emit_provider_ready(ProviderEventDetails(message="Redis answers again"))
        return adaptation

    def _follow(self, changes: ChangeReader) -> None:
        while not self._ends.wait(POLL_S):
            if changed := changes.poll():
                self.emit_provider_configuration_changed(self._details(changed))
        changes.close()

    def _details(self, changed: Changed) -> ProviderEventDetails:
        flags = [*self._catalogue.facets, PROMPT_FLAG]
        if changed.missed:
            return ProviderEventDetails(flags, message="the values of any user may have changed")
        return ProviderEventDetails(flags, metadata={"users": ",".join(sorted(changed.users))})


def _user(context: EvaluationContext | None) -> str:
    if context is None or not context.targeting_key:
        raise TargetingKeyMissingError("the targeting key is the user id")
    return context.targeting_key


def _choice(adaptation: Adaptation, context: EvaluationContext | None) -> Choice:
    unit = _attribute(context, "unit") or _user(context)
    return adaptation.choose(unit, topic=_attribute(context, "topic"), surface=_attribute(context, "surface"))


def _attribute(context: EvaluationContext | None, name: str) -> str | None:
    value = None if context is None else context.attributes.get(name)
    return value if isinstance(value, str) else None


def _reason(choice: Choice, followed: Followed) -> Reason:
    """Return the reason of a value.

    SPLIT: drawn by the unit. TARGETING_MATCH: from the user's own signal or pin. STATIC: the catalogue's default, as
    the policy uses no signal. DEFAULT: nothing is known of the user.
    """
    strength = choice.strengths.get(followed["facet"], "default")
    if followed["propensity"] < 1.0 or strength == "try":
        return Reason.SPLIT
    if strength in {"pin", "apply", "hint"}:
        return Reason.TARGETING_MATCH
    return Reason.DEFAULT if choice.policy == "learned" else Reason.STATIC


def _common(adaptation: Adaptation, choice: Choice) -> dict[str, bool | int | float | str]:
    return {"policy": choice.policy, "status": adaptation.status}


def _present(followed: Followed, member: str) -> FlagMetadata:
    value = followed.get(member)
    return {member: value} if isinstance(value, str) else {}


def _entry(followed: Followed) -> dict[str, FlagValueType]:
    """Return an entry of `acted_on` in the form of the contract: the version of a default is null."""
    return cast("dict[str, FlagValueType]", dict(followed))

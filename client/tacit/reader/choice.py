"""Choice of a style for one conversation, with its instructions for the assistant."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, NotRequired, TypedDict

from tacit.contract.catalogue import Catalogue, Facet
from tacit.contract.events import ActedOn
from tacit.errors import ConfigurationError
from tacit.sender.identity import new_id
from tacit.sender.turn import Turn

MAX_PROMPT = 600
"""Limit of `Choice.prompt`, in characters."""
HINT_PREFIX = "Where it fits: "
"""Start of the wording of a hint, where the catalogue has an instruction and no hint for a value."""

Policy = Literal["learned", "holdout", "apprentice", "opted_out"]
"""Policy behind the values of a choice. Each policy but `learned` serves the catalogue's defaults.

- `learned`: values from the signals.
- `holdout`: defaults, so that the gain of all other users can be measured; pins hold.
- `apprentice`: defaults in the whole deployment, with the learned values in `Choice.proposed`; pins hold.
- `opted_out`: defaults, as the user denies the use of signals and pins.
"""

Strength = Literal["pin", "apply", "hint", "try", "default"]
"""Strength of a value: the user's own setting, the tier of the user's own signal, a value that is not known of the user
but differs from the default (`try`), or the default."""

_RANKS: dict[Strength, int] = {"pin": 0, "apply": 1, "hint": 2, "try": 3, "default": 4}


class Followed(TypedDict):
    """Entry of an event's `acted_on`, in the form of the contract."""

    facet: str
    value: str
    version: str | None
    """Version of the user's signal; None for a default."""
    propensity: float
    """Probability of this value in this choice."""
    runner_up: NotRequired[str]
    """Second best value, where other values could have been served; estimates need their propensities, too."""


class Instruction(NamedTuple):
    """Instruction of one facet."""

    facet: str
    value: str
    strength: Strength
    text: str
    """The catalogue's wording; empty without one."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Style of one conversation: a value per facet, except facets without a value.

    >>> choice = Choice({"length": "concise"}, (), Catalogue.load(), strengths={"length": "hint"})
    >>> choice.prompt()
    'Lean towards short answers.'
    """

    values: Mapping[str, str]
    acted_on: tuple[Followed, ...]
    """Entries to send back with the user's feedback; off-policy estimates need the propensities."""
    _catalogue: Catalogue = field(repr=False)
    policy: Policy = "learned"
    proposed: tuple[Followed, ...] = ()
    """In apprentice mode, the entries that `acted_on` would have; to send back with the feedback."""
    strengths: Mapping[str, Strength] = field(default_factory=dict)
    """Facet → strength of its value; a facet that is missing has a default."""
    topic: str | None = field(default=None, compare=False)
    """Topic of the answer, as in `Adaptation.choose`."""
    surface: str | None = field(default=None, compare=False)
    """Surface of the answer, likewise."""
    region: str | None = field(default=None, compare=False)
    """Region of the user; None for a choice that comes from no reader."""

    def turn(
        self,
        user_id: str,
        *,
        topic: str | None = None,
        surface: str | None = None,
        turn_id: str | None = None,
        served: Mapping[str, str | list[str]] | None = None,
        item: str | None = None,
        locale: str | None = None,
        region: str | None = None,
    ) -> Turn:
        """Return an answer in this style; its events go back to the workers.

        Args:
            user_id: the user.
            topic: topic of the answer; None: that of the choice, if it is in the catalogue.
            surface: surface of the answer, likewise.
            turn_id: id of the answer; None: a new one.
            served: values of the answer, if it could not follow the choice; None: the values of the choice.
            item: id of the variant, card or template that was shown.
            locale: BCP 47 tag.
            region: region of the user; None: that of the reader.

        Raises:
            ConfigurationError: no region, as the choice comes from no reader.
        """
        region = region or self.region
        if region is None:
            raise ConfigurationError(["region: this choice comes from no reader; pass region="])
        return Turn(
            user_id=user_id,
            region=region,
            turn_id=turn_id or new_id(),
            served=dict(self.values if served is None else served),
            acted_on=tuple([ActedOn(**followed) for followed in self.acted_on]),
            proposed=tuple([ActedOn(**followed) for followed in self.proposed]),
            topic=topic or _known(self.topic, self._catalogue.topics.values),
            surface=surface or _known(self.surface, self._catalogue.surfaces.values),
            item=item,
            locale=locale,
            catalogue=self._catalogue,
        )

    def instructions(self, *, defaults: bool = False) -> tuple[Instruction, ...]:
        """Return an instruction per facet in the catalogue's order.

        A pin and the tier `apply` have the catalogue's instruction, and `hint` and `try` have its softer wording.

        Args:
            defaults: include defaults, of which nothing is known about the user.
        """
        return tuple(self._instructions(defaults))

    def _instructions(self, defaults: bool) -> Iterator[Instruction]:
        for name, facet in self._catalogue.facets.items():
            value = self.values.get(name)
            strength = self.strengths.get(name, "default")
            if value is not None and (defaults or strength != "default"):
                is_soft = strength in {"hint", "try"}
                text = _hint(facet, value) if is_soft else facet.prompt.get(value, "")
                yield Instruction(name, value, strength, text)

    def prompt(self, *, defaults: bool = False) -> str:
        """Return the texts of `instructions` in one line of at most `MAX_PROMPT` characters.

        Where the limit is exceeded, the weakest instructions are left out first.
        """
        instructions = self.instructions(defaults=defaults)
        if sum([len(instruction.text) + 1 for instruction in instructions]) > MAX_PROMPT:
            instructions = _strongest(instructions)
        return " ".join([instruction.text for instruction in instructions if instruction.text])


def _known(name: str | None, names: tuple[str, ...]) -> str | None:
    return name if name in names else None


def _hint(facet: Facet, value: str) -> str:
    instruction = facet.prompt.get(value, "")
    return facet.hint.get(value) or (f"{HINT_PREFIX}{instruction}" if instruction else "")


def _strongest(instructions: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
    """Return the strongest instructions that fit into `MAX_PROMPT` characters, in the given order."""
    kept: set[str] = set()
    length = -1
    for instruction in sorted(instructions, key=lambda instruction: _RANKS[instruction.strength]):
        longer = length + 1 + len(instruction.text)
        if longer <= MAX_PROMPT:
            length = longer
            kept.add(instruction.facet)
    return tuple([instruction for instruction in instructions if instruction.facet in kept])

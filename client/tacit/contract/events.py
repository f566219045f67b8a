"""What comes in: the four kinds of event, as the contract has them. Their JSON Schema is generated from here."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

MAX_AT_MS = 9_999_999_999_999
"""Times have 13 digits at most, so that versions sort as text (the year 2286)."""

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
UserId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
EpochMs = Annotated[int, Field(ge=0, le=MAX_AT_MS)]
Region = Annotated[str, Field(pattern=r"^[a-z0-9-]{2,16}$")]
Locale = Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")]
Name = Annotated[str, Field(min_length=1, max_length=40)]
Names = Annotated[list[Name], Field(min_length=1, max_length=64)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Feedback(_Model):
    """What the person did with the answer; `facets` narrows it to some facets."""

    kind: Name
    facets: Names | None = None


class ActedOn(_Model):
    """A signal that the answer followed, and how likely that choice was."""

    facet: Name
    value: Name
    version: Annotated[str, Field(pattern=r"^\d{13}-\d{10}$")] | None
    propensity: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Event(_Model):
    schema_: Annotated[Literal[1], Field(alias="schema")]
    event_id: Id
    user_id: UserId
    at: EpochMs
    region: Region


class Interaction(_Event):
    """One answer and what the person did with it."""

    type: Literal["interaction"]
    turn_id: Id | None = None
    surface: Name | None = None
    topic: Name | None = None
    locale: Locale | None = None
    served: Annotated[dict[Name, Name | Names], Field(max_length=64)] | None = None
    item: Id | None = None
    feedback: Feedback | None = None
    acted_on: Annotated[list[ActedOn], Field(max_length=64)] | None = None


class Consent(_Event):
    """Whether we may learn from and adapt to this person."""

    type: Literal["consent"]
    granted: bool


class Pin(_Event):
    """The person's own setting of a facet; None takes it back."""

    type: Literal["pin"]
    facet: Name
    value: Name | None


class Forget(_Event):
    """Drop everything known of this person."""

    type: Literal["forget"]


Event = Interaction | Consent | Pin | Forget
EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])

"""Catalogue: the closed vocabulary of the deployment."""

from msgspec import Struct

from tacit.contract.catalogue import Direction
from tacit.contract.names import Names
from tacit_service.api.users import LANGUAGE, language_of
from tacit_service.http.answers import Answer, json_answer
from tacit_service.http.operations import Call, Operation


class CatalogueValue(Struct, frozen=True):
    """Value of a facet."""

    value: str
    label: str


class CatalogueFacet(Struct, frozen=True):
    """Facet."""

    facet: str
    title: str
    values: tuple[CatalogueValue, ...]
    default: str | None
    ordered: bool
    multiple: bool


class CatalogueTopic(Struct, frozen=True):
    """Topic."""

    topic: str
    label: str
    sensitive: bool


class CatalogueSurface(Struct, frozen=True):
    """Surface."""

    surface: str
    label: str


class CatalogueDirection(Struct, frozen=True):
    """Directed feedback: the served value of the facet is a dislike, and the next value that way a like."""

    feedback: str
    facet: str
    direction: Direction


class CatalogueAnswer(Struct, frozen=True):
    """Names of the deployment."""

    version: int
    facets: tuple[CatalogueFacet, ...]
    topics: tuple[CatalogueTopic, ...]
    surfaces: tuple[CatalogueSurface, ...]
    feedback: tuple[str, ...]
    """Feedback kinds."""
    languages: tuple[str, ...]
    """Languages with labels."""
    directed: tuple[CatalogueDirection, ...]


async def read_catalogue(call: Call) -> Answer:
    """Return facets, values, topics, surfaces and feedback kinds, with labels in a language."""
    catalogue = call.service.catalogue
    names = Names.of(catalogue, language_of(call))
    facets = tuple(
        CatalogueFacet(
            name,
            names.facet(name),
            tuple(CatalogueValue(value, names.value(name, value)) for value in facet.values),
            facet.default,
            facet.ordered,
            facet.multiple,
        )
        for name, facet in catalogue.facets.items()
    )
    sensitive = set(catalogue.topics.sensitive)
    topics = tuple(CatalogueTopic(each, names.topic(each), each in sensitive) for each in catalogue.topics.values)
    surfaces = tuple(CatalogueSurface(each, names.context(f"surface:{each}")) for each in catalogue.surfaces.values)
    directed = tuple(
        CatalogueDirection(name, facet, direction)
        for name, kind in catalogue.feedback.items()
        for facet, direction in kind.moves.items()
    )
    return json_answer(
        CatalogueAnswer(
            catalogue.version,
            facets,
            topics,
            surfaces,
            tuple(catalogue.feedback),
            tuple(catalogue.labels),
            directed,
        )
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/catalogue",
        handle=read_catalogue,
        summary="Read the catalogue",
        scope="any",
        answers={200: ("The names of the deployment.", CatalogueAnswer)},
        parameters=(LANGUAGE,),
    ),
)

"""The pages say what the code does: every name of the contract is on its page, and every link leads somewhere."""

import re
from pathlib import Path
from typing import get_args

import pytest

from dataflows.observability.metrics import CountersCollector
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters, Outcome
from state.events.records import Reason
from tacit.contract.activity import Activity
from tacit.contract.events import Consent, Feedback, Forget, Interaction, Pin
from tacit.contract.signals import Profile, Session, Signal, Status
from tacit.reader import adaptation

ROOT = Path(__file__).parents[2]
CONTRACT = (ROOT / "docs/contract.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def _named(names: set[str], text: str) -> set[str]:
    """Return those of `names` that stand in the text in quotes or as code."""
    return {name for name in names if re.search(rf'[`"]{re.escape(name)}[`"]', text)}


@pytest.mark.parametrize("model", [Interaction, Consent, Pin, Forget, Feedback])
def test_every_field_of_an_event_is_on_the_contract_page(model: type[Interaction]) -> None:
    """A field that the code takes is documented."""
    names = {"type", *model.__struct_encode_fields__}
    assert _named(names, CONTRACT) == names


@pytest.mark.parametrize("struct", [Signal, Profile, Session, Activity, Status])
def test_every_member_of_a_signal_is_on_the_contract_page(struct: type[Signal]) -> None:
    """A member that the code writes is documented, under the name it has in Redis."""
    names = set(struct.__struct_encode_fields__)
    assert _named(names, CONTRACT) == names


def test_every_count_and_status_is_on_the_contract_page() -> None:
    """Outcomes, reject reasons and reader statuses are all documented."""
    names = {*map(str, Outcome), *map(str, Reason), *get_args(adaptation.Status)}
    assert _named(names, CONTRACT) == names


def test_catalogue_of_the_contract_page_can_be_loaded() -> None:
    """The example is a catalogue."""
    example = re.search(r"```toml\n(.*?)```", CONTRACT, re.DOTALL)
    assert example is not None
    assert list(NumberedCatalogue.parse(example[1]).facets) == ["length"]


def test_every_metric_is_on_the_architecture_page() -> None:
    """A metric that is served is documented."""
    page = (ROOT / "docs/architecture.md").read_text()
    counted = {"counter": "_total"}
    names = {metric.name + counted.get(metric.type, "") for metric in CountersCollector(Counters()).collect()}
    assert {name for name in names if name not in page} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    """Relative links point at what is there."""
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []

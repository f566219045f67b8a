"""dataflows/report/page: a page that needs nothing but itself, and shows text as text."""

import re

from msgspec.structs import replace

from dataflows.report.document import Changes, Counts, FacetChange, Input, Machine, Model, Part, Rejected, Report
from dataflows.report.page import page
from tests.dataflows.control.test_export_page import Elements

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
MACHINE = Machine(HOSTILE, 2, 2**33, "3.11", "1", compiled=True)
REPORT = Report(
    schema=1,
    made_ms=1_795_297_433_438,
    result="complete",
    is_dry=False,
    region="eu",
    namespace=HOSTILE,
    inputs=[Input(HOSTILE, 1, 20_000, 20_000, 5_000_000, HOSTILE), Input("events/0", None, None, 0)],
    counts=Counts(20_000, {"accepted": 19_990}, 9, 1, 0),
    rejects=[Rejected("late", 10, [f"{HOSTILE}:7"])],
    oldest_event_ms=1_795_297_000_000,
    newest_event_ms=1_795_297_433_438,
    users=7,
    model=Model(HOSTILE, "ab", "learn", 12, None, (HOSTILE,), 24, 16),
    parts=[Part(1, 2, "killed", 1, MACHINE), Part(3, 4, "complete", 2, MACHINE, error=HOSTILE)],
    wall_s=75.2,
    cpu_s=3.5,
    cpu_us_per_record=17.5,
    changes=Changes(
        {"tone": {"hint": 1}}, {"tone": {"hint": 3}, "length": {"apply": 2}}, "live", {"tone": FacetChange(4, 3, 2, 1)}
    ),
)


def test_text_of_the_report_is_text() -> None:
    """Each element is closed, and none comes from a name, a place or an error."""
    elements = Elements(page(REPORT))
    assert not elements.open
    assert not {"script", "img", "link", "a", "iframe"} & {tag for tag, _ in elements.found}
    assert "".join(elements.text).count(HOSTILE) >= 8


def test_page_loads_nothing() -> None:
    """It has no address, and a policy that forbids all but its style."""
    found = page(REPORT)
    assert not re.search(r"url\(|@import|https?:|src=[^x]", found)
    assert "default-src 'none'" in found


def test_page_shows_the_figures() -> None:
    """Sums, places, changes and runs are there; what is not known has a reason."""
    text = " ".join(Elements(page(replace(REPORT, namespace="shadow"))).text)
    for part in ("20,000", "19,990", "0:01:15", "18 µs", "1 → 3", "0 → 2", "killed", "2 cores, 8 GiB", "version 12"):
        assert part in text, part
    unknown = page(replace(REPORT, changes=Changes(unknown="no right to SCAN")))
    assert "no right to SCAN" in unknown

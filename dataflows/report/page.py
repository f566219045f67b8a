"""Page of a replay's report: one HTML file, without scripts and without anything to load."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from html import escape

from dataflows.report.document import Changes, Model, Part, Report

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #8882; --good: #1a7f37; --bad: #b35900; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0.25rem; } h2 { font-size: 1.2rem; margin-top: 2.25rem; }
.result { display: inline-block; padding: 0.1rem 0.6rem; border-radius: 1rem; color: #fff; font-weight: 600; }
.complete { background: var(--good); } .stopped, .failed, .killed, .running { background: var(--bad); }
.figures { display: flex; flex-wrap: wrap; gap: 0.75rem; margin: 1.25rem 0; }
.figures div { background: var(--soft); border-radius: 0.5rem; padding: 0.5rem 1rem; min-width: 6.5rem; }
.figures b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.9rem 0.3rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { font-weight: 600; } .n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.sum td { font-weight: 600; }
code { overflow-wrap: anywhere; font-size: 0.9em; }
.note { font-size: 0.9rem; opacity: 0.8; }
"""

Cell = str | int | None
_TIERS = ("default", "hint", "apply")


def page(report: Report) -> str:
    """Return the page as HTML; all text of the report is escaped."""
    parts = (
        _head(report),
        _inputs(report),
        _counts(report),
        _rejects(report),
        _changes(report.changes, is_dry=report.is_dry),
        _model(report.model),
        _parts(report),
    )
    lines = [line for part in parts for line in part]
    return "\n".join([*_document(report), *lines, "</main>", "</body>", "</html>", ""])


def _document(report: Report) -> Iterator[str]:
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""
    yield f"<title>Replay into {escape(report.namespace)}: {report.result}</title>"
    yield f"<style>{_STYLE}</style>"
    yield "</head>"
    yield "<body>"
    yield "<main>"


def _head(report: Report) -> Iterator[str]:
    kind = "Dry run" if report.is_dry else "Replay"
    yield f"<h1>{kind} into the namespace {escape(report.namespace)}</h1>"
    yield f'<p><span class="result {report.result}">{report.result}</span> '
    closing = " A dry run writes nothing." if report.is_dry else ""
    yield f"Region {escape(report.region)}, {_time(report.made_ms)}.{closing}</p>"
    if error := report.parts[-1].error:
        yield f"<p><strong>{escape(error)}</strong></p>"
    figures = (
        ("records", f"{report.counts.read:,}"),
        ("rejected", f"{report.counts.rejected + report.counts.control_rejected:,}"),
        ("users", f"{report.users:,}"),
        ("duration", str(timedelta(seconds=round(report.wall_s)))),
        ("CPU", f"{report.cpu_s:,.1f} s"),
        ("CPU per record", "–" if report.cpu_us_per_record is None else f"{report.cpu_us_per_record:,.0f} µs"),
    )
    yield '<div class="figures">'
    yield from (f"<div><b>{escape(figure)}</b>{escape(name)}</div>" for name, figure in figures)
    yield "</div>"
    if report.oldest_event_ms is not None and report.newest_event_ms is not None:
        yield f"<p>Event time from {_time(report.oldest_event_ms)} to {_time(report.newest_event_ms)}.</p>"


def _inputs(report: Report) -> Iterator[str]:
    rows: list[Sequence[Cell]] = [
        (each.name, each.first, each.last, each.bytes, each.checksum or "–") for each in report.inputs
    ]
    yield "<h2>Inputs</h2>"
    yield from _table(("file or partition", "first", "last", "bytes", "checksum"), rows, numbers=(1, 2, 3))


def _counts(report: Report) -> Iterator[str]:
    counts = report.counts
    rows: list[Sequence[Cell]] = [(name.replace("_", " "), count) for name, count in counts.outcomes.items()]
    rows += [("rejected", counts.rejected), ("control events rejected", counts.control_rejected)]
    if counts.unexplained:
        rows.append(("on their way at the interruption; read again by the next part", counts.unexplained))
    yield "<h2>Counts</h2>"
    yield from _table(("outcome", "records"), [*rows, ("read", counts.read)], numbers=(1,), has_sum=True)


def _rejects(report: Report) -> Iterator[str]:
    yield "<h2>Rejects</h2>"
    if not report.rejects:
        yield "<p>No record was rejected.</p>"
        return
    rows: list[Sequence[Cell]] = [(each.reason, each.count, ", ".join(each.places)) for each in report.rejects]
    yield from _table(("reason", "records", "the first ones"), rows, numbers=(1,))


def _changes(changes: Changes, *, is_dry: bool) -> Iterator[str]:
    yield "<h2>Signals</h2>"
    if changes.unknown:
        yield f'<p class="note">Without a comparison: {escape(changes.unknown)}.</p>'
    before, after = changes.before or {}, changes.after or {}
    rows: list[Sequence[Cell]] = [
        (
            facet,
            *(
                f"{before.get(facet, {}).get(tier, 0):,} → {after.get(facet, {}).get(tier, 0):,}"
                if changes.before is not None
                else after.get(facet, {}).get(tier, 0)
                for tier in _TIERS
            ),
        )
        for facet in sorted({*before, *after})
    ]
    if rows:
        yield f"<p>By facet and tier, before → {'what the run would write' if is_dry else 'after'}:</p>"
        yield from _table(("facet", *_TIERS), rows, numbers=(1, 2, 3))
    if changes.against is not None:
        against: list[Sequence[Cell]] = [
            (name, each.same, each.changed, each.new, each.gone) for name, each in changes.facets.items()
        ]
        yield f"<p>Users against the namespace {escape(changes.against)}, by facet:</p>"
        yield from _table(("facet", "same", "changed", "new", "gone"), against, numbers=(1, 2, 3, 4))


def _model(model: Model) -> Iterator[str]:
    version = f"version {model.population_version}" if model.population_version else "no version"
    rows: list[Sequence[Cell]] = [
        ("catalogue", model.catalogue),
        ("catalogue, sha256", model.catalogue_sha256),
        ("population", f"{model.population}, {version}"),
        ("population, sha256", model.population_sha256 or "–"),
        ("challengers", ", ".join(model.challengers) or "none"),
        ("lateness", f"{model.lateness_h:g} h"),
        ("shards", model.shards),
    ]
    yield "<h2>Model</h2>"
    yield from _table(("setting", "value"), rows)


def _parts(report: Report) -> Iterator[str]:
    yield "<h2>Runs and machines</h2>"
    rows: list[Sequence[Cell]] = [_part(part) for part in report.parts]
    headings = ("began", "result", "seconds", "CPU s", "records", "signals", "processes", "machine")
    yield from _table(headings, rows, numbers=(2, 3, 4, 5, 6))
    yield '<p class="note">After a kill, the next run repeats the records since the last checkpoint: '
    yield "the records of the runs then add up to more than the records of the replay.</p>"


def _part(part: Part) -> Sequence[Cell]:
    machine = part.machine
    memory = f", {machine.memory_bytes / 2**30:.0f} GiB" if machine.memory_bytes else ""
    core = "compiled" if machine.compiled else "not compiled"
    where = f"{machine.cores} cores{memory}; {machine.system}; Python {machine.python}; Tacit {machine.tacit}, {core}"
    return (
        _time(part.began_ms), part.result, f"{part.wall_s:,.1f}", f"{part.cpu_s:,.1f}", part.records,
        part.signals_applied, part.processes, where,
    )  # fmt: skip


def _table(
    headings: Sequence[str], rows: Iterable[Sequence[Cell]], *, numbers: Sequence[int] = (), has_sum: bool = False
) -> Iterator[str]:
    """Yield a table; the columns `numbers` are aligned to the right, and the last row may be a sum."""
    rows = list(rows)
    sides = ['class="n"' if column in numbers else "" for column in range(len(headings))]
    yield '<div class="wide"><table>'
    cells = "".join(f"<th scope=col {side}>{escape(text)}</th>" for text, side in zip(headings, sides, strict=True))
    yield f"<tr>{cells}</tr>"
    for number, row in enumerate(rows):
        mark = ' class="sum"' if has_sum and number == len(rows) - 1 else ""
        cells = "".join(f"<td {side}>{_cell(cell)}</td>" for cell, side in zip(row, sides, strict=True))
        yield f"<tr{mark}>{cells}</tr>"
    yield "</table></div>"


def _cell(cell: Cell) -> str:
    if cell is None:
        return "–"
    return f"{cell:,}" if isinstance(cell, int) else escape(cell)


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"

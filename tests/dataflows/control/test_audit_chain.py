"""Chain of audit lines: no change stays unseen, apart from what a chain cannot show."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from dataflows.control.audit_chain import START, TORN, Entry, Tip, read_head, read_line, torn_detail, verify, write_line


def chain(count: int) -> list[bytes]:
    """Return the first lines of an audit."""
    lines, after = list[bytes](), Tip()
    for number in range(count):
        lines.append(line(after, action="forget" if number % 2 else "export"))
        after = tip_of(lines[-1])
    return lines


def line(
    after: Tip, *, action: str = "forget", detail: dict[str, str | int | float | bool | None] | None = None
) -> bytes:
    entry = Entry(
        seq=after.seq + 1,
        at_ms=after.seq,
        action=action,
        user="k1.00",
        by="ada",
        os_user="ada",
        outcome="done",
        detail=detail or {},
        prev=after.hash,
    )
    return write_line(entry)


def tip_of(text: bytes) -> Tip:
    found = read_line(text)
    assert found is not None
    return found.tip


def kinds(lines: Sequence[bytes], **known: object) -> list[str]:
    return [problem.kind for problem in verify(lines, **known).problems]  # type: ignore[arg-type]  # by name


@given(count=st.integers(0, 6))
def test_an_untouched_chain_has_no_problem(count: int) -> None:
    """Also with its head and an anchor."""
    lines = chain(count)
    tip = tip_of(lines[-1]) if lines else Tip()
    found = verify(lines, head=tip, expected=tip.hash if lines else None)
    assert (found.problems, found.notes, found.tip, found.lines) == ((), (), tip, count)


@given(count=st.integers(1, 6), data=st.data())
def test_a_changed_byte_is_found(count: int, data: st.DataObject) -> None:
    """In any line, the last one included."""
    lines = chain(count)
    tip = tip_of(lines[-1])
    index = data.draw(st.integers(0, count - 1))
    place = data.draw(st.integers(0, len(lines[index]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda each: each not in {lines[index][place], ord("\n")}))
    lines[index] = lines[index][:place] + bytes([byte]) + lines[index][place + 1 :]
    assert "altered" in kinds(lines, head=tip)


@given(count=st.integers(1, 6), data=st.data())
def test_a_missing_line_is_found(count: int, data: st.DataObject) -> None:
    """The newest one by the head, the others by the chain itself."""
    lines = chain(count)
    tip = tip_of(lines[-1])
    index = data.draw(st.integers(0, count - 1))
    del lines[index]
    assert kinds(lines, head=tip) == ["truncated" if index == count - 1 else "missing"]


@given(order=st.permutations(range(5)).filter(lambda order: order != sorted(order)))
def test_reordered_lines_are_found(order: list[int]) -> None:
    """Any order but the right one."""
    lines = chain(5)
    assert set(kinds([lines[each] for each in order], head=tip_of(lines[-1]))) & {"missing", "reordered"}


@given(count=st.integers(1, 5), data=st.data())
def test_a_repeated_line_is_found(count: int, data: st.DataObject) -> None:
    """A copy at the end of the file."""
    lines = chain(count)
    lines.append(lines[data.draw(st.integers(0, count - 1))])
    assert kinds(lines, head=tip_of(lines[-1])) == ["reordered"]


@given(kept=st.integers(0, 3), forged=st.integers(1, 3))
def test_a_rewritten_end_is_found_by_head_and_anchor(kept: int, forged: int) -> None:
    """A chain that was made again is whole by itself; a hash that was noted elsewhere is not in it."""
    lines = chain(kept + forged)
    before = lines[:kept]
    after = tip_of(before[-1]) if before else Tip()
    for _ in range(forged):
        before.append(line(after, action="innocent"))
        after = tip_of(before[-1])
    noted = tip_of(lines[-1])
    assert kinds(before) == []
    assert kinds(before, head=noted) == ["truncated"]
    assert kinds(before, expected=noted.hash) == ["unanchored"]


def test_a_replaced_line_breaks_the_next_one() -> None:
    """With a hash of its own that is right."""
    lines = chain(3)
    lines[1] = line(tip_of(lines[0]), action="innocent")
    assert kinds(lines) == ["altered"]


@given(cut=st.integers(1, 100))
def test_a_torn_line_that_is_recorded_is_a_note(cut: int) -> None:
    """After kill -9 in the middle of a line."""
    lines = chain(2)
    torn = lines[1][:cut]
    recorded = line(tip_of(lines[0]), action=TORN, detail=dict(torn_detail(torn)))
    found = verify([lines[0], torn, recorded], head=tip_of(recorded))
    assert (found.problems, len(found.notes)) == ((), 1)


def test_a_torn_last_line_is_a_note_until_the_next_append() -> None:
    """The head names the line before it: no command reported success."""
    lines = chain(2)
    found = verify([lines[0], lines[1][:50]], head=tip_of(lines[0]))
    assert (found.problems, len(found.notes)) == ((), 1)


def test_a_line_that_was_cut_later_is_a_problem() -> None:
    """The head names the line itself."""
    lines = chain(2)
    assert "altered" in kinds([lines[0], lines[1][:50]], head=tip_of(lines[1]))


def test_a_line_newer_than_the_head_is_a_note() -> None:
    """A command was killed between the line and the head."""
    lines = chain(2)
    assert verify(lines, head=tip_of(lines[0])).problems == ()


def test_a_missing_beginning_is_found_unless_older_lines_may_be_gone() -> None:
    """A topic with a retention begins anywhere."""
    lines = chain(3)[1:]
    assert kinds(lines) == ["missing"]
    assert kinds(lines, begins_at=0) == []


@given(data=st.binary(max_size=200))
def test_foreign_bytes_are_no_line_and_no_head(data: bytes) -> None:
    """Any bytes."""
    assert read_line(data) is None
    assert read_head(data) is None or len(data) >= len(START)

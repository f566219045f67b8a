"""Options with an optional number, such as `--wait` and `--wait 30`; typer knows options with a value or without."""

import re
from collections.abc import Iterator, Sequence

WAIT = "--wait"
DEFAULTS = {WAIT: "10"}
"""Option → number in place of an absent one."""

_NUMBER = re.compile(r"\d+(\.\d+)?")


def fill_in(words: Sequence[str]) -> list[str]:
    """Return the words of a command line with the default behind each option that no number follows.

    >>> fill_in(["ada", "yes", "--wait", "--json"])
    ['ada', 'yes', '--wait=10', '--json']
    >>> fill_in(["ada", "yes", "--wait", "30"])
    ['ada', 'yes', '--wait', '30']
    """
    return list(_filled_in(words))


def _filled_in(words: Sequence[str]) -> Iterator[str]:
    options_end = words.index("--") if "--" in words else len(words)
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        has_default = word in DEFAULTS and place < options_end and not _NUMBER.fullmatch(following)
        yield f"{word}={DEFAULTS[word]}" if has_default else word

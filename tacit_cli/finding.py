"""Finding: the result of one check."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from tacit.errors import TacitError


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check."""

    what: str
    ok: bool
    detail: str
    warns: bool = False
    """True for a setting that works, and that an operator should change or know."""

    def as_dict(self) -> dict[str, Any]:
        """Return the document for `--json`."""
        return asdict(self)


def find(what: str, look: Callable[[], str | tuple[str, bool]]) -> Finding:
    """Return the finding of a check, which returns a detail, and whether that is a warning; an error is a problem."""
    try:
        found = look()
    except TacitError as error:
        return Finding(what, False, str(error).replace("\n", "; "))
    detail, warns = found if isinstance(found, tuple) else (found, False)
    return Finding(what, True, detail, warns)

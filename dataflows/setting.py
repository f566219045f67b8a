"""Description and conversion of one setting."""

import math
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Setting:
    """Metadata of a setting: the help of its flag, and the values that are allowed."""

    group: str
    """Heading of the setting in help and in the reference."""
    metavar: str
    """Form or unit of the value; empty for a switch."""
    help: str
    default: str = ""
    """Text for a default that depends on the command; empty: the default itself."""
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    """Exclusive lower limit."""
    none: str | None = None
    """Text that means None."""
    allowed: str = ""
    """Text of the allowed values; empty: derived from type and limits."""
    check: Callable[[Any], str | None] | None = None
    """Function of the converted value that returns a problem, or None for a valid value."""
    is_flag: bool = True
    """False for a secret: no flag, as other users of a machine can read the arguments of a process."""


class InvalidSettingError(ValueError):
    """A value that a setting does not allow; the text has the allowed values and never the value."""


def convert(value: object, annotation: Any, setting: Setting) -> Any:
    """Return a value of a flag, a variable or a TOML file as the type of its setting.

    Raises:
        InvalidSettingError: the value is not allowed.
    """
    kinds = _kinds(annotation)
    if value is None and types.NoneType in kinds:
        return None
    if setting.none is not None and isinstance(value, str) and value.lower() == setting.none:
        return None
    try:
        converted = _as_kind(value, kinds[0])
    except ValueError:
        raise InvalidSettingError(f"must be {allowed_values(annotation, setting)}") from None
    if isinstance(converted, int | float) and not _is_between(converted, setting):
        raise InvalidSettingError(f"must be {allowed_values(annotation, setting)}")
    if setting.check and (problem := setting.check(converted)):
        raise InvalidSettingError(problem)
    return converted


def allowed_values(annotation: Any, setting: Setting) -> str:
    """Return the allowed values as text.

    >>> allowed_values(int, Setting("State", "N", "Number of shards.", least=1, most=256))
    'a whole number from 1 to 256'
    >>> allowed_values(float | None, Setting("State", "DAYS", "Time to live.", above=0, most=9, none="none"))
    'a number above 0 and up to 9, or none'
    """
    kind = _kinds(annotation)[0]
    if setting.allowed:
        return setting.allowed
    if get_origin(kind) is Literal:
        return _listed([str(choice) for choice in get_args(kind)])
    text = {int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}.get(kind, "text")
    if setting.above > -math.inf:
        text += f" above {setting.above:g}" + (f" and up to {setting.most:g}" if setting.most < math.inf else "")
    elif setting.least > -math.inf:
        text += f" from {setting.least:g}" + (f" to {setting.most:g}" if setting.most < math.inf else "")
    return f"{text}, or {setting.none}" if setting.none else text


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """Return the alternatives of a type, the type of values first."""
    if get_origin(annotation) in {Union, types.UnionType}:
        return get_args(annotation)
    return (annotation,)


def _as_kind(value: object, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        return _as_choice(value, get_args(kind))
    if kind is bool:
        return _as_bool(value)
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    if kind is str and isinstance(value, str):
        return value
    if kind in {int, float} and isinstance(value, str | int | float) and not isinstance(value, bool):
        return _as_number(value, kind)
    raise ValueError


def _as_choice(value: object, choices: tuple[str, ...]) -> str:
    for choice in choices:
        if choice == value:
            return choice
    raise ValueError


def _as_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in _TRUE | _FALSE:
        raise ValueError
    return word in _TRUE


def _as_number(value: str | float, kind: type[int] | type[float]) -> float:
    if isinstance(value, str) and not value.isascii():
        raise ValueError
    if kind is int and isinstance(value, float):
        raise ValueError
    return kind(value)


def _is_between(value: float, setting: Setting) -> bool:
    return setting.least <= value <= setting.most and value > setting.above and math.isfinite(value)


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]

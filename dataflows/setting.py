"""Description and conversion of one setting."""

import math
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin


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
    is_list: bool = False
    """True for several texts: a flag that may be repeated, a list in the file, and texts between commas."""
    is_table: bool = False
    """True for a table of tables, which only the file can hold."""
    is_flag: bool = True
    """False for a secret: no flag, as other users of a machine can read the arguments of a process."""
    is_secret: bool = False
    """True for a secret, which a file may have: a variable or key with `_file` behind the name has its path."""
    table: str = ""
    """Table of the file that has the setting; its key there is the name without the table. Empty: no table."""

    def shown(self, name: str) -> str:
        """Return the name in the file and in errors.

        >>> Setting("Kafka", "FILE", "Authorities.", table="kafka").shown("kafka_ca_file")
        'kafka.ca_file'
        """
        return f"{self.table}.{name.removeprefix(f'{self.table}_')}" if self.table else name


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
        converted = _as_kind(value, kinds[0], setting)
    except ValueError:  # pydantic's error, too; its text repeats the value
        form = f" in quotes: {setting.metavar}" if kinds[0] is str and not setting.allowed else ""
        raise InvalidSettingError(f"must be {allowed_values(annotation, setting)}{form}") from None
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
    if setting.is_table:
        return "tables in the TOML file"
    if setting.is_list:
        return "a list of texts"
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


def _as_kind(value: object, kind: Any, setting: Setting) -> Any:
    if kind is str and isinstance(value, str):
        return value
    if setting.is_list:
        return _as_texts(value)
    if setting.is_table:
        return _as_tables(value)
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    if kind in {str, Path}:
        raise ValueError(kind)
    from pydantic import TypeAdapter  # a third of the start-up time of a command whose settings are text

    # Text is converted; a value of TOML has a type of its own, and `true` is no number.
    return TypeAdapter(_limited(kind, setting)).validate_python(value, strict=not isinstance(value, str))


def _as_texts(value: object) -> tuple[str, ...]:
    """Return several texts, each once."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) and part.strip() for part in parts):
        raise ValueError(value)
    return tuple(dict.fromkeys(part.strip() for part in parts))


def _as_tables(value: object) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict) or not all(isinstance(table, dict) for table in value.values()):
        raise ValueError(value)
    return value


def _limited(kind: Any, setting: Setting) -> Any:
    """Return a type with the limits of its setting in pydantic's form."""
    if kind not in {int, float}:
        return kind
    from pydantic import Field

    least, most, above = (
        limit if math.isfinite(limit) else None for limit in (setting.least, setting.most, setting.above)
    )
    return Annotated[kind, Field(ge=least, le=most, gt=above, allow_inf_nan=None if kind is int else False)]


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]

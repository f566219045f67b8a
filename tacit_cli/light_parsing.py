"""Parsing of text arguments without pydantic, whose import takes longer than the rest of a start."""

from collections.abc import Iterable
from typing import Any


def parse_lightly(parameters: Iterable[Any]) -> None:
    """Make parameters skip typer's conversion for absent values and for text; other types keep it."""
    for parameter in parameters:
        parameter.get_runtime_param = _Conversion(parameter).bind


class _Conversion:
    """Conversion of one parameter; typer 0.29 calls `get_runtime_param().coerce`."""

    def __init__(self, parameter: Any) -> None:
        self._parameter = parameter

    def bind(self) -> "_Conversion":
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        annotation = self._parameter.type_descriptor.annotation
        if annotation == list[str]:
            return list(value or ())
        if value is None or annotation is str:
            return value
        return type(self._parameter).get_runtime_param(self._parameter).coerce(value, param=param, ctx=ctx)

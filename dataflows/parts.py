"""Our parts inside the engine: the first error that one of them raises is kept, and what is left open is closed."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Returned = TypeVar("Returned")
Part = TypeVar("Part", bound=object)

_BUILD = ("build", "build_part")
_CALL = ("list_parts", "next_batch", "on_batch", "snapshot", "write_batch")


class Parts:
    """Watches sources, sinks and steps, and what they build.

    With several processes the engine gives back a panic without its cause. And where it breaks off it closes nothing:
    consumers and producers, with their threads and connections, would outlive the run.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        """What was raised first."""
        self._open: dict[int, Callable[[], None]] = {}

    def watch(self, part: Part) -> Part:
        """Return the part, its methods that the engine calls being watched."""
        for name in _CALL:
            if method := getattr(part, name, None):
                setattr(part, name, self.watch_call(method))
        for name in _BUILD:
            if method := getattr(part, name, None):
                setattr(part, name, self.watch_build(method))
        return part

    def watch_call(self, call: Callable[Given, Returned]) -> Callable[Given, Returned]:
        """Return the function, what it raises being kept."""

        @wraps(call)
        def watched(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
            try:
                return call(*args, **kwargs)
            except StopIteration:  # the end of a source
                raise
            except Exception as error:
                self.error = self.error or error
                raise

        return watched

    def watch_build(self, build: Callable[Given, Part]) -> Callable[Given, Part]:
        """Return the function, what it builds being watched too."""

        @wraps(build)
        def watched(*args: Given.args, **kwargs: Given.kwargs) -> Part:
            part = self.watch(self.watch_call(build)(*args, **kwargs))
            if close := getattr(part, "close", None):
                self._open[id(part)] = close
                setattr(part, "close", partial(self._close, id(part)))  # noqa: B010  # not every part has it
            return part

        return watched

    def close(self) -> None:
        """Close what the engine, having broken off, has not."""
        for number in list(self._open):
            with suppress(Exception):  # what counts is why it broke off
                self._close(number)

    def _close(self, number: int) -> None:
        if close := self._open.pop(number, None):
            close()

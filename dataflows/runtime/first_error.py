"""Our parts inside the engine: the first error that one of them raises is kept."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Returned = TypeVar("Returned")
Part = TypeVar("Part", bound=object)

_BUILD = ("build", "build_part")
_CALL = ("list_parts", "next_batch", "on_batch", "snapshot", "write_batch")


class FirstError:
    """Watches sources, sinks and steps, and what they build.

    An engine of several processes breaks off with a panic that has lost its cause: here it is found.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        """What was raised first."""

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
            return self.watch(self.watch_call(build)(*args, **kwargs))

        return watched

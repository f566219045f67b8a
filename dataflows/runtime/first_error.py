"""First error of the sources, steps and sinks that Bytewax calls."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Returned = TypeVar("Returned")
Part = TypeVar("Part", bound=object)

_BUILD = ("build", "build_part")
_CALL = ("list_parts", "next_batch", "on_batch", "snapshot", "write_batch")


class FirstError:
    """Recorder of the first exception of sources, sinks, steps and the objects that they build.

    Bytewax with several processes ends with a panic that has lost the cause; `error` keeps the cause.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        """First exception; None before."""

    def watch(self, part: Part) -> Part:
        """Wrap the methods that Bytewax calls, and return the same object."""
        for name in _CALL:
            if method := getattr(part, name, None):
                setattr(part, name, self.watch_call(method))
        for name in _BUILD:
            if method := getattr(part, name, None):
                setattr(part, name, self.watch_build(method))
        return part

    def watch_call(self, call: Callable[Given, Returned]) -> Callable[Given, Returned]:
        """Return the function with a record of its exceptions."""

        @wraps(call)
        def watched(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
            try:
                return call(*args, **kwargs)
            except StopIteration:  # the regular end of a source
                raise
            except Exception as error:
                self.error = self.error or error
                raise

        return watched

    def watch_build(self, build: Callable[Given, Part]) -> Callable[Given, Part]:
        """Return the function with a record of its exceptions and of its result's exceptions."""

        @wraps(build)
        def watched(*args: Given.args, **kwargs: Given.kwargs) -> Part:
            return self.watch(self.watch_call(build)(*args, **kwargs))

        return watched

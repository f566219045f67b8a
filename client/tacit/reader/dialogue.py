"""What Redis is asked and answers, where code knows no connection: with threads or with asyncio, it is the same code.

https://sans-io.readthedocs.io/how-to-sans-io.html
"""

from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

Command = tuple[str | int | bytes, ...]
Reply = object
"""What Redis answered (of HGETALL a list: field, value, field, value); an exception for a command that failed."""

Question = TypeVar("Question")
Answer = TypeVar("Answer")
Result = TypeVar("Result")

Dialogue = Generator[Question, Answer, Result]
"""Yields questions, is sent the answer to each, and returns a result."""


def hold(dialogue: Dialogue[Question, Answer, Result], answer: Callable[[Question], Answer]) -> Result:
    """Answer a dialogue's questions until it ends, and return its result.

    >>> def greeting():
    ...     name = yield "Who is there?"
    ...     return f"Hello, {name}."
    >>> hold(greeting(), lambda question: "Ada")
    'Hello, Ada.'
    """
    question = next(dialogue)
    while True:
        try:
            question = dialogue.send(answer(question))
        except StopIteration as end:
            result: Result = end.value
            return result


async def hold_async(
    dialogue: Dialogue[Question, Answer, Result], answer: Callable[[Question], Awaitable[Answer]]
) -> Result:
    """`hold`, with answers that are waited for."""
    question = next(dialogue)
    while True:
        try:
            question = dialogue.send(await answer(question))
        except StopIteration as end:
            result: Result = end.value
            return result

"""An assistant in the terminal that adapts to its user: answers from templates stand for a model.

    pip install tacit-signals[kafka] prometheus-client
    export TACIT_REDIS=redis://localhost:6379 TACIT_SECRET=…
    python examples/assistant.py ada kafka://localhost:9092/events
    python examples/assistant.py ada events.jsonl
    TACIT_KEY=tk_… python examples/assistant.py ada http://localhost:8080

A line is a message to the assistant, or a command: /like, /dislike, /shorter, /longer, /yes, /no, /set FACET VALUE,
/context, /forget, /quit.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import Counter

from tacit import (
    Adaptation,
    Catalogue,
    ControlEvents,
    Emitter,
    EventError,
    EventFile,
    QueueFullError,
    ServiceApi,
    SignalReader,
    Turn,
)
from tacit.sender.destination import Destination

REGION = "eu"
READS = Counter("tacit_reads", "Reads of users' signals, by status.", ["status"])
"""Read by the recording rule tacit:reads:availability and by the dashboard; serve it with your other metrics."""

ASK_CONSENT = "May I learn from your feedback how you like my answers? (/yes or /no)"
FEEDBACK = {"/like": "thumbs_up", "/dislike": "thumbs_down", "/shorter": "shorter", "/longer": "longer"}
SENTENCES = (
    "Sort the values once, then search them by halves.",
    "Each step leaves half of the values.",
    "If values are added often, a balanced tree keeps them sorted.",
)
LENGTHS = {"concise": 1, "balanced": 2, "detailed": 3}
USAGE = "Commands: /like /dislike /shorter /longer /yes /no /set FACET VALUE /context /forget /quit"


@dataclass
class Conversation:
    """One conversation of a user."""

    user: str
    unit: str
    """Id of the conversation: the style stays the same in it."""
    turn: Turn | None = None
    """The last answer, which feedback is about."""
    asked: dict[str, str] = field(default_factory=dict)
    """Facet → conversation in which the user was asked."""
    has_asked_consent: bool = False


class Assistant:
    """Assistant that reads signals before an answer, and sends events about the answer."""

    def __init__(self, reader: SignalReader, emitter: Emitter, catalogue: Catalogue) -> None:
        self._reader = reader
        self._emitter = emitter
        self._decide = ControlEvents(REGION, catalogue)

    def answer(self, conversation: Conversation, topic: str, surface: str = "chat") -> Iterator[str]:
        """Yield the lines of an answer, and at most one question."""
        adaptation = self._read(conversation.user)
        choice = adaptation.choose(conversation.unit, topic=topic, surface=surface)
        system_prompt = f"You help with programming. {choice.prompt()}".rstrip()
        yield f"[{system_prompt}]"
        yield from _generated(choice.values)
        conversation.turn = choice.turn(conversation.user)
        self._emitter.send(conversation.turn.event())
        yield from self._question(conversation, adaptation)

    def _question(self, conversation: Conversation, adaptation: Adaptation) -> Iterator[str]:
        needs_consent = "unasked" in adaptation.consent or "lapsed" in adaptation.consent
        if needs_consent and not conversation.has_asked_consent:
            conversation.has_asked_consent = True
            yield ASK_CONSENT
            return
        question = adaptation.describe(conversation.unit, asked=conversation.asked).question
        if question is not None:
            conversation.asked[question.facet] = conversation.unit
            yield f"{question.text} (/set {question.facet} VALUE)"

    def context(self, conversation: Conversation) -> str:
        """Return the context that a model may reason with."""
        return self._read(conversation.user).describe(conversation.unit).text() or "Nothing is known."

    def feedback(self, conversation: Conversation, kind: str) -> str:
        """Send feedback on the last answer."""
        if conversation.turn is None:
            return "There is no answer yet."
        self._emitter.send(conversation.turn.feedback(kind))
        return "Thank you."

    def consent(self, conversation: Conversation, *, granted: bool) -> str:
        """Send the user's consent, or its withdrawal."""
        self._emitter.send(self._decide.consent(conversation.user, granted=granted))
        return "I learn from your feedback." if granted else "I learn nothing from you."

    def pin(self, conversation: Conversation, facet: str, value: str) -> str:
        """Send the user's own setting; the value `none` removes the setting."""
        self._emitter.send(self._decide.pin(conversation.user, facet, None if value == "none" else value))
        return "Noted."

    def forget(self, conversation: Conversation) -> str:
        """Send the request to forget everything."""
        self._emitter.send(self._decide.forget(conversation.user))
        return "I forget everything about you."

    def _read(self, user: str) -> Adaptation:
        adaptation = self._reader.get(user)
        READS.labels(adaptation.status).inc()
        return adaptation


def _generated(values: Mapping[str, str]) -> Iterator[str]:
    """Yield an answer in a style, as a model would."""
    if values.get("tone") == "friendly":
        yield "Good question!"
    sentences = SENTENCES[: LENGTHS.get(values.get("length", ""), 2)]
    if values.get("format") == "bullets":
        yield from (f"- {sentence}" for sentence in sentences)
    else:
        yield " ".join(sentences)


def reply(assistant: Assistant, conversation: Conversation, line: str) -> list[str]:
    """Return the lines that follow a line of the user."""
    try:
        match line.split():
            case [command] if command in FEEDBACK:
                return [assistant.feedback(conversation, FEEDBACK[command])]
            case ["/yes" | "/no" as command]:
                return [assistant.consent(conversation, granted=command == "/yes")]
            case ["/set", facet, value]:
                return [assistant.pin(conversation, facet, value)]
            case ["/context"]:
                return [assistant.context(conversation)]
            case ["/forget"]:
                return [assistant.forget(conversation)]
            case [command, *_] if command.startswith("/"):
                return [USAGE]
            case _:
                return [*assistant.answer(conversation, topic="code")]
    except EventError as error:  # a name that the catalogue does not have
        return [f"I cannot do that: {error}"]
    except QueueFullError:  # a decision must not get lost in silence
        return ["I cannot store that now. Please try again in a minute."]


def destination(text: str) -> Destination:
    """Return the destination of events: `kafka://HOST:PORT/TOPIC`, the URL of `tacit serve`, or a file."""
    if text.startswith("kafka://"):
        from tacit.sender.kafka_topic import KafkaTopic  # needs the extra

        server, _, topic = text.removeprefix("kafka://").partition("/")
        return KafkaTopic([server], topic)
    if text.startswith(("http://", "https://")):
        return ServiceApi(text, os.environ["TACIT_KEY"])
    return EventFile(text)


def main(words: Sequence[str]) -> None:
    """Talk with one user, until /quit or the end of the input."""
    user, target = words
    catalogue = Catalogue.load()
    with (
        SignalReader(os.environ["TACIT_REDIS"], region=REGION, secret=os.environ["TACIT_SECRET"]) as reader,
        Emitter(destination(target), catalogue=catalogue) as emitter,
    ):
        assistant = Assistant(reader, emitter, catalogue)
        conversation = Conversation(user, unit=os.urandom(8).hex())
        for line in sys.stdin:
            if line.strip() == "/quit":
                break
            print(*reply(assistant, conversation, line), sep="\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

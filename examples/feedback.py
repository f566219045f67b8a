"""Feedback as an event, with the choices of the answer and their propensities.

    python examples/feedback.py ada conversation-1 thumbs_up >> events.jsonl
    tacit replay events.jsonl --embedded

The propensities allow an off-policy estimate: the value of following the signals against using the defaults
(docs/learning.md). Without them, serving users what they like would look as if all users liked it.
"""

import json
import os
import sys
import time
import uuid
from typing import Any

from tacit import Choice, SignalReader


def feedback_event(user: str, turn: str, choice: Choice, kind: str) -> dict[str, Any]:
    """Return the event of one answer in the style of `choice`, with feedback of this kind."""
    return {
        "schema": 1,
        "event_id": str(uuid.uuid4()),
        "type": "interaction",
        "user_id": user,
        "region": "eu",
        "at": time.time_ns() // 1_000_000,
        "turn_id": turn,
        "served": dict(choice.values),
        "acted_on": list(choice.acted_on),
        **({"proposed": list(choice.proposed)} if choice.proposed else {}),
        "feedback": {"kind": kind},
    }


if __name__ == "__main__":
    user, conversation, kind = sys.argv[1:]
    with SignalReader(os.environ["TACIT_REDIS"], region="eu", secret=os.environ["TACIT_SECRET"]) as reader:
        choice = reader.get(user).choose(unit=conversation)
    print(json.dumps(feedback_event(user, f"{conversation}-1", choice, kind)))

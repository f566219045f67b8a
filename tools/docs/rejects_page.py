"""Reference of the rejects, from the reasons in the code."""

from dataflows.rejects.advice import advice
from state.events.records import FileOrigin, KafkaOrigin, Reason, Reject, WriteReject
from tools.docs.markdown import code, member_texts, paragraph, table

KAFKA = Reject(Reason.NOT_IN_CATALOGUE, "served.length", KafkaOrigin("events", 0), 42, "9f86d081…", 1795297433438)
FILE = Reject(Reason.NOT_JSON, "", FileOrigin("events.jsonl"), 7, "e3b0c442…", 1795297433438)
WRITE = WriteReject("WRONGTYPE", "tacit:v1:eu:live:{k1.…}:signals", "2c26b46b…", 1795297433438)


def rejects_page() -> str:
    """Return the page."""
    texts = member_texts(Reason)
    rows = [[code(reason), texts.get(reason.name, ""), advice(reason).step] for reason in Reason]
    samples = b"\n".join(each.to_json() for each in (KAFKA, FILE, WRITE)).decode()
    return "\n".join(
        [_INTRODUCTION, table(["reason", "when", "what to do"], rows), _WRITES, f"```json\n{samples}\n```", ""]
    )


_INTRODUCTION = """# Rejects

This page is generated from `state/events/records.py` and `dataflows/rejects/advice.py`.

A bad record never stops the stream and never disappears without a trace.
A reject goes to the topic or file that `--rejects` names, and `tacit_rejects_total` counts it by reason.
[The contract](../contract.md#rejects) describes the members.
`tacit rejects show` finds the record of a reject, and `tacit rejects retry` feeds a repaired one back
([the guide for operators](../guides/operator.md#rejects)).
"""

_WRITES = f"""
One more reason stands for no record but for a write: `unwritable`.
{" ".join(paragraph(WriteReject.__doc__).split())}

Samples, for a record of Kafka, a line of a file and a write:
"""

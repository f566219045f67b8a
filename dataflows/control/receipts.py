"""Receipt of a verified forget: the traces that are gone, those that remain, until when, and why.

A receipt names no user. It holds a commitment: the SHA-256 of a random salt and the pseudonym, which only a holder of
the secret and of the user id can repeat. `python -m dataflows.control.receipts docs/schema` writes its JSON Schema.
"""

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

SCHEMA_FILE = "receipt.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

SALT_BYTES = 16

Hex = Annotated[str, Meta(pattern="^[0-9a-f]+$")]
Number = Annotated[str, Meta(pattern="^r-[0-9a-f]{32}$")]
TimeMs = Annotated[int, Meta(ge=0)]

Kind = Literal["tombstone", "pins", "learned", "pseudonym", "id", "bytes", "unreadable"]

Sort = Literal["redis", "state", "cuts", "look"]
"""Redis, a state folder, cuts in object storage, or a file, folder or topic that the operator named."""

KEPT: Mapping[Sort, frozenset[Kind]] = {
    "redis": frozenset({"tombstone"}),
    "state": frozenset({"tombstone", "pseudonym"}),  # the key of the tombstone, in indexes and logs of its database
    "cuts": frozenset({"tombstone", "pseudonym"}),
    "look": frozenset(),
}
"""Kinds of traces that keep older events of the user out, and are no trace of what was learned."""

Until = Literal["time", "never", "operator", "unknown"]


class Commitment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Proof that the receipt is about a user, for a holder of the user id and the secret."""

    salt: Hex
    sha256: Hex
    """SHA-256 of the 16 bytes of the salt and the 16 bytes of the pseudonym."""


class Remaining(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A trace or a copy that remains."""

    what: str
    until: Until
    """`time`: gone at `until_ms`; `never`: kept without an end; `operator`: until an operator deletes it."""
    until_ms: TimeMs | None = None
    """Epoch milliseconds, if `until` is `time`."""
    why: str


class Searched(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A place that was searched for the user's bytes, before and after the forget."""

    sort: Sort
    place: str
    before: dict[Kind, int]
    """Kind of trace → number; without a kind that was not found."""
    after: dict[Kind, int]
    removed_ms: TimeMs | None = None
    """Time at which the search after the forget ended, if traces are gone."""
    remains: tuple[Remaining, ...] = ()

    @property
    def is_clean(self) -> bool:
        """True if only those bytes remain that keep older events out."""
        return self.after.keys() <= KEPT[self.sort]


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Receipt of a forget, version 1."""

    receipt: Literal[1] = 1
    number: Number
    region: str
    facets: tuple[str, ...] | None
    """Facets that were forgotten; null: everything."""
    sent_ms: TimeMs
    """Time of the forget, epoch milliseconds."""
    visible_ms: float
    """Milliseconds from the sending until no reader could read anything from before the forget."""
    made_ms: TimeMs
    commitment: Commitment
    searched: tuple[Searched, ...]
    copies: tuple[Remaining, ...]
    """Copies that no search reaches."""


def new_number() -> str:
    """Return a receipt number."""
    return f"r-{secrets.token_hex(16)}"


def commit(user: bytes) -> Commitment:
    """Return a commitment to a pseudonym."""
    salt = secrets.token_bytes(SALT_BYTES)
    return Commitment(salt.hex(), _committed(salt, user))


def is_about(receipt: Receipt, user: bytes) -> bool:
    """Return whether a receipt is about the user of a pseudonym.

    >>> made = commit(bytes(16))
    >>> _committed(bytes.fromhex(made.salt), bytes(16)) == made.sha256
    True
    """
    salt = bytes.fromhex(receipt.commitment.salt)
    return secrets.compare_digest(_committed(salt, user), receipt.commitment.sha256)


def _committed(salt: bytes, user: bytes) -> str:
    return sha256(salt + user).hexdigest()


def encode_receipt(receipt: Receipt) -> bytes:
    """Return a receipt as one line of JSON."""
    return msgspec.json.encode(receipt)


def decode_receipt(data: bytes) -> Receipt:
    """Return the receipt in a JSON document.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError: it is none.
    """
    return msgspec.json.decode(data, type=Receipt)


def receipt_schema() -> dict[str, Any]:
    """Return the JSON Schema of a receipt."""
    schema = msgspec.json.schema(Receipt)
    return {"$schema": DIALECT, "title": "Receipt", "description": "Receipt of a verified forget, version 1.", **schema}


def document() -> str:
    """Return the text of the schema file."""
    return json.dumps(receipt_schema(), indent=2, ensure_ascii=False) + "\n"


def main(words: Sequence[str]) -> None:
    """Write the schema into the folder named on the command line."""
    if len(words) != 1:
        sys.exit("usage: python -m dataflows.control.receipts FOLDER")
    (Path(words[0]) / SCHEMA_FILE).write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

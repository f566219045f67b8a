"""The users of a region's Redis, as its aclfile has them.

https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
"""

import os
import secrets
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from tacit.contract.keys import RegionKeys

USERS = Path(__file__).with_name("users.acl")
PASSWORDS = {
    "tacit-reader": "TACIT_READER_PASSWORD",
    "tacit-writer": "TACIT_WRITER_PASSWORD",
    "tacit-auditor": "TACIT_AUDITOR_PASSWORD",
}
"""User → the environment variable with their password."""


class RedisUser(NamedTuple):
    """One line of an aclfile."""

    name: str
    rules: str
    password: str | None
    """If it was made up here: `rules` has its SHA-256 only."""


def redis_users(region: str) -> list[RedisUser]:
    """Return a region's users: `default` is off, a reader, a writer, and an auditor who only looks.

    Raises:
        ConfigurationError: the region is none.
    """
    RegionKeys(region)
    found = []
    for line in USERS.read_text().splitlines():
        name = line.split()[1]
        given = os.environ.get(PASSWORDS.get(name, ""), "")
        made_up = secrets.token_urlsafe(24) if name in PASSWORDS and not given else None
        digest = sha256((given or made_up or "").encode()).hexdigest()
        found.append(
            RedisUser(
                name, line.replace(f"{name[6:].upper()}_PASSWORD_SHA256", digest).replace("REGION", region), made_up
            )
        )
    return found

"""Users of a region's Redis, in the format of an aclfile.

https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
"""

import secrets
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from connectors.secret_files import secret_variable
from tacit.contract.keys import RegionKeys

USERS = Path(__file__).with_name("users.acl")
PASSWORDS = {
    "tacit-reader": "TACIT_READER_PASSWORD",
    "tacit-writer": "TACIT_WRITER_PASSWORD",
    "tacit-auditor": "TACIT_AUDITOR_PASSWORD",
}
"""User → environment variable with the password; with `_FILE` behind it, the path of a file with the password."""


class RedisUser(NamedTuple):
    """User in an aclfile."""

    name: str
    rules: str
    password: str | None
    """Generated password, of which `rules` has the SHA-256 only; None for a password of the environment."""


def redis_users(region: str) -> list[RedisUser]:
    """Return a region's users: `default` (off), a reader, a writer, and an auditor with rights to read.

    Raises:
        ConfigurationError: the region is invalid, or the file of a password is unreadable.
    """
    RegionKeys(region)
    found = []
    for line in USERS.read_text().splitlines():
        name = line.split()[1]
        password = secret_variable(PASSWORDS[name]) if name in PASSWORDS else ""
        generated = secrets.token_urlsafe(24) if name in PASSWORDS and not password else None
        checksum = sha256((password or generated or "").encode()).hexdigest()
        rules = line.replace(f"{name[6:].upper()}_PASSWORD_SHA256", checksum).replace("REGION", region)
        found.append(RedisUser(name, rules, generated))
    return found

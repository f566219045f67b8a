"""Codes of Redis' errors: their meaning decides whether to retry. The text of an error can hold keys and values."""

import re

import redis
from redis.exceptions import AskError, MovedError

UNWRITABLE = frozenset({"BADEPOCH", "BADGATE", "BADVERSION", "WRONGTYPE"})
"""Codes that concern one command alone, and that a retry cannot change."""

TRANSIENT = frozenset(
    {
        "ASK",
        "BUSY",
        "CLUSTERDOWN",
        "CONNECTION",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "MOVED",
        "NOREPLICAS",
        "NOSCRIPT",
        "OOM",
        "READONLY",
        "TIMEOUT",
        "TRYAGAIN",
    }
)
"""Codes after which a retry can succeed."""

UNANSWERED = frozenset({"CONNECTION", "TIMEOUT"})
"""Codes of this client for a server that does not answer."""

_MEANINGS = {
    "CONNECTION": "the connection was refused or broke",
    "TIMEOUT": "no reply came in time",
}

_CODE_OF_CLASS: tuple[tuple[type[redis.RedisError], str], ...] = (
    (redis.AuthenticationError, "AUTH"),
    (redis.BusyLoadingError, "LOADING"),
    (redis.ConnectionError, "CONNECTION"),
    (redis.TimeoutError, "TIMEOUT"),
    (redis.OutOfMemoryError, "OOM"),
    (redis.ReadOnlyError, "READONLY"),
    (redis.exceptions.NoScriptError, "NOSCRIPT"),
    (redis.exceptions.NoPermissionError, "NOPERM"),
    (redis.exceptions.MasterDownError, "MASTERDOWN"),
    (redis.exceptions.ClusterDownError, "CLUSTERDOWN"),
    (redis.exceptions.TryAgainError, "TRYAGAIN"),
    (MovedError, "MOVED"),
    (AskError, "ASK"),
)

# "WRONGTYPE Operation against …"; Redis 6.2 wraps the error of a script's command:
# "Error running script (call to f_…): @user_script:9: @user_script: 9: -OOM command not allowed …".
_CODE = re.compile(r"(?:^|@user_script: ?\d+: -?)([A-Z]{3,})\b")


def error_code(error: redis.RedisError) -> str:
    """Return the code of an error, in capitals.

    >>> error_code(redis.ResponseError("BADEPOCH wiped_ms is ..."))
    'BADEPOCH'
    >>> error_code(redis.ResponseError("Error running script (call to f_1): @user_script:9: -OOM command not allowed"))
    'OOM'
    >>> error_code(redis.TimeoutError("Timeout reading from socket"))
    'TIMEOUT'
    """
    for kind, code in _CODE_OF_CLASS:
        if isinstance(error, kind):
            return code
    found = _CODE.search(str(error))
    return found[1] if found else "ERR"


def meaning_of(code: str) -> str:
    """Return a code with its meaning, if it is one of this client.

    >>> meaning_of("CONNECTION")
    'the connection was refused or broke (CONNECTION)'
    >>> meaning_of("LOADING")
    'LOADING'
    """
    return f"{_MEANINGS[code]} ({code})" if code in _MEANINGS else code

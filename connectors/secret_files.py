"""Secrets in files: a variable `…_FILE` has the path of a secret, as orchestrators mount it."""

import os
from pathlib import Path

from tacit.errors import ConfigurationError


def secret_variable(variable: str) -> str:
    """Return the secret in a variable, or in the file that the variable with `_FILE` behind the name has; else "".

    Raises:
        ConfigurationError: both are set, or the file is unreadable or empty.
    """
    value, path = os.environ.get(variable, ""), os.environ.get(f"{variable}_FILE", "")
    if value and path:
        raise ConfigurationError([f"{variable}: and {variable}_FILE are both set; set one of them"])
    return read_secret(path, f"{variable}_FILE") if path else value


def read_secret(path: str, origin: str) -> str:
    """Return the text of a secret's file without the line end behind it.

    Args:
        path: path of the file.
        origin: variable or key that has the path, for errors.

    Raises:
        ConfigurationError: the file is unreadable, is empty, or has several lines.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(
            [f"{origin}: {path} cannot be read: {reason}; correct the path or the rights"]
        ) from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret.strip():
        raise ConfigurationError([f"{origin}: {path} is empty; write the secret into it"])
    if "\n" in secret or "\r" in secret:
        raise ConfigurationError([f"{origin}: {path} has several lines; write the secret alone into it"])
    return secret

"""Secrets that stand in files: beside the variable NAME, its twin NAME_FILE names a file that holds the same."""

from collections.abc import Mapping
from pathlib import Path

from fleetmeter.errors import SettingError


def twin(variable: str) -> str:
    """The variable that names the file, for the one that holds the secret itself."""
    return f"{variable}_FILE"


def read_secret(file: str) -> str:
    """The secret in a file, without the end of its line. Raises `ValueError`, which names the file."""
    try:
        secret = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{file!r} holds no UTF-8") from None
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        reason = error.strerror if isinstance(error, OSError) else None
        raise ValueError(f"{file!r} cannot be read: {reason or type(error).__name__}") from None
    if not secret:
        raise ValueError(f"{file!r} is empty")
    return secret


def secret_of(variable: str, environ: Mapping[str, str], what: str) -> str:
    """The secret in a variable, or in the file that its twin names; empty if neither is set.

    `what` says in errors what the file should hold. Raises `SettingError` if both are set, and for a file that cannot
    be used.
    """
    text, file = environ.get(variable, ""), environ.get(twin(variable), "")
    if text and file:
        raise SettingError(twin(variable), f"{variable} is set too; set one of the two")
    return check_file(twin(variable), file, what) if file else text


def check_file(setting: str, file: str, what: str) -> str:
    """The secret in a file that a setting names; raises `SettingError` if it cannot be used."""
    try:
        return read_secret(file)
    except ValueError as error:
        raise SettingError(setting, f"{error}; expected a readable file with {what}") from None

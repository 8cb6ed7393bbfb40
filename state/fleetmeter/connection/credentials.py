"""As whom a store is entered: from its URL, or from the environment. A password shows in no repr."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import redis

from fleetmeter.errors import SettingError

USERNAME = "FLEETMETER_REDIS_USERNAME"
PASSWORD = "FLEETMETER_REDIS_PASSWORD"  # noqa: S105  a variable's name
PASSWORD_FILE = "FLEETMETER_REDIS_PASSWORD_FILE"  # noqa: S105  a variable's name
VARIABLES = (USERNAME, PASSWORD, PASSWORD_FILE)
"""What the environment may say of user and password."""


class NoPassword(redis.AuthenticationError):
    """The password cannot be had just now: its file cannot be read. Nothing was sent."""


@dataclass(frozen=True)
class Credentials:
    """User and password for a store whose URL holds no password.

    A URL that holds a password is complete: the environment adds nothing to it. To one that does not, the environment
    adds the password, and the user where the URL names none. `password_file` is read for each new connection, so that
    a secret which is rotated works without a restart; what is connected stays connected.
    """

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    password_file: str = ""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """`FLEETMETER_REDIS_USERNAME`, and `FLEETMETER_REDIS_PASSWORD` or `FLEETMETER_REDIS_PASSWORD_FILE`.

        Raises `SettingError` where both give a password, and for a file that cannot be read.
        """
        username, password, file = (environ.get(name, "") for name in VARIABLES)
        if password and file:
            raise SettingError(PASSWORD_FILE, f"there is a password in {PASSWORD} too; set one of the two")
        for name, text in ((USERNAME, username), (PASSWORD, password)):
            try:
                text.encode()
            except UnicodeEncodeError:
                raise SettingError(name, "it holds characters that UTF-8 cannot hold; expected text") from None
        if file:
            try:
                _read(file)
            except ValueError as error:
                raise SettingError(PASSWORD_FILE, f"{error}; expected a readable file with the password") from None
        return cls(username, password, file)


class Login(redis.CredentialProvider):
    """User and password as redis-py asks for them, once per connection. Has no secret in its repr."""

    def __init__(self, username: str, password: str, file: str = "") -> None:
        self._username = username
        self._password = password
        self._file = file

    @classmethod
    def of(cls, username: str, password: str, credentials: Credentials) -> "Login | None":
        """What a URL says, completed by the environment; None where nobody says anything."""
        if not password:
            username, password = username or credentials.username, credentials.password
            if credentials.password_file:
                return cls(username, "", credentials.password_file)
        return cls(username, password) if username or password else None

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """The password, after the user if there is one. Raises `NoPassword` for a file that cannot be read."""
        password = self._password
        if self._file:
            try:
                password = _read(self._file)
            except ValueError as error:
                raise NoPassword(f"{PASSWORD_FILE}: {error}") from error
        return (self._username, password) if self._username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """The same, for asynchronous clients; redis-py's own would log a warning."""
        return self.get_credentials()


def _read(file: str) -> str:
    """The password in a file, without the end of its line. Raises `ValueError`, which names the file."""
    try:
        password = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{file!r} holds no UTF-8") from None
    except OSError as error:
        raise ValueError(f"{file!r} cannot be read: {error.strerror or type(error).__name__}") from None
    if not password:
        raise ValueError(f"{file!r} is empty")
    return password

"""The user and password for a store: from its URL, a provider, or the environment. A password shows in no repr."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Self

import redis

from fleetmeter.connection.provider import CredentialProvider, NoPassword, ask, named_provider
from fleetmeter.errors import SettingError
from fleetmeter.secret_file import check_file, read_secret, twin

USERNAME = "FLEETMETER_REDIS_USERNAME"
PASSWORD = "FLEETMETER_REDIS_PASSWORD"  # noqa: S105  a variable's name
PASSWORD_FILE = twin(PASSWORD)
PROVIDER = "FLEETMETER_REDIS_CREDENTIAL_PROVIDER"
VARIABLES = (USERNAME, PASSWORD, PASSWORD_FILE, PROVIDER)
"""What the environment may say of user and password."""


@dataclass(frozen=True)
class Credentials:
    """User and password for a store whose URL holds no password.

    A URL that holds a password is complete: the environment adds nothing to it. To one that does not, the environment
    adds the password, and the user where the URL names none. `password_file` is read, and `provider` is called, for
    each new connection, so that a secret which is rotated works without a restart; what is connected stays connected.
    A user that the provider names goes before every other.
    """

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    password_file: str = ""
    provider: CredentialProvider | None = field(default=None, repr=False, hash=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """`FLEETMETER_REDIS_USERNAME`, and one of the variables that give a password.

        Raises `SettingError` if several do, for a file that cannot be read, and for a provider that cannot be imported.
        """
        username, password, file, provider = (environ.get(name, "") for name in VARIABLES)
        sources = [name for name in VARIABLES[1:] if environ.get(name)]
        if len(sources) > 1:
            raise SettingError(sources[-1], f"there is a password in {sources[0]} too; set one of the two")
        for name, text in ((USERNAME, username), (PASSWORD, password)):
            try:
                text.encode()
            except UnicodeEncodeError:
                raise SettingError(name, "it holds characters that UTF-8 cannot hold; expected text") from None
        if file:
            check_file(PASSWORD_FILE, file, "the password")
        return cls(username, password, file, named_provider(PROVIDER, provider) if provider else None)


class Login(redis.CredentialProvider):
    """User and password as redis-py asks for them, once per connection. Has no secret in its repr."""

    def __init__(self, username: str, source: Callable[[], tuple[str, str]]) -> None:
        self._username = username
        self._source = source

    @classmethod
    def of(cls, username: str, password: str, credentials: Credentials) -> "Login | None":
        """What a URL says, completed by the credentials; None if nobody says anything."""
        if not password:
            username, password = username or credentials.username, credentials.password
            if credentials.provider is not None:
                return cls(username, partial(ask, credentials.provider))
            if credentials.password_file:
                return cls(username, partial(_from_file, credentials.password_file))
        return cls(username, lambda: ("", password)) if username or password else None

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """The password, after the user if there is one. Raises `NoPassword` if there is no password to be had."""
        username, password = self._source()
        username = username or self._username
        return (username, password) if username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """The same, asked in another thread: a file or a provider may take its time."""
        return await asyncio.to_thread(self.get_credentials)


def _from_file(file: str) -> tuple[str, str]:
    try:
        return "", read_secret(file)
    except ValueError as error:
        raise NoPassword(f"{PASSWORD_FILE}: {error}") from error

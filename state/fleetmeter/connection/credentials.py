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
"""The environment's variables for user and password."""


@dataclass(frozen=True)
class Credentials:
    """User and password for a store whose URL holds no password.

    If the URL holds a password, the environment adds nothing. If it holds none, the environment adds the password, and
    also the user unless the URL names one. For each new connection `password_file` is read again, or `provider` is
    called again. So a rotated secret works without a restart, and open connections stay open. If the provider names a
    user, that one wins over the URL's and the environment's.
    """

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    password_file: str = ""
    provider: CredentialProvider | None = field(default=None, repr=False, hash=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """From `FLEETMETER_REDIS_USERNAME`, and one of the variables that give a password.

        Raises `SettingError` if several of those are set, if the file cannot be read, or if the provider cannot be
        imported.
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
    """User and password, as redis-py asks for them once per connection. Its repr shows no secret."""

    def __init__(self, username: str, source: Callable[[], tuple[str, str]]) -> None:
        self._username = username
        self._source = source

    @classmethod
    def of(cls, username: str, password: str, credentials: Credentials) -> "Login | None":
        """The URL's user and password, completed by the credentials; None if neither has any."""
        if not password:
            username, password = username or credentials.username, credentials.password
            if credentials.provider is not None:
                return cls(username, partial(ask, credentials.provider))
            if credentials.password_file:
                return cls(username, partial(_from_file, credentials.password_file))
        return cls(username, lambda: ("", password)) if username or password else None

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """`(user, password)`, or `(password,)` without a user. Raises `NoPassword` if file or provider give none."""
        username, password = self._source()
        username = username or self._username
        return (username, password) if username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """The same, asked in another thread, because a file or a provider may be slow."""
        return await asyncio.to_thread(self.get_credentials)


def _from_file(file: str) -> tuple[str, str]:
    try:
        return "", read_secret(file)
    except ValueError as error:
        raise NoPassword(f"{PASSWORD_FILE}: {error}") from error

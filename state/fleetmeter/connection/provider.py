"""User and password from a function that the application gives, for tokens that expire.

The function is called for each new connection. What it returns or raises is never shown, because both may hold a
secret: an error names the function, and the type of what it raised.
"""

import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import redis

from fleetmeter.connection.address import is_utf8
from fleetmeter.errors import SettingError

CredentialProvider = Callable[[], tuple[str, str] | tuple[str]] | redis.CredentialProvider
"""A function that returns `(user, password)` or `(password,)`; or redis-py's kind of object, with `get_credentials`."""

EXPECTED = "expected a function that returns (user, password), or an object with such a method get_credentials"


class NoPassword(redis.AuthenticationError):
    """File or provider gave no password this time. Nothing was sent to the store."""


def check_provider(setting: str, provider: CredentialProvider) -> CredentialProvider:
    """The provider itself. Does not call it; raises `SettingError` if it could never give a password."""
    call = _function_of(provider)
    if isinstance(provider, type) or not callable(call):
        raise SettingError(setting, f"{name_of(provider)} cannot be asked for a password; {EXPECTED}")
    if inspect.iscoroutinefunction(call):
        raise SettingError(
            setting, f"{name_of(provider)} is asynchronous, and connections are made in threads; {EXPECTED}"
        )
    return provider


def named_provider(setting: str, name: str) -> CredentialProvider:
    """The provider that `module:function` names. Raises `SettingError`, which names the setting."""
    if ":" not in name:
        raise SettingError(
            setting, f"{name!r} names no function of a module; expected one as in package.module:function"
        )
    try:
        provider: CredentialProvider = pkgutil.resolve_name(name)
    except Exception as error:
        problem = f"{name!r} cannot be imported ({type(error).__name__}); expected module:function, with the module"
        raise SettingError(setting, f"{problem} installed or on PYTHONPATH") from error
    return check_provider(setting, provider)


def ask(provider: CredentialProvider) -> tuple[str, str]:
    """User and password that the provider gives now; the user is empty if it names none. Raises `NoPassword`."""
    try:
        given: Any = _function_of(provider)()
    except Exception as error:  # noqa: BLE001  whatever it raises, the connection cannot be made
        raise NoPassword(f"the credential provider {name_of(provider)} raised {type(error).__name__}") from None
    if not isinstance(given, tuple | list) or not 1 <= len(given) <= 2:
        found = f"a {type(given).__name__}" + (f" of {len(given)}" if isinstance(given, tuple | list) else "")
        raise _unusable(provider, found)
    if not all(isinstance(text, str) and is_utf8(text) for text in given) or not given[-1]:
        raise _unusable(provider, "something that is no text, or an empty password")
    return (given[0] if len(given) == 2 else ""), given[-1]


def name_of(provider: object) -> str:
    """A provider's module and name, for messages."""
    named = provider if hasattr(provider, "__qualname__") else type(provider)
    return f"{named.__module__}.{named.__qualname__}"


def _function_of(provider: Any) -> Any:
    return getattr(provider, "get_credentials", provider)


def _unusable(provider: CredentialProvider, found: str) -> NoPassword:
    return NoPassword(f"the credential provider {name_of(provider)} returned {found}; expected (user, password)")

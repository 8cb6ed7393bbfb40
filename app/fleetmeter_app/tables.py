"""Strict reading of TOML: every key is known, every value has the type that was asked for."""

import re
import tomllib
from collections.abc import Mapping
from typing import NoReturn, Self

from fleetmeter_app.errors import ConfigError


class Table:
    """One TOML table; each `take_*` removes a key from it, and `close()` refuses what is left.

    All of them raise `ConfigError` with the file, the dotted key and the reason.
    """

    def __init__(self, file: str, key: str, values: Mapping[str, object]) -> None:
        self.file = file
        self.key = key
        self._left = dict(values)
        self._taken: list[str] = []

    @classmethod
    def parse(cls, file: str, text: str) -> Self:
        """The top table of a TOML text; what is not TOML is refused with its line."""
        try:
            return cls(file, "", tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            # tomllib tells the place in its message only
            what, _, place = str(error).removesuffix(")").rpartition(" (at ")
            if not re.match(r"line \d+", place):
                place = f"line {text.count(chr(10)) + 1}"
            raise ConfigError(file, place, f"not valid TOML: {what}") from error

    def refuse(self, key: str, reason: str) -> NoReturn:
        """Raise for a key of this table."""
        raise ConfigError(self.file, self.path(key), reason)

    def path(self, key: str) -> str:
        """The dotted key from the top of the file."""
        written = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'
        return f"{self.key}.{written}" if self.key else written

    def names(self) -> tuple[str, ...]:
        """The keys that are still there, in the order of the file."""
        return tuple(self._left)

    def take_table(self, key: str, defaults: Mapping[str, object] | None = None) -> "Table":
        """A table inside this one, with `defaults` for what it lacks; an absent one is empty."""
        return Table(self.file, self.path(key), {**(defaults or {}), **self.take_mapping(key)})

    def take_text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty."""
        value = self._take(key, default)
        if not isinstance(value, str):
            self._refuse_type(key, "a text", value)
        if not value.strip() and value != default:
            self.refuse(key, "is empty; give it a text or leave the key out")
        return value

    def take_texts(self, key: str, *, may_be_empty: bool = False) -> tuple[str, ...]:
        """A list of texts, none of them empty; an absent list is an empty tuple."""
        if key not in self._left:
            self._taken.append(key)
            return ()
        value = self._take(key, None)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._refuse_type(key, "a list of texts", value)
        if not all(item.strip() for item in value):
            self.refuse(key, "has an empty entry; give it a text or drop it")
        if not value and not may_be_empty:
            self.refuse(key, "is an empty list; put something in or drop the key")
        return tuple(value)

    def take_integer(self, key: str, default: int | None = None, *, minimum: int = 0) -> int:
        """A whole number, at least `minimum`."""
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            self._refuse_type(key, "a whole number", value)
        if value < minimum:
            self.refuse(key, f"is {value}; it must be at least {minimum}")
        return value

    def take_optional_integer(self, key: str, *, minimum: int = 0) -> int | None:
        """A whole number, at least `minimum`, or None where the key is absent."""
        if key not in self._left:
            self._taken.append(key)
            return None
        return self.take_integer(key, minimum=minimum)

    def take_number(self, key: str, default: float | None = None, *, positive: bool = True) -> float:
        """A number above 0, or from 0 upwards where not `positive`; infinity and NaN are refused."""
        value = self._take(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool):
            self._refuse_type(key, "a number", value)
        if not 0 <= value < float("inf") or (positive and value == 0):
            self.refuse(key, f"is {value}; it must be a number {'above 0' if positive else 'from 0 upwards'}")
        return float(value)

    def take_optional_number(self, key: str) -> float | None:
        """A number above 0, or None where the key is absent."""
        if key not in self._left:
            self._taken.append(key)
            return None
        return self.take_number(key)

    def take_boolean(self, key: str, *, default: bool | None = None) -> bool:
        """True or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            self._refuse_type(key, "true or false", value)
        return value

    def take_mapping(self, key: str) -> dict[str, object]:
        """What stands in a table, as it is: somebody else checks it."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            self._refuse_type(key, "a table", value)
        return value

    def close(self) -> None:
        """Refuse every key that nobody took."""
        for key in self._left:
            known = ", ".join(sorted(self._taken)) or "none"
            self.refuse(key, f"unknown key; the keys of this table are: {known}")

    def _take(self, key: str, default: object) -> object:
        self._taken.append(key)
        value = self._left.pop(key, default)
        if value is None:
            self.refuse(key, "is missing; it has no default")
        return value

    def _refuse_type(self, key: str, expected: str, value: object) -> NoReturn:
        self.refuse(key, f"must be {expected}, and is {value!r}")

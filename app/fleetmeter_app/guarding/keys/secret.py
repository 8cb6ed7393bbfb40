"""The text of an API key: `sk-fm-<id>-<secret>`, made of random bits and kept by its holder alone."""

import hashlib
import re
import secrets
import string
from dataclasses import dataclass, field
from typing import Self

PREFIX = "sk-fm-"
"""Begins each key, so that scanners for leaked secrets can tell one."""

_ALPHABET = string.ascii_letters + string.digits
_ID = 12
_SECRET = 43
"""Characters of 62 kinds: 256 bits, so that a plain digest is as good as a slow one, and nobody can guess."""
_TEXT = re.compile(rf"{PREFIX}([A-Za-z0-9]{{{_ID}}})-([A-Za-z0-9]{{{_SECRET}}})")


@dataclass(frozen=True)
class Secret:
    """A key as its holder has it. Its `id` is public; neither the rest nor the whole shows in a repr."""

    id: str
    _text: str = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        """A random one."""
        return cls(_random(_ID), _random(_SECRET))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What a holder sends; None if it cannot be a key of ours."""
        found = _TEXT.fullmatch(text)
        return None if found is None else cls(found[1], found[2])

    @property
    def text(self) -> str:
        """The whole key, to be shown once."""
        return f"{PREFIX}{self.id}-{self._text}"

    @property
    def digest(self) -> str:
        """SHA-256 of the secret and its id, in hexadecimal: what the store keeps."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))

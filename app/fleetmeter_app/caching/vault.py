"""Entries under a key: neither the texts nor which questions were asked can be read from the store."""

import base64
import hashlib
import hmac
import os
from typing import Any

from fleetmeter_app.errors import ConfigError

_KEY_BYTES = 32
_NONCE_BYTES = 12
"""The length that NIST SP 800-38D recommends for GCM; random ones suffice for 2^32 entries under one key."""


class Vault:
    """Seals and opens entries by AES-256-GCM; without a key it leaves them as they are.

    The digest that an entry is stored under is keyed, too: a plain digest of a question tells whoever can guess the
    question that it was asked. A new key makes the cache begin anew, as old entries are not found any more.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._cipher: Any = None
        self._digest_key = b""
        if key is not None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._cipher = AESGCM(hmac.digest(key, b"fleetmeter cache: entries", "sha256"))
            self._digest_key = hmac.digest(key, b"fleetmeter cache: digests", "sha256")

    @classmethod
    def from_text(cls, source: str, text: str | None) -> "Vault":
        """A vault for a key as the setting `source` has it: 32 bytes in base64, as `openssl rand -base64 32` prints.

        Raises `ConfigError` for another text, which it does not quote, and if `cryptography` is not installed.
        """
        if not text:
            return cls()
        try:
            key = base64.b64decode(text.strip(), validate=True)
        except ValueError:  # binascii's own error is one
            key = b""
        if len(key) != _KEY_BYTES:
            raise ConfigError(
                "environment", source, "must be 32 random bytes in base64, as `openssl rand -base64 32` prints them"
            )
        try:
            return cls(key)
        except ImportError as error:
            raise ConfigError(
                "environment", source, "needs the package cryptography; install it with: pip install 'fleetmeter[app]'"
            ) from error

    def digest(self, content: bytes) -> str:
        """64 hexadecimal digits for this content, and for no other."""
        if self._digest_key:
            return hmac.new(self._digest_key, content, hashlib.sha256).hexdigest()
        return hashlib.sha256(content).hexdigest()

    def sealed(self, plain: bytes, place: str) -> bytes:
        """`plain` as it is stored; `place` is the field it stands under, and opens nothing that stands elsewhere."""
        if self._cipher is None:
            return plain
        nonce = os.urandom(_NONCE_BYTES)
        return bytes(nonce + self._cipher.encrypt(nonce, plain, place.encode()))

    def opened(self, stored: bytes, place: str) -> bytes:
        """What `sealed` was given. Raises ValueError for what this key did not seal, or not for this place."""
        if self._cipher is None:
            return stored
        from cryptography.exceptions import InvalidTag

        try:
            return bytes(self._cipher.decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], place.encode()))
        except (InvalidTag, ValueError) as error:
            raise ValueError("it was not sealed with this key") from error

"""Whether a user's password is right, by bcrypt hashes; what was found once is remembered, but not the password."""

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor

import bcrypt

BYTES = 72
"""Of a password that bcrypt looks at, here as in `htpasswd`."""
REMEMBERED = 128
"""Right passwords that are remembered, and as many wrong ones apart, so that guesses drive out no right one."""
WAITING = 32
"""Checks that may wait for their turn: at the usual cost of 10 the last one of them is answered after about 2 s."""

_COST = slice(4, 6)


class BasicAuth:
    """Checks passwords one after another, in a thread of its own: each costs some 60 ms of a processor, or more.

    An unknown user costs what a known one does, so that the time an answer takes does not tell them apart.
    """

    def __init__(self, thread: Executor | None = None) -> None:
        self._secret = secrets.token_bytes(32)
        self._found: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}
        self._running: dict[bytes, asyncio.Future[bool]] = {}
        self._thread = thread or ThreadPoolExecutor(1, "bcrypt")

    async def allows(self, users: Mapping[str, str], user: bytes, password: bytes) -> bool:
        """Whether one of `users` (user → hash) has this name and this password. Raises `TooMany`."""
        known = next((stored for name, stored in users.items() if name.encode() == user), None)
        stored = known or max(users.values(), key=lambda other: other[_COST])
        key = self._key(b"known" if known else b"unknown", user, stored.encode(), password)
        for answer, remembered in self._found.items():
            if key in remembered:
                remembered.move_to_end(key)
                return answer
        if key not in self._running:
            if len(self._running) >= WAITING:
                raise TooMany
            self._running[key] = asyncio.ensure_future(self._check(key, stored.encode(), password, known is not None))
        return await asyncio.shield(self._running[key])

    async def _check(self, key: bytes, stored: bytes, password: bytes, known: bool) -> bool:
        try:
            loop = asyncio.get_running_loop()
            right = await loop.run_in_executor(self._thread, _fits, password, stored)
        finally:
            del self._running[key]
        remembered = self._found[right and known]
        remembered[key] = None
        if len(remembered) > REMEMBERED:
            remembered.popitem(last=False)
        return right and known

    def _key(self, *parts: bytes) -> bytes:
        """A digest that only this process can make: its memory holds no password, and no fast hash of one."""
        digest = hashlib.blake2b(key=self._secret)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()


class TooMany(Exception):
    """More passwords wait to be checked than there is time for."""


def credentials(header: bytes) -> tuple[bytes, bytes] | None:
    """User and password of an `Authorization` header, None if it holds none."""
    scheme, _, encoded = header.strip().partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except binascii.Error:
        return None
    return (user, password) if colon else None


def _fits(password: bytes, stored: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:BYTES], stored)
    except ValueError:  # such as a password with a zero byte, which bcrypt refuses
        return False

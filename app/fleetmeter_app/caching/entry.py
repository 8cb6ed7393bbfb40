"""An answer worth keeping, and the bytes that it is stored as."""

import json
import zlib
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter

_LARGE = 2048
"""Bytes from which on an entry is compressed: below, zlib saves less than a packet."""

_PLAIN, _COMPRESSED = b"p", b"z"


@dataclass(frozen=True)
class Facts:
    """What an answer is beside its bytes.

    `status` and `content_type` are HTTP's; `model` and `tier` answered. `nanodollars` is what the call cost: None if it
    has no price, and then a hit saves nothing that is known.
    """

    status: int
    content_type: str
    model: str
    tier: str
    nanodollars: int | None = None


@dataclass(frozen=True)
class Entry:
    """A whole answer: what it is, and its body; for a stream that is every event as it was sent."""

    facts: Facts
    body: bytes

    def to_bytes(self) -> bytes:
        """A line of JSON and the body behind it, compressed if that is large."""
        plain = json.dumps(asdict(self.facts), separators=(",", ":")).encode() + b"\n" + self.body
        return _PLAIN + plain if len(plain) < _LARGE else _COMPRESSED + zlib.compress(plain, 1)

    @staticmethod
    def from_bytes(stored: bytes) -> "Entry":
        """What `to_bytes` made. Raises ValueError for anything else."""
        kind, content = stored[:1], stored[1:]
        if kind not in (_PLAIN, _COMPRESSED):
            raise ValueError("it is of an unknown kind")
        try:
            plain = zlib.decompress(content) if kind == _COMPRESSED else content
        except zlib.error as error:
            raise ValueError(str(error)) from error
        head, _, body = plain.partition(b"\n")
        return Entry(_FACTS.validate_json(head, strict=True), body)  # passes over what a later version adds


_FACTS = TypeAdapter(Facts)

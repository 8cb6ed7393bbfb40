"""Who the writers are: the replica, process and version that each of them stated when it said hello."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import redis

from fleetmeter.connection.client import translated
from fleetmeter.schema.keys import Keys

_AT_ONCE = 1000
"""Writers that are asked for in one round trip."""


@dataclass(frozen=True)
class Identity:
    """One writer. A text is empty if the store does not know it."""

    replica: str = ""
    pid: str = ""
    version: str = ""

    @property
    def name(self) -> str:
        """The label `replica` of this writer; empty if the store does not know it."""
        return f"{self.replica}:{self.pid}" if self.replica and self.pid else ""


class Identities:
    """Looks writers up. Who a writer is never changes, so each is asked for once."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._known: dict[str, Identity] = {}

    def of(self, writers: Iterable[str]) -> dict[str, Identity]:
        """The identity of each of these writers, and of no other. Raises `StoreError`."""
        wanted = list(writers)
        unknown = [writer for writer in wanted if writer not in self._known]
        with translated():
            for start in range(0, len(unknown), _AT_ONCE):
                self._look_up(unknown[start : start + _AT_ONCE])
        self._known = {writer: self._known[writer] for writer in wanted}
        return dict(self._known)

    def names(self, writers: Iterable[str]) -> dict[str, str]:
        """Each writer's name as the label `replica` has it, else its id. Raises `StoreError`."""
        return {writer: identity.name or writer for writer, identity in self.of(writers).items()}

    def _look_up(self, writers: list[str]) -> None:
        pipeline: Any = self._client.pipeline(transaction=False)
        for writer in writers:
            pipeline.hmget(self._keys.writer(writer), "replica", "pid", "version")
        for writer, raw in zip(writers, pipeline.execute(), strict=True):
            self._known[writer] = Identity(*((text or b"").decode("utf-8", "replace") for text in raw))

"""The lines of statements, which writers replace and nobody adds up: gauges, infos, state sets; see `block`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from operator import is_

from fleetmeter.reader.fields import Fields
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.reader.stated_fields import Stated
from fleetmeter.reader.statements import Statements
from fleetmeter_exporter.exposition.block import Subject
from fleetmeter_exporter.exposition.lines import UnfitName
from fleetmeter_exporter.exposition.rows import Unplain
from fleetmeter_exporter.exposition.stated_rows import shown_members

_Who = tuple[list[Stated], list[frozenset[str]], Mapping[str, str]]
"""The statements of each layout, the living writers of each, and the names of replicas by writer."""


class StatedBlock(ABC):
    """The lines of its subject. `samples` is their number; none of them has a time of creation."""

    created_lines = b""

    def __init__(self, subject: Subject, *, living: bool, folded: bool) -> None:
        self.subject = subject
        self._only_living, self._folded = living, folded
        self._learned: _Who | None = None
        self._plain = False
        self._shown: tuple[Sequence[bytes], bytes | None] | None = None
        self.samples = 0

    def text(self, statements: Statements, snapshot: Snapshot) -> bytes | None:
        """The lines in the order of an exposition, for the statements of a snapshot; None for the general way.

        The text is kept from the second time on that it is made of the same values: many change at each scrape.
        """
        stated = [one for layout in self.subject.layouts if (one := statements.plain(layout)) is not None]
        if len(stated) < len(self.subject.layouts):
            return None
        before = self._learned
        if before is None or not all(one is other for one, other in zip(stated, before[0], strict=True)):
            before = None
        living = [snapshot.alive & one.every_writer for one in stated] if self._only_living else []
        if before is None or living != before[1] or snapshot.replicas != before[2]:
            self._learned, self._shown = (stated, living, snapshot.replicas), None
            self._plain = self._learns(stated, living, snapshot.replicas, statements.fields.fields)
        if not self._plain:
            return None
        what = self._picked(statements)
        again = self._shown is not None and all(map(is_, self._shown[0], what))
        text = self._shown[1] if self._shown is not None and again else None
        if text is None:
            text = self._joined(what)
            self._shown = (what, text if again else None) if text is not None else None
        return text

    def _learns(
        self,
        stated: Sequence[Stated],
        living: Sequence[frozenset[str]],
        replicas: Mapping[str, str],
        fields: Fields,
    ) -> bool:
        try:
            members = [
                shown_members(one, living[at] if self._only_living else None, folded=self._folded)
                for at, one in enumerate(stated)
            ]
            self._learn(members, replicas, fields)
        except (UnfitName, Unplain):  # the general way says what is wrong
            return False
        return True

    @abstractmethod
    def _learn(self, members: Sequence[Stated], replicas: Mapping[str, str], fields: Fields, /) -> None:
        """Prepare for these statements of each layout, whose places are among `fields`.

        Raises `UnfitName` or `Unplain`.
        """

    @abstractmethod
    def _picked(self, statements: Statements) -> Sequence[bytes]:
        """What the lines are made of: the same objects make the same lines."""

    @abstractmethod
    def _joined(self, picked: Sequence[bytes]) -> bytes | None:
        """The lines; None if this library's writers would not have written one of the values."""

"""The fields of a hash from read to read: what is known of each goes along, wherever it stands now."""

from collections.abc import Sequence
from typing import Self

from fleetmeter.reader.change import Change, change_of


class Fields(list[bytes]):
    """The fields of a hash. As long as they are the same object, everything derived from them holds.

    If they differ from those of an earlier read, they also say how, so that nobody has to find that out again.
    """

    before: "Fields | None" = None
    """Those that were read before, as long as nothing newer was read."""
    change: Change | None = None
    """How these became of those."""

    @classmethod
    def after(cls, before: "Fields", fields: list[bytes]) -> Self:
        """Fields of a hash that was read later. Those that are the same are the same objects."""
        change = change_of(before, fields)
        made = cls(change.carried(before, [fields[place] for place in change.came]))
        made.before, made.change = before, change
        before.before, before.change = None, None
        return made

    def since(self, before: Sequence[bytes]) -> Change:
        """How another hash's fields became these."""
        change = self.change  # looked at once, and first: a later read, in another thread, takes it away
        return change if change is not None and before is self.before else change_of(before, self)

    def not_in(self, before: Sequence[bytes]) -> list[bytes]:
        """The fields that are new beside another hash's fields."""
        return [self[place] for place in self.since(before).came]

"""The tokens of a writer's batches: 32 random bits each, by which it knows its own rows again.

If a process is copied, both copies send a batch 7, and each has drawn a token of its own for it. A row with number 7
and another token is the other copy's.
"""

from array import array

from fleetmeter.schema.rows import token_text

KEEP = 2**14
"""Newest tokens that are kept, at least, 4 bytes each: an hour of four batches a second, as long as the log."""


class Tokens:
    """A token for each number from 1 on. The newest are kept."""

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        self._kept = array("I")
        self._forgotten = 0

    def append(self, token: int) -> None:
        """The next number's token."""
        self._kept.append(token)
        if len(self._kept) > 2 * self._keep:
            del self._kept[: self._keep]
            self._forgotten += self._keep

    def of(self, number: int) -> str | None:
        """A number's token as a row has it. Empty for 0; None if it is not kept, or if the number was never given."""
        if number == 0:
            return ""
        place = number - self._forgotten - 1
        return token_text(self._kept[place]) if 0 <= place < len(self._kept) else None

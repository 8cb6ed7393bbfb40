"""The tokens of a writer's batches, by which it knows its own rows again."""

from array import array

from fleetmeter.schema.rows import token_text

KEEP = 2**14
"""Newest tokens that are kept, at least, of 4 bytes each: an hour with four batches a second, as the log keeps them."""


class Tokens:
    """A token for each number from 1 on, of which the newest are kept."""

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
        """The token of a number as a row has it: empty for 0; None where it is not kept, or there is no such number."""
        if number == 0:
            return ""
        place = number - self._forgotten - 1
        return token_text(self._kept[place]) if 0 <= place < len(self._kept) else None

"""One number of the summary, as each party knows it."""

from dataclasses import dataclass

_NANO = 10**9


@dataclass(frozen=True)
class SummaryRow:
    """One number, as each party knows it; None if a party cannot know it.

    If `exact` is false, the true number may be larger than the client's. Money is in nano-dollars. A row that is
    `optional` is left out if nobody has counted anything.
    """

    name: str
    client: int | None
    ledger: int | None
    exporter: int
    exact: bool = True
    money: bool = False
    optional: bool = False

    @property
    def agrees(self) -> bool:
        """Whether no party contradicts the exporter."""
        if self.ledger not in (None, self.exporter):
            return False
        if self.client is None:
            return True
        return self.client == self.exporter if self.exact else self.client <= self.exporter

    @property
    def has_more(self) -> bool:
        """Whether the exporter has what the ledger has, and more than the client: another client's requests."""
        return self.ledger in (None, self.exporter) and self.client is not None and self.client < self.exporter

    @property
    def shown(self) -> bool:
        """Whether it says anything."""
        return not self.optional or any((self.client, self.ledger, self.exporter))

    @property
    def cells(self) -> tuple[str, str, str]:
        """What client, ledger and exporter say, as text."""
        client = self._text(self.client)
        if not self.exact and self.client is not None:
            client = f"≥ {client}"
        return client, self._text(self.ledger), self._text(self.exporter)

    def _text(self, value: int | None) -> str:
        if value is None:
            return "-"
        return dollars(value) if self.money else f"{value:,}"


def dollars(nanodollars: int) -> str:
    """An amount in dollars, to the last nano-dollar."""
    return f"{nanodollars // _NANO:,}.{nanodollars % _NANO:09}"

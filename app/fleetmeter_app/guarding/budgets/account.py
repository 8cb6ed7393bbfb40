"""An account of a budget as one replica knows it: what it has spent and holds itself, and what all have. No I/O."""

from dataclasses import dataclass, field

from fleetmeter_app.guarding.budgets.windows import Window, start_of


@dataclass
class Row:
    """What this replica has spent in one period and holds there, in nano-dollars.

    `assumed` is the part of `spent` that stands for calls whose cost is not known. `told_…` is what the store has.
    """

    spent: int = 0
    held: int = 0
    assumed: int = 0
    told_spent: int = 0
    told_held: int = 0
    told_assumed: int = 0


@dataclass(frozen=True)
class Statement:
    """What the store tells of an account: the period, the one before, and nano-dollars of all replicas."""

    start: int
    before: int
    spent: int
    held: int
    assumed: int


@dataclass(eq=False)
class Account:
    """One account; `key` is where the store keeps it.

    `start` is the period that the store named last, None before it was ever asked. `alerted` is the last period of
    which the log has said that the budget is used up.
    """

    key: str
    window: Window
    start: int | None = None
    spent: int = 0
    held: int = 0
    assumed: int = 0
    rows: dict[int, Row] = field(default_factory=dict)
    alerted: int | None = None
    _own: int = 0

    @property
    def untold(self) -> bool:
        """Whether the store has other figures of this replica than there are."""
        return any((row.spent, row.held) != (row.told_spent, row.told_held) for row in self.rows.values())

    @property
    def held_here(self) -> int:
        """What this replica holds for calls under way."""
        return sum(row.held for row in self.rows.values())

    def period(self, now: float) -> int:
        """The period to reserve in by this replica's own clock, unless the store has named that or a later one."""
        here = start_of(self.window, now)
        return here if self.start is None else max(here, self.start)

    def spent_so_far(self, now: float) -> int:
        """What is spent in the present period, with what the store has not been told yet."""
        start = self.period(now)
        row = self.rows.get(start, Row())
        return (self.spent if start == self.start else 0) + row.spent - row.told_spent

    def used(self, now: float) -> int:
        """What is spent or held in the present period, as far as this replica can know."""
        start = self.period(now)
        row = self.rows.get(start)
        own = row.spent + row.held if row else 0
        return own if start != self.start else self.spent + self.held - self._own + own

    def to_send(self) -> dict[int, tuple[int, int, int]]:
        """By period: spent, held, assumed."""
        return {start: (row.spent, row.held, row.assumed) for start, row in self.rows.items()}

    def hold(self, start: int, nanodollars: int) -> None:
        """Hold money in a period for a call."""
        self.rows.setdefault(start, Row()).held += nanodollars

    def settle(self, start: int, held: int, spent: int, *, assumed: bool) -> None:
        """Free what was held for a call in that period, and count what it has cost there.

        A period that is over and forgotten takes nothing any more: the present one does.
        """
        row = self.rows.get(start)
        if row is None:
            row = self.rows.setdefault(max(start, self.start or 0), Row())
        else:
            row.held = max(0, row.held - held)
        row.spent += spent
        row.assumed += spent if assumed else 0

    def told(self, statement: Statement, sent: dict[int, tuple[int, int, int]], granted: int) -> None:
        """Take in what the store answered to what was sent, and hold what it granted."""
        for start, (spent, held, assumed) in sent.items():
            row = self.rows.get(start)
            if row is not None and start in (statement.start, statement.before):
                row.told_spent, row.told_held, row.told_assumed = spent, held, assumed
        self.start, self.spent = statement.start, statement.spent
        self.held, self.assumed = statement.held, statement.assumed
        spent, held, _ = sent.get(statement.start, (0, 0, 0))
        self._own = spent + held + granted
        self._close_periods(statement)
        if granted:
            self.hold(statement.start, granted)
            self.rows[statement.start].told_held += granted

    def renew(self) -> None:
        """Begin as another replica: the store keeps what it was told under the former name."""
        for row in self.rows.values():
            row.spent -= row.told_spent
            row.assumed -= row.told_assumed
            row.told_spent = row.told_held = row.told_assumed = 0

    def _close_periods(self, statement: Statement) -> None:
        for start, row in list(self.rows.items()):
            if start in (statement.start, statement.before):
                over = start == statement.before and not row.held and row.spent == row.told_spent
            else:  # the store has forgotten it: what it was not told of counts now
                over = True
                if row.spent > row.told_spent:
                    now = self.rows.setdefault(statement.start, Row())
                    now.spent += row.spent - row.told_spent
                    now.assumed += row.assumed - row.told_assumed
            if over:
                del self.rows[start]

"""Keeps looking at a fleet while the board runs, once for all who have its page open."""

import asyncio
import logging
import time
from contextlib import closing

from fleetmeter.cli.doctor.check import Check, Status
from fleetmeter.cli.doctor.facts import gather
from fleetmeter.cli.doctor.server_checks import server_checks
from fleetmeter.cli.doctor.state_checks import read_or_refusal, state_checks
from fleetmeter.errors import FleetmeterError
from fleetmeter.watching.figures import COST
from fleetmeter.watching.history import KEPT
from fleetmeter.watching.measures import own_labels
from fleetmeter.watching.overview import Overview
from fleetmeter.watching.periods import Spent
from fleetmeter.watching.shown import Shown, remembered
from fleetmeter.watching.target import Target
from fleetmeter_board.prometheus import Prometheus, PrometheusError
from fleetmeter_exporter.logs import fields

log = logging.getLogger("fleetmeter.board")

_EXAMINED = 60.0
"""Seconds between two examinations by `doctor`'s checks."""
_FRESH = 30.0
"""Seconds for which an answer of a Prometheus is shown."""
_SOON = 2.0
"""Seconds that a page waits for an answer of a Prometheus; it goes on with the rest then."""


class Lookout:
    """What all pages show. `checks` are `doctor`'s, of a minute ago at most; `scrapes` is what a Prometheus says."""

    def __init__(self, target: Target, interval: float, prometheus: Prometheus | None = None) -> None:
        self.target = target
        self.overview = Overview(target)
        self.prometheus = prometheus
        self.checks: list[Check] = []
        self.scrapes: dict[str, float] = {}
        self.prometheus_problem = ""
        self.looks = 0
        self._interval = interval
        self._totals: dict[str, tuple[float, int, float]] = {}
        self._answers: dict[float, tuple[float, asyncio.Future[Shown]]] = {}
        self._shown: dict[float, Shown] = {}
        self._told = ""
        self._read = asyncio.Event()

    async def keep_looking(self) -> None:
        """Look again and again, and ask the Prometheus beside it, until cancelled."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._keep_looking())
            if self.prometheus is not None:  # it may take its time, and then the numbers of the store do not
                both.create_task(self._keep_asking(self.prometheus))

    async def _keep_looking(self) -> None:
        examined = -_EXAMINED
        while True:
            self.overview.take(await asyncio.to_thread(self.overview.watch.sight))
            self.looks += 1
            if self.overview.watch.now is not None:
                self._read.set()
            self._tell()
            if time.monotonic() - examined >= _EXAMINED and self.overview.watch.trouble is None:
                examined = time.monotonic()
                self.checks = await asyncio.to_thread(_examine, self.target)
                self.overview.failures = [
                    f"{check.subject}: {check.found}; {check.meaning}."
                    for check in self.checks
                    if check.status is Status.FAIL and check.subject != "state"  # the sighting itself says that
                ]
            elif self.overview.watch.trouble is not None:
                examined = -_EXAMINED  # what comes back may be another server, or in another state
            await asyncio.sleep(self._interval)

    async def _keep_asking(self, prometheus: Prometheus) -> None:
        await self._read.wait()
        while True:
            await self._ask(prometheus)
            await asyncio.sleep(_EXAMINED)

    async def shown(self, seconds: float) -> Shown:
        """Lines and amounts of the last `seconds`: from memory up to an hour, else from the Prometheus."""
        if seconds <= KEPT or self.prometheus is None:
            return remembered(self.overview.history, seconds)
        asked, answer = self._answers.get(seconds, (-_FRESH, None))
        if answer is None or (answer.done() and time.monotonic() - asked >= _FRESH):
            now = self.overview.watch.now
            labels = () if now is None else own_labels(now.totals)
            answer = asyncio.ensure_future(self.prometheus.shown(seconds, labels))
            self._answers[seconds] = (time.monotonic(), answer)
        done, _ = await asyncio.wait({answer}, timeout=_SOON)
        if done:
            self._shown[seconds] = answer.result()
        waiting = Shown(seconds, source=self.prometheus.place, problem=f"{self.prometheus.place} has not answered yet")
        return self._shown.get(seconds, waiting)

    def spent(self, period: str) -> Spent | None:
        """What `today` or the `month` cost; from a total that the Prometheus has, if that is of an earlier time."""
        own, now = self.overview.spent.get(period), self.overview.watch.now
        if own is None or now is None or own.whole:
            return own
        start, total, at = self._totals.get(period, (0.0, 0, own.since))
        spent = now.totals.nanodollars(COST) - total
        if start != self.overview.periods.start_of(period) or at >= own.since or spent < own.nanodollars:
            return own
        return Spent(spent, at, whole=at <= start + 1)

    async def close(self) -> None:
        """Close the connections."""
        self.overview.close()
        if self.prometheus is not None:
            await self.prometheus.close()

    def _tell(self) -> None:
        """One line in the log when the store goes away, and one when it is back."""
        trouble = self.overview.watch.trouble or ""
        if bool(trouble) != bool(self._told):
            if trouble:
                log.warning("the store cannot be read", extra=fields(problem=trouble))
            else:
                log.info("the store is back")
        self._told = trouble

    async def _ask(self, prometheus: Prometheus) -> None:
        """Ask it about its scrapes, and for the totals with which periods began that this board has not seen begin."""
        totals: dict[str, tuple[float, int, float]] = {}
        try:
            self.scrapes = await prometheus.scrapes()
            of_several = self.scrapes.get("copies", 1.0) > 1  # its sums are multiples of the truth
            for name, own in dict(self.overview.spent).items():
                start = self.overview.periods.start_of(name)
                if not own.whole and not of_several and (found := await prometheus.total_at(start)) is not None:
                    totals[name] = start, *found
        except PrometheusError as error:
            if str(error) != self.prometheus_problem:
                log.warning("the Prometheus cannot be used", extra=fields(problem=str(error)))
            self.scrapes, self.prometheus_problem = {}, str(error)
        else:
            self.prometheus_problem, self._totals = "", totals


def _examine(target: Target) -> list[Check]:
    """What `doctor` finds out by reading alone."""
    try:
        with closing(target.client()) as client, closing(target.reader()) as reader:
            checks = list(server_checks(gather(client)))
            return checks + list(state_checks(read_or_refusal(reader), None, target.keys, reader.life()))
    except FleetmeterError as error:
        return [Check(Status.FAIL, "reachable", str(error), "replicas keep their counts until it answers")]

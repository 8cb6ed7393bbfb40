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
        self._spent: dict[str, Spent] = {}
        self._answers: dict[float, tuple[float, asyncio.Future[Shown]]] = {}
        self._told = ""

    async def keep_looking(self) -> None:
        """Look again and again, until cancelled."""
        examined = -_EXAMINED
        while True:
            self.overview.take(await asyncio.to_thread(self.overview.watch.sight))
            self.looks += 1
            self._tell()
            if time.monotonic() - examined >= _EXAMINED and self.overview.watch.trouble is None:
                examined = time.monotonic()
                self.checks = await asyncio.to_thread(_examine, self.target)
                self.overview.failures = [
                    f"{check.subject}: {check.found}; {check.meaning}."
                    for check in self.checks
                    if check.status is Status.FAIL and check.subject != "state"  # the sighting itself says that
                ]
                await self._ask_prometheus()
            await asyncio.sleep(self._interval)

    async def shown(self, seconds: float) -> Shown:
        """Lines and amounts of the last `seconds`: from memory up to an hour, else from the Prometheus."""
        if seconds <= KEPT or self.prometheus is None:
            return remembered(self.overview.history, seconds)
        asked, answer = self._answers.get(seconds, (-_FRESH, None))
        if answer is None or time.monotonic() - asked >= _FRESH:
            now = self.overview.watch.now
            labels = () if now is None else own_labels(now.totals)
            answer = asyncio.ensure_future(self.prometheus.shown(seconds, labels))
            self._answers[seconds] = (time.monotonic(), answer)
        return await asyncio.shield(answer)

    def spent(self, period: str) -> Spent | None:
        """What `today` or the `month` cost; from the Prometheus if that knows more of the period."""
        own, asked = self.overview.spent.get(period), self._spent.get(period)
        if own is None or own.whole or asked is None or asked.since >= own.since:
            return own
        return asked

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

    async def _ask_prometheus(self) -> None:
        if self.prometheus is None:
            return
        try:
            self.scrapes = await self.prometheus.scrapes()
            for name, own in self.overview.spent.items():
                if own.whole:
                    continue
                start = self.overview.periods.start_of(name)
                found = await self.prometheus.spent(start)
                if found is not None:
                    self._spent[name] = Spent(round(found[0]), found[1], whole=found[1] <= start + 1)
        except PrometheusError as error:
            if str(error) != self.prometheus_problem:
                log.warning("the Prometheus cannot be used", extra=fields(problem=str(error)))
            self.scrapes, self.prometheus_problem = {}, str(error)
        else:
            self.prometheus_problem = ""


def _examine(target: Target) -> list[Check]:
    """What `doctor` finds out by reading alone."""
    try:
        with closing(target.client()) as client, closing(target.reader()) as reader:
            checks = list(server_checks(gather(client)))
            return checks + list(state_checks(read_or_refusal(reader), None, target.keys, reader.life()))
    except FleetmeterError as error:
        return [Check(Status.FAIL, "reachable", str(error), "replicas keep their counts until it answers")]

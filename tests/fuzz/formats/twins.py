"""A plan done in namespaces that differ in the format of their numbers only."""

import secrets
import time
from bisect import bisect
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from fleetmeter.settings import Settings
from fleetmeter_exporter.exposition.exposition import Exposition
from fleetmeter_exporter.fleet import Fleet, Scrape
from fuzz.formats.drawing import REPLICAS
from fuzz.formats.plan import Deed, Plan
from fuzz.formats.recorder import Recorder
from support.store import StoreAddress

FORMATS = {"fields": (False,) * REPLICAS, "packed": (True,) * REPLICAS, "both": (True, False, True)}
"""Whether each replica packs its numbers, by what its namespace is called. `fields` comes first."""


@dataclass
class Clock:
    """When each deed began, so that times of different namespaces can be compared."""

    begun: list[float] = field(default_factory=list)

    def tick(self) -> None:
        """A deed begins."""
        self.begun.append(time.time())

    def deed_at(self, seconds: float) -> int | None:
        """The place of the deed during which it was that late; None for a number that is no time of this plan."""
        if not self.begun or not self.begun[0] <= seconds <= time.time() + 1:
            return None
        return bisect(self.begun, seconds)


class Twin:
    """One of the namespaces: its replicas, and an exporter that follows it."""

    def __init__(self, address: StoreAddress, plan: Plan, packed: tuple[bool, ...], ends: ExitStack) -> None:
        self._plan = plan
        self._settings = Settings(url=address.url, namespace=address.namespace)
        self._replicas = [
            ends.enter_context(
                closing(Recorder(address, [family[at] for family in plan.families], plan.bound, packed=one))
            )
            for at, one in enumerate(packed)
        ]
        self._fleet = ends.enter_context(closing(Fleet(self._settings, created=plan.created)))
        self._exposition = Exposition(plan.form, created=plan.created)
        self.scrape = Scrape(address.namespace)
        self.text = ""

    def do(self, deed: Deed) -> None:
        """Do a deed; after a scrape `scrape` and `text` are what came of it."""
        if deed.what != "scrape":
            self._replicas[deed.replica].do(deed)
            return
        self.scrape = self._fleet.scrape()
        self.text = self._exposition.text([self.scrape], 0.0).decode()

    def afresh(self) -> tuple[Scrape, str]:
        """What an exporter says that has just been started; and a scrape of it that nobody has used."""
        with closing(Fleet(self._settings, created=self._plan.created)) as fleet:
            text = Exposition(self._plan.form, created=self._plan.created).text([fleet.scrape()], 0.0)
            return fleet.scrape(), text.decode()


def done(plan: Plan, url: str) -> Iterator[tuple[Deed, Clock, dict[str, Twin]]]:
    """Do a plan deed by deed, in every namespace. `url` is the store's; what a plan leaves there is deleted.

    Layouts of both formats in one namespace have a bound each, so there is no such twin where the bound is low, nor in
    every second plan, to save time.
    """
    clock = Clock()
    formats = {name: packed for name, packed in FORMATS.items() if name != "both" or plan.both}
    with ExitStack() as ends:
        twins = {}
        for name, packed in formats.items():
            address = StoreAddress(url, "fuzz-" + secrets.token_hex(8))
            ends.callback(_delete, address)
            twins[name] = Twin(address, plan, packed, ends)
        for deed in plan.deeds:
            clock.tick()
            for twin in twins.values():
                twin.do(deed)
            yield deed, clock, twins


def _delete(address: StoreAddress) -> None:
    """Delete a namespace: a server that is given many of them would be full in the end."""
    with closing(address.client()) as client:
        client.unlink(*client.keys(f"{address.keys.writers.removesuffix('writers')}*"), "nothing")

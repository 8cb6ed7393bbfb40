"""One namespace in an exporter: read at each scrape, compared with the snapshot served before, merged into families."""

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import fleetmeter
from fleetmeter.connection.provider import CredentialProvider
from fleetmeter.errors import FleetmeterError, StateError, StoreError
from fleetmeter.process.installation import current
from fleetmeter.reader.continuity import HOLD, Continuity, Shown
from fleetmeter.reader.exemplars import Exemplars
from fleetmeter.reader.families import Families, Family, Source
from fleetmeter.reader.gauge_read import registered
from fleetmeter.reader.life import Life
from fleetmeter.reader.reading import Reader
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.settings import Settings
from fleetmeter_exporter.held import HoldLog
from fleetmeter_exporter.logs import fields

if TYPE_CHECKING:
    from fleetmeter.reader.statements import Statements

log = logging.getLogger("fleetmeter.exporter")

OWN_FLUSH_TIMEOUT = 0.5
"""Seconds to wait for this process's own records to be in the store, if it both records and collects."""

UNREAD = (
    "unreachable",
    "timeout",
    "loading",
    "auth",
    "refused",
    "newer_format",
    "unreadable",
    "wrong_type",
    "bad_definition",
    "bad_value",
)
"""Reasons why something in the store could not be read."""

UNSHOWN = ("unknown_type", "conflict")
"""Reasons why something that was read is not shown. `unknown_type`: a later version of fleetmeter made the type.
`conflict`: its name or type cannot stand beside another family's."""

REASONS = (*UNREAD, *UNSHOWN)
"""All values of the label `reason` of `fleetmeter_last_scrape_error`."""


@dataclass
class Scrape:
    """The result of one scrape of one namespace.

    `shown` and `families` are None if nothing could be read. `errors` maps each part with trouble to one of `REASONS`
    and a text for people; the part `""` is the whole namespace. `seconds` is how long reading took.
    """

    namespace: str
    shown: Shown | None = None
    families: Families | None = None
    errors: dict[str, tuple[str, str]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def up(self) -> bool:
        """Whether everything in the store could be read."""
        return not any(reason in UNREAD for reason, _ in self.errors.values())

    def family(self, source: Source) -> Family | None:
        """One family with its samples. If it cannot be read, that is noted, and the result is None."""
        if self.families is None:
            return None
        try:
            return self.families.family(source)
        except StateError as error:
            self.note(source.newest.name, error.reason, str(error))
            return None

    def note(self, what: str, reason: str, problem: str) -> None:
        """Note trouble with a part; the first note for a part stays."""
        self.errors.setdefault(what, (reason, problem))


class Fleet:
    """One namespace, and what was served of it before. Any number of threads may use it; one reads at a time."""

    def __init__(self, settings: Settings, hold: float = HOLD, *, created: bool = False) -> None:
        self.settings = settings
        self.namespace = settings.namespace
        self._continuity = Continuity(hold)
        self._reader = Reader(
            settings.url, settings.namespace, credentials=settings.credentials, returns=created, reads=registered()
        )
        self._stated: Statements | None = None
        self._exemplars = Exemplars()
        self._reading = threading.Lock()
        self._telling = threading.Lock()  # a second lock, because a read may take long
        self._told: dict[str, tuple[str, str]] = {}
        self._hold_log = HoldLog(self.namespace, hold)

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()

    def scrape(self) -> Scrape:
        """Read the namespace, and decide what may be shown. Never raises because of the store."""
        started = time.perf_counter()
        self._flush_own_records()
        scrape = Scrape(self.namespace)
        try:
            with self._reading:
                shown = self._continuity.show(self._reader.read(self._continuity.known))
        except FleetmeterError as error:
            scrape.note("", reason_of(error), str(error))
        else:
            scrape.shown, scrape.families = shown, Families(shown.snapshot, self._stated, self._exemplars)
            self._stated = scrape.families.statements
            for problem in (*shown.snapshot.problems, *scrape.families.statements.problems):
                scrape.note(problem.key, problem.reason, str(problem))
            for name, kind in scrape.families.left_out.items():
                problem_text = (
                    f"family {name!r} is not served: a later version of fleetmeter made its type {kind!r}; "
                    "update this exporter"
                )
                scrape.note(name, "unknown_type", problem_text)
            self._hold_log.tell(shown)
        scrape.seconds = time.perf_counter() - started
        return scrape

    def glance(self) -> Snapshot:
        """Epoch and rows as the store has them. Raises `FleetmeterError` if a scrape could show nothing."""
        with self._reading:
            return self._reader.glance()

    def life(self) -> Life | None:
        """Since when the store runs without a restart; None if it cannot say. Raises `StoreUnreachable`."""
        with self._reading:
            return self._reader.life()

    def tell(self, scrape: Scrape) -> None:
        """Log one line for each part that has new trouble since the scrape before, and for each that has none now."""
        with self._telling:
            before = self._told
            self._told = dict(scrape.errors) if scrape.shown is not None else before | scrape.errors
            now = self._told
        for what, (reason, problem) in now.items():
            if what not in before or before[what][0] != reason:
                level, message = (
                    (logging.ERROR, "cannot be read") if reason in UNREAD else (logging.WARNING, "is not served")
                )
                log.log(level, message, extra=fields(namespace=self.namespace, reason=reason, problem=problem))
        for what in before.keys() - now.keys():
            log.info("is in order again", extra=fields(namespace=self.namespace, reason=before[what][0], part=what))

    def _flush_own_records(self) -> None:
        runtime = current()
        if runtime is not None and (runtime.settings.url, runtime.settings.namespace) == (
            self.settings.url,
            self.namespace,
        ):
            fleetmeter.flush(OWN_FLUSH_TIMEOUT)


def reason_of(error: FleetmeterError) -> str:
    """The one of `REASONS` that fits an error which ended a read."""
    if isinstance(error, StateError):
        return error.reason if error.reason == "newer_format" else "unreadable"
    if isinstance(error, StoreError) and error.reason in UNREAD:
        return error.reason
    return "refused"


def fleet_settings(
    url: str | None = None, namespace: str | None = None, credential_provider: CredentialProvider | None = None
) -> Settings:
    """The fleet from the arguments, else the one into which this process records, else from the environment."""
    runtime = current()
    if runtime is not None:
        if url in (None, runtime.settings.url):
            credential_provider = credential_provider or runtime.settings.credentials.provider
        url, namespace = url or runtime.settings.url, namespace or runtime.settings.namespace
    return Settings.from_env(url=url, namespace=namespace, credential_provider=credential_provider)

"""A replica that does what it reads from its standard input, in whichever version of the library is on its path."""

import json
import sys
from collections.abc import Callable

from prometheus_client import Counter, Histogram

import fleetmeter
from fleetmeter.process.goodbye import say_goodbye_for
from fleetmeter.reader.families import families_of
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.keys import Keys
from fleetmeter.settings import Settings
from fleetmeter.writer.housekeeping import Housekeeper
from fleetmeter.writer.store import Store


def count(amount: str) -> object:
    """Record, and hand over; whether that went well."""
    with fleetmeter.atomic():
        JOBS.inc(int(amount))
        SECONDS.observe(int(amount))
    return fleetmeter.flush(10)


def export() -> object:
    """What this version's reader makes of the state: every sample of a family, by name."""
    reader = Reader(SETTINGS.url, SETTINGS.namespace)
    found = families_of(reader.read())
    reader.close()
    return {family.definition.name + s.suffix: s.value for family in found for s in family.samples if not s.labels}


def sweep(epoch: str, now_us: str) -> object:
    """Put away what is due."""
    Housekeeper(STORE).sweep(epoch, int(now_us))
    return True


def goodbye(pid: str) -> object:
    """Say goodbye for another process of this host."""
    say_goodbye_for(pid, SETTINGS, STORE)
    return True


COMMANDS: dict[str, Callable[..., object]] = {"count": count, "export": export, "sweep": sweep, "goodbye": goodbye}

fleetmeter.install()
JOBS = Counter("versioned_jobs", "Jobs.")
SECONDS = Histogram("versioned", "Seconds.", unit="seconds")
SETTINGS = Settings.from_env()
STORE = Store(SETTINGS.url, Keys(SETTINGS.namespace))
sys.stdout.write("ready\n")
sys.stdout.flush()
for line in sys.stdin:
    name, *arguments = line.split()
    sys.stdout.write(json.dumps(COMMANDS[name](*arguments)) + "\n")
    sys.stdout.flush()

"""A replica's breakers, told what to do line by line: `python -m support.breaker_worker URL NAMESPACE`.

Lines: `fail` and `succeed` report a call of the deployment, `ask` asks whether it may be called and begins the call if
so, `watch` waits until it is refused. Each is answered by one line: the answer and the time by the monotonic clock.
"""

import asyncio
import sys
import time

from fleetmeter.schema.keys import Keys
from fleetmeter_app.guarding.breaker.breakers import Breakers
from fleetmeter_app.guarding.breaker.config import BreakerConfig
from fleetmeter_app.guarding.door import Door
from support.guards import PATIENT, until

DEPLOYMENT = "default/gpt-6-luna"
CONFIG = BreakerConfig(consecutive_failures=3, open_seconds=1.5, probe_seconds=30)


async def work(url: str, namespace: str) -> None:
    """Do what standard input says."""
    door = Door(url, Keys(namespace), timeout=PATIENT)
    breakers = Breakers(door, CONFIG, {DEPLOYMENT: "gpt-6-luna"})
    await breakers.start()

    async def answer(line: str) -> str:
        if line in ("fail", "succeed"):
            breakers.report(DEPLOYMENT, failed=line == "fail")
            return line
        if line == "watch":
            await until(lambda: breakers.refuses(DEPLOYMENT) is not None)
            return "refused"
        if breakers.refuses(DEPLOYMENT) is not None:
            return "refused"
        breakers.begins(DEPLOYMENT)
        return "may"

    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        sys.stdout.write(f"{await answer(line)} {time.monotonic()}\n")
        sys.stdout.flush()
    await breakers.close()
    await door.close()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))

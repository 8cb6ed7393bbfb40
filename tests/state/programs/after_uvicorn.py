"""A server that counts in its last moment, before uvicorn raises SIGTERM again; then it ends, or goes on, as told."""

import asyncio
import os
import signal
import sys
import time

import uvicorn
from prometheus_client import Counter

import fleetmeter

way = sys.argv[1]
last = Counter("last", "Records that nothing but an exit handler hands over.")


class Server(uvicorn.Server):
    """Is told to end when it begins to serve, and records when everything else is over."""

    async def main_loop(self) -> None:
        """Take the signal here: told any earlier, older versions end without their shutdown."""
        os.kill(os.getpid(), signal.SIGTERM)
        await super().main_loop()

    async def shutdown(self, sockets: object = None) -> None:
        """End, and record."""
        await super().shutdown()
        await asyncio.sleep(0.05)  # the flush thread has looked by now
        last.inc(7)


async def app(scope: dict[str, str], receive: object, send: object) -> None:
    """Take the signal inside the server, as an application that is imported there does."""
    if scope["type"] == "lifespan":
        fleetmeter.install(flush_interval=60.0)


config = uvicorn.Config(app, uds=sys.argv[2], lifespan="on", log_level="critical")
Server(config).run()
if way == "goes on":
    while True:
        time.sleep(0.1)

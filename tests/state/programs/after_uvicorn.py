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
    """Records when everything else is over."""

    async def shutdown(self, sockets: object = None) -> None:
        """End, and record."""
        await super().shutdown()
        await asyncio.sleep(0.05)  # the flush thread has looked by now
        last.inc(7)


async def app(scope: dict[str, str], receive: object, send: object) -> None:
    """Take the signal inside the server, as an application that is imported there does; then be told to end."""
    if scope["type"] == "lifespan":
        fleetmeter.install(flush_interval=60.0)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)


config = uvicorn.Config(app, uds=sys.argv[2], lifespan="on", log_level="critical")
Server(config).run()
if way == "goes on":
    while True:
        time.sleep(0.1)

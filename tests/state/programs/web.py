"""A FastAPI application that counts its requests, and that `instrument_fastapi` does not know: nobody sees it end."""

import asyncio

from fastapi import FastAPI
from prometheus_client import Counter, Histogram

import fleetmeter

fleetmeter.install()
app = FastAPI()
requests = Counter("requests", "Requests that were answered.")
seconds = Histogram("request_seconds", "The time they were asked to take.", unit="seconds", buckets=(0.1, 1))


@app.get("/work")
async def work(wait: float = 0) -> None:
    """Answer after so many seconds."""
    await asyncio.sleep(wait)
    requests.inc()
    seconds.observe(wait)

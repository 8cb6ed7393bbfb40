"""An ASGI application: `uvicorn --workers 2 asgi_app:app`, or `gunicorn --worker-class asgi asgi_app:app`.

A uvicorn worker ends by raising SIGTERM again, so that no exit function runs. `instrument_fastapi` hands over when the
ASGI lifespan ends. Without it, only fleetmeter's SIGTERM handler hands over.
"""

import asyncio

from fastapi import FastAPI
from prometheus_client import Counter, Histogram

import fleetmeter

fleetmeter.install()
app = FastAPI()
fleetmeter.instrument_fastapi(app)
requests = Counter("requests", "Requests that were answered.")
seconds = Histogram("request_seconds", "The time they were asked to take.", unit="seconds", buckets=(0.1, 1))


@app.get("/work")
async def work(wait: float = 0) -> None:
    """Answer /work?wait=0.5 after so many seconds."""
    await asyncio.sleep(wait)
    requests.inc()
    seconds.observe(wait)

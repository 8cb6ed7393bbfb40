"""A FastAPI service that has nothing to do with language models, and counts errors of its own by their kind."""

import json
import sys

from fastapi import FastAPI
from prometheus_client import Counter
from starlette.testclient import TestClient

import fleetmeter

ERRORS = Counter("errors", "Orders that could not be taken.", ["kind"])
app = FastAPI()
fleetmeter.install()
fleetmeter.instrument_fastapi(app)


@app.get("/orders/{order}")
def take(order: int) -> int:
    """Take an order, or not."""
    if order == 0:
        ERRORS.labels("sold_out").inc()
        raise LookupError("sold out")
    return order


with TestClient(app, raise_server_exceptions=False) as client:
    for order in (1, 2, 0):
        client.get(f"/orders/{order}")
imported = sorted(name for name in sys.modules if name.startswith("fleetmeter.llm") or name == "fleetmeter.pricing")
sys.stdout.write(json.dumps(imported))

"""FastAPI, counted by prometheus-fastapi-instrumentator."""

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from matrix_noted import ASGI
from prometheus_fastapi_instrumentator import Instrumentator

app = FastAPI()


@app.get("/", response_class=PlainTextResponse)
async def answer() -> str:
    """Answer."""
    return "ok"


Instrumentator().instrument(app).expose(app)
application = ASGI(app)

"""The Sanic application."""

from matrix_ledger import record
from sanic import Request, Sanic
from sanic.response import HTTPResponse, text

app = Sanic("matrix")


@app.get("/")
async def answer(_: Request) -> HTTPResponse:
    """Record and answer."""
    record()
    return text("ok")

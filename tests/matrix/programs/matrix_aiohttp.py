"""The aiohttp application, alone or under gunicorn."""

import sys

from aiohttp import web
from matrix_ledger import record


async def answer(_: web.Request) -> web.Response:
    """Record and answer."""
    record()
    return web.Response(text="ok")


app = web.Application()
app.add_routes([web.get("/", answer)])
if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)

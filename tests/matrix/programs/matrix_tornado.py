"""Tornado, forked into two processes."""

import asyncio
import sys

import tornado.httpserver
import tornado.netutil
import tornado.process
import tornado.web
from matrix_ledger import record


class Answer(tornado.web.RequestHandler):
    """The one page."""

    def get(self) -> None:
        """Record and answer."""
        record()
        self.write("ok")


async def serve() -> None:
    """Answer until told to end."""
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", Answer)]))
    server.add_sockets(sockets)
    await asyncio.Event().wait()


sockets = tornado.netutil.bind_sockets(int(sys.argv[1]), "127.0.0.1")
tornado.process.fork_processes(2, max_restarts=0)
asyncio.run(serve())

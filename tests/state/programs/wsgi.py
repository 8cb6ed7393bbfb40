"""A WSGI application that counts what it answers, under the server that the first argument names, in worker threads.

`COUNT_IMPORT` in the environment counts when the module is imported, as under uWSGI in the master. `OWN_HOOK` sets a
hook of uWSGI's. `INTERRUPT_ONE` names a file that the worker makes which interrupts itself while it starts.
"""

import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from prometheus_client import Counter

import fleetmeter

fleetmeter.install()
answered = Counter("answered", "Requests.")
imported = Counter("imported", "Imports.")
ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
if os.environ.get("COUNT_IMPORT"):
    imported.inc()
    if os.environ["COUNT_IMPORT"] == "both":
        answered.inc(0)
if os.environ.get("OWN_HOOK"):
    import uwsgi

    def own_hook() -> None:
        """The application's own."""
        Path(os.environ["OWN_HOOK"]).write_text("called")

    uwsgi.post_fork_hook = own_hook
if os.environ.get("INTERRUPT_ONE"):
    master = os.getpid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it

    def interrupt_one(frame: FrameType, event: str, _: object) -> None:
        """In the first worker that comes by, send an interrupt from the midst of what a fork calls."""
        if frame.f_code.co_name == "_be_another" and event == "call" and os.getpid() != master:
            sys.setprofile(None)
            try:
                os.close(os.open(os.environ["INTERRUPT_ONE"], os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return
            signal.raise_signal(signal.SIGINT)

    sys.setprofile(interrupt_one)


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Count, note it, answer."""
    answered.inc()
    os.write(ledger, b"x")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


if __name__ == "__main__":
    server, port = sys.argv[1], int(sys.argv[2])
    if server == "waitress":
        import waitress

        waitress.serve(application, host="127.0.0.1", port=port, threads=4)
    else:
        from socketserver import ThreadingMixIn
        from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

        class Server(ThreadingMixIn, WSGIServer):
            """A thread per request."""

            daemon_threads = True

        class Handler(WSGIRequestHandler):
            """Without a log."""

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        make_server("127.0.0.1", port, application, Server, Handler).serve_forever()

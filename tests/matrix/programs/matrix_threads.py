"""Servers with worker threads, whose process SIGTERM's default action ends."""

import sys

from matrix_wsgi import application

server, port = sys.argv[1], int(sys.argv[2])
if server == "waitress":
    import waitress

    waitress.serve(application, host="127.0.0.1", port=port, threads=4)
elif server == "cheroot":
    from cheroot.wsgi import Server

    Server(("127.0.0.1", port), application).safe_start()
elif server == "werkzeug":
    from werkzeug.serving import run_simple

    run_simple("127.0.0.1", port, application, threaded=True)
else:
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIServer, make_server

    class Threading(ThreadingMixIn, WSGIServer):
        """A thread per request."""

        daemon_threads = True

    make_server("127.0.0.1", port, application, Threading).serve_forever()

"""What is tried: software and version, how it is started, and how its run ends."""

from dataclasses import dataclass, field

WSGI, ASGI = "matrix_wsgi:application", "matrix_asgi:application"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    `packages` are installed first. `command` starts the software; PORT, STORE and NAME in it are put in. A service
    is asked over HTTP. Jobs are put into a queue by `matrix_<queue>.py`. A program that is neither ends by itself.
    `signal` is sent under load, or after it. `loss` is what docs/limits.md permits: the share of the ledger that may be
    missing.
    `counter` is the sample that is compared, summed over its series: a library's own, if it counts by itself.
    """

    name: str
    packages: tuple[str, ...]
    command: str
    service: bool = False
    queue: str = ""
    whole_group: bool = False
    signal: str = "TERM"
    variables: dict[str, str] = field(default_factory=dict)
    loss: float = 0.0
    counter: str = "counted_total"


def _service(name: str, packages: str, command: str, **more: object) -> Row:
    return Row(name, tuple(packages.split()), command, service=True, **more)  # type: ignore[arg-type]


def _worker(name: str, packages: str, command: str, queue: str, **more: object) -> Row:
    return Row(name, tuple(packages.split()), command, queue=queue, **more)  # type: ignore[arg-type]


def _library(name: str, packages: str, command: str, counter: str) -> Row:
    return Row(name, tuple(packages.split()), command, service=True, counter=counter)


def _program(name: str, packages: str, way: str) -> Row:
    return Row(name, tuple(packages.split()), f"python matrix_children.py {way}")


_GUNICORN = "python -m gunicorn --no-control-socket --log-level error --workers 2 --bind 127.0.0.1:PORT"
_THREADS = f"{_GUNICORN} --worker-class gthread --threads 4"
_UVICORN = "uvicorn --log-level error --workers 2 --port PORT"
_UWSGI = f"pyuwsgi --http-socket 127.0.0.1:PORT --module {WSGI} --processes 3 --master -L --enable-threads"
_RQ, _HUEY = "rq worker --quiet --burst --url STORE", "python -m huey.bin.huey_consumer matrix_huey.huey -q -w 2"
_DRAMATIQ, _CELERY = "dramatiq matrix_dramatiq -p 2 -t 2", "celery -q -A matrix_celery worker -c 2 -l critical"
_LOCAL = {"COUNT_IMPORT": "1"}

ROWS = (
    _service("granian, asgi", "granian==2.8.9", f"granian --interface asgi --port PORT --workers 2 {ASGI}"),
    _service("granian, wsgi", "granian==2.8.9", f"granian --interface wsgi --port PORT --workers 2 {WSGI}"),
    _service("hypercorn, 1 worker", "hypercorn==0.18.0", f"hypercorn --bind 127.0.0.1:PORT {ASGI}"),
    _service("hypercorn, 2 workers", "hypercorn==0.18.0", f"hypercorn --workers 2 --bind 127.0.0.1:PORT {ASGI}"),
    _service("daphne", "daphne==4.2.3", f"daphne --port PORT --verbosity 0 {ASGI}"),
    _service("sanic, 2 workers", "sanic==25.12.1", "sanic matrix_sanic:app --host 127.0.0.1 --port PORT --workers 2"),
    _service("sanic, single process", "sanic==25.12.1", "sanic matrix_sanic:app --port PORT --single-process"),
    _service("aiohttp", "aiohttp==3.14.5", "python matrix_aiohttp.py PORT"),
    _service("gunicorn, gthread", "gunicorn==27.0.1", f"{_THREADS} {WSGI}"),
    _service(
        "gunicorn, aiohttp",
        "gunicorn==27.0.1 aiohttp==3.14.5",
        f"{_GUNICORN} --worker-class aiohttp.GunicornWebWorker matrix_aiohttp:app",
    ),
    _service("gunicorn, tornado", "gunicorn==27.0.1 tornado==6.6.1", f"{_GUNICORN} --worker-class tornado {WSGI}"),
    _service("uvicorn, --reload", "uvicorn==0.54.0", f"uvicorn --log-level error --reload --port PORT {ASGI}"),
    _service(
        "uvicorn, --limit-max-requests",
        "uvicorn==0.54.0",
        f"uvicorn --log-level error --workers 2 --limit-max-requests 40 --port PORT {ASGI}",
    ),
    _service("waitress", "waitress==3.0.2", "python matrix_threads.py waitress PORT"),
    _service("cheroot", "cheroot==11.1.2", "python matrix_threads.py cheroot PORT"),
    _service("werkzeug", "werkzeug==3.1.3", "python matrix_threads.py werkzeug PORT"),
    _service("wsgiref", "", "python matrix_threads.py wsgiref PORT"),
    _service("pyuwsgi, idle workers", "pyuwsgi==2.0.30.post1", _UWSGI, signal="INT after load", variables=_LOCAL),
    _service(
        "pyuwsgi, --py-call-osafterfork", "pyuwsgi==2.0.30.post1", f"{_UWSGI} --py-call-osafterfork",
        signal="INT after load", variables=_LOCAL,
    ),
    _service(
        "pyuwsgi, graceful", "pyuwsgi==2.0.30.post1",
        f"{_UWSGI} --hook-master-start unix_signal:15,gracefully_kill_them_all", variables=_LOCAL,
    ),
    _service("pyuwsgi, busy workers", "pyuwsgi==2.0.30.post1", _UWSGI, signal="INT", variables=_LOCAL, loss=0.5),
    _service("tornado, fork_processes", "tornado==6.6.1", "python matrix_tornado.py PORT", whole_group=True),
    _worker("rq, worker", "rq==3.0.0", f"{_RQ} NAME", "rq"),
    _worker("rq, SpawnWorker", "rq==3.0.0", f"{_RQ} -w rq.worker.SpawnWorker NAME", "rq"),
    _worker("rq, worker-pool", "rq==3.0.0", "rq worker-pool -n 2 --quiet --burst --url STORE NAME", "rq"),
    _worker("rq, SimpleWorker", "rq==3.0.0", f"{_RQ} -w rq.worker.SimpleWorker NAME", "rq"),
    _worker("dramatiq, fork", "dramatiq[redis]==2.2.1", _DRAMATIQ, "dramatiq"),
    _worker("dramatiq, spawn", "dramatiq[redis]==2.2.1", f"{_DRAMATIQ} --use-spawn", "dramatiq"),
    _worker("huey, threads", "huey==3.5.4 redis", _HUEY, "huey"),
    _worker("huey, processes", "huey==3.5.4 redis", f"{_HUEY} --worker-type process", "huey"),
    _worker("arq", "arq==0.25.0", "arq matrix_arq.Settings", "arq"),
    _worker("arq 0.28", "arq==0.28.0", "arq matrix_arq.Settings", "arq"),
    _worker("taskiq", "taskiq==0.13.0 taskiq-redis", "taskiq worker matrix_taskiq:broker --workers 2", "taskiq"),
    _worker("celery, prefork", "celery[redis]==5.7.0", _CELERY, "celery"),
    _worker("celery, threads", "celery[redis]==5.7.0", f"{_CELERY} -P threads", "celery"),
    _worker("celery, solo", "celery[redis]==5.7.0", f"{_CELERY} -P solo", "celery"),
    _library(
        "prometheus-fastapi-instrumentator", "prometheus-fastapi-instrumentator==8.1.0 fastapi uvicorn",
        f"{_UVICORN} matrix_instrumentator:application", "http_requests_total",
    ),
    _library(
        "starlette_exporter", "starlette_exporter==0.24.0 uvicorn", f"{_UVICORN} matrix_starlette:application",
        "starlette_requests_total",
    ),
    _library(
        "litestar's plugin", "litestar[prometheus] uvicorn", f"{_UVICORN} matrix_litestar:application",
        "litestar_requests_total",
    ),
    _library(
        "prometheus_flask_exporter", "prometheus_flask_exporter==0.23.2 gunicorn==27.0.1",
        f"{_THREADS} matrix_flask:application", "flask_http_request_total",
    ),
    _library(
        "django-prometheus", "django-prometheus==2.5.0 django gunicorn==27.0.1",
        f"{_THREADS} matrix_django:application",
        "django_http_responses_before_middlewares_total",
    ),
    _program("joblib", "joblib==1.6.0", "joblib"),
    _program("loky", "loky==3.7.0", "loky"),
    _program("multiprocess", "multiprocess==0.70.19", "multiprocess"),
    _program("pathos", "pathos==0.3.5", "pathos"),
    _program("billiard", "billiard==4.3.2", "billiard"),
    _program("dask, nanny", "distributed==2026.8.0", "dask"),
    _program("os.fork, os._exit with hand_over()", "", "fork"),
    _program("os.execv with hand_over()", "", "execv"),
)  # fmt: skip

"""Flask, counted by prometheus_flask_exporter."""

from flask import Flask
from matrix_noted import WSGI
from prometheus_flask_exporter import PrometheusMetrics

app = Flask(__name__)
metrics = PrometheusMetrics(app)


@app.get("/")
def answer() -> str:
    """Answer."""
    return "ok"


application = WSGI(app)

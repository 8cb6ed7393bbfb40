"""Django, counted by django-prometheus: settings, addresses and application in one file."""

import sys

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path
from matrix_noted import WSGI


def answer(_: HttpRequest) -> HttpResponse:
    """Answer."""
    return HttpResponse("ok")


urlpatterns = [path("", answer)]
settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="matrix",
    ROOT_URLCONF=sys.modules[__name__],
    INSTALLED_APPS=["django_prometheus"],
    MIDDLEWARE=[
        "django_prometheus.middleware.PrometheusBeforeMiddleware",
        "django_prometheus.middleware.PrometheusAfterMiddleware",
    ],
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402  it reads the settings

application = WSGI(get_wsgi_application())

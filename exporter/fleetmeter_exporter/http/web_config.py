"""A web configuration file in the format of Prometheus' exporter-toolkit: TLS, headers, users, a rate limit."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fleetmeter.errors import SettingError
from fleetmeter_exporter.http.section import Files, Section, parse
from fleetmeter_exporter.http.tls import KEYS as TLS_KEYS
from fleetmeter_exporter.http.tls import TLS, read_tls

HEADERS: dict[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""The response headers that may be set, and their values if only some are permitted."""
MOST_COST = 18
"""Of a bcrypt hash, in powers of two: one check then takes some 20 s, which is more than a scrape may."""

_SECTIONS = ("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")
_HASH = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ns|us|µs|ms|s|m|h))+")
_PART = re.compile(r"([0-9.]+)([a-zµ]+)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class RateLimit:
    """One request per `interval` (seconds) over time, and up to `burst` at once."""

    interval: float
    burst: int


@dataclass(frozen=True)
class WebConfig:
    """What a file says; without one: plain HTTP, open to everybody."""

    tls: TLS | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    """User → bcrypt hash; empty if nobody is asked for a password."""
    rate_limit: RateLimit | None = None


def read(path: str, files: Files) -> WebConfig:
    """A file's content, all of it checked. Raises `SettingError`: file, key, what was found, what was expected."""
    try:
        content = files.read(os.path.basename(path))  # noqa: PTH119  as it was written
    except ValueError as error:
        raise SettingError("--web.config.file", str(error)) from None
    top = parse(path, content, _SECTIONS)
    http = top.section("http_server_config", "http2", "headers")
    http.flag("http2", default=True)  # a permission, which HTTP/1.1 does not need
    return WebConfig(
        read_tls(top.section("tls_server_config", *TLS_KEYS), files),
        _headers(http.section("headers", *HEADERS)),
        _users(top.section("basic_auth_users")),
        _rate_limit(top.section("rate_limit", "interval", "burst")),
    )


def _headers(section: Section) -> dict[str, str]:
    found = {}
    for name, values in HEADERS.items():
        value = section.text(name)
        if not value:
            continue
        if values and value not in values:
            raise section.error(name, f"{value!r} is not known; expected one of {', '.join(values)}")
        if not (value.isascii() and value.isprintable()) or value != value.strip():
            raise section.error(name, f"{value!r} cannot be sent in a header; expected one line of printable ASCII")
        found[name] = value
    return found


def _users(section: Section) -> dict[str, str]:
    found = {}
    for user in section.keys:
        if not user or ":" in user:
            raise section.error(user, "no client can send this name; expected one that is not empty and has no colon")
        match = _HASH.fullmatch(section.text(user))
        if match is None:  # what stands there may be a password: it is not shown
            raise section.error(user, "found no bcrypt hash; expected one such as `htpasswd -nBC 10 USER` prints")
        if not 4 <= int(match[1]) <= MOST_COST:
            problem = f"a hash of cost {int(match[1])} cannot be checked within a scrape"
            raise section.error(user, f"{problem}; expected a cost from 4 to {MOST_COST}, 10 is usual")
        found[user] = match[0]
    return found


def _rate_limit(section: Section) -> RateLimit | None:
    text = section.text("interval", "0")
    if text.isascii() and text.isdigit() and int(text) == 0:
        return None
    if not _DURATION.fullmatch(text):
        raise section.error("interval", f"{text!r} is no duration; expected one such as 1s, 500ms or 1m30s, or 0")
    interval = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if not interval:
        return None
    burst = section.whole("burst")
    if not burst:
        raise section.error("burst", "without one no request at all is let in; expected a whole number from 1 on")
    return RateLimit(interval, burst)

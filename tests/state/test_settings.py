"""Settings: arguments, environment, defaults; what cannot be used is refused by its name."""

import dataclasses
import socket
import traceback

import pytest

from fleetmeter.connection.address import Address
from fleetmeter.errors import SettingError
from fleetmeter.settings import DEFAULT_URL, Settings, check_url, parse_seconds, without_password

SECRET = "hunter2"


def test_arguments_win_over_the_environment_and_that_over_the_defaults() -> None:
    """Each setting is looked up in that order."""
    environ = {
        "FLEETMETER_REDIS_URL": "redis://env/1",
        "FLEETMETER_NAMESPACE": "env",
        "FLEETMETER_FLUSH_INTERVAL": "3",
        "FLEETMETER_REPLICA": "pod",
        "FLEETMETER_MAX_SERIES": "70",
        "FLEETMETER_NUMBERS": "fields",
    }
    assert Settings.from_env({}) == Settings(DEFAULT_URL, "default", 0.25, socket.gethostname(), 10_000, "packed")
    assert Settings.from_env(environ) == Settings("redis://env/1", "env", 3.0, "pod", 70, "fields")
    chosen = Settings.from_env(
        environ, url="redis://arg/2", namespace="arg", flush_interval=4, replica="me", max_series=90, numbers="packed"
    )
    assert chosen == Settings("redis://arg/2", "arg", 4.0, "me", 90, "packed")


def test_an_empty_variable_counts_as_absent() -> None:
    """Deployment tools often set what they do not know to nothing."""
    environ = dict.fromkeys(("FLEETMETER_REDIS_URL", "FLEETMETER_NAMESPACE", "FLEETMETER_FLUSH_INTERVAL"), "")
    assert Settings.from_env(environ) == Settings.from_env({})


@pytest.mark.parametrize(
    ("variable", "argument", "text"),
    [
        ("FLEETMETER_REDIS_URL", "url", "http://x"),
        ("FLEETMETER_NAMESPACE", "namespace", "a b"),
        ("FLEETMETER_FLUSH_INTERVAL", "flush_interval", "soon"),
        ("FLEETMETER_REPLICA", "replica", "pod\udcff"),
        ("FLEETMETER_NUMBERS", "numbers", "both"),
        *(("FLEETMETER_MAX_SERIES", "max_series", text) for text in ("19", "-20", "1e4", "many", "²", str(10**9 + 1))),
    ],
)
def test_the_error_names_the_setting_as_the_user_wrote_it(variable: str, argument: str, text: str) -> None:
    """A bad variable is named as a variable, a bad argument as an argument."""
    with pytest.raises(SettingError, match=f"^{variable}: ") as caught:
        Settings.from_env({variable: text})
    assert caught.value.setting == variable
    with pytest.raises(SettingError, match=f"^{argument}: "):
        Settings.from_env({}, **{argument: text})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://user:p%40ss@localhost:6380/3?socket_timeout=0.2&socket_connect_timeout=1",
        "redis://[::1]:6379/0",
        "rediss://localhost/0?ssl_ca_certs=/x.pem",
        "unix:///tmp/x.sock?db=2",
        "redis://localhost/0?protocol=3",
        "redis://redis.svc.cluster.local.:6379",
        "redis://bücher.example",
        "redis+sentinel://h1,h2:26380,[::1]:1/service",
        "redis+sentinel://user:p%40ss@h1,h2/service/3?sentinel_password=x&socket_timeout=0.5",
        "rediss+sentinel://h1/service?ssl_ca_certs=/x.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem",
        "redis+cluster://user:pw@h1:7000,h2:7001",
        "rediss+cluster://h1/?ssl_ca_certs=/x.pem",
        "redis+cluster://[::1]:7000,[::2]/0",
        "valkey://user:p%40ss@localhost:6380/3?socket_timeout=0.2",
        "VALKEY://localhost",
        "valkeys://localhost/0?ssl_ca_certs=/x.pem",
        "valkey+sentinel://h1,h2/service/3",
        "valkeys+sentinel://h1/service?ssl_ca_certs=/x.pem",
        "valkey+cluster://h1:7000,h2:7001",
        "valkeys+cluster://h1/?ssl_ca_certs=/x.pem",
    ],
)
def test_usable_urls_are_taken(url: str) -> None:
    """Every form that redis-py understands works, without a connection being made."""
    assert check_url("url", url) == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "no scheme"),
        ("localhost:6379", "no scheme"),
        ("http://localhost", "'http'"),
        ("redis://", "no host"),
        ("redis:///0", "no host"),
        ("unix://", "no path"),
        ("redis://localhost:0", "port"),
        ("redis://localhost:99999", "port"),
        ("redis://localhost:abc", "port"),
        ("redis://localhost/abc", "database"),
        ("redis://[::1/0", "no URL"),
        ("redis://localhost?socket_timeout=soon", "socket_timeout"),
        ("redis://localhost?socket_timeout=-1", "socket_timeout"),
        ("redis://localhost?socket_timeout=0", "socket_timeout"),
        ("redis://localhost?socket_connect_timeout=nan", "socket_connect_timeout"),
        ("redis://localhost?sokcet_timeout=1", "sokcet_timeout"),
        ("unix:///tmp/x.sock?db=x", "db"),
        ("redis://localhost?retry=3", "'retry'"),
        ("redis://localhost?retry_on_timeout=true", "retry_on_timeout"),
        ("redis://localhost?retry_on_error=TimeoutError", "retry_on_error"),
        ("redis://localhost?decode_responses=1", "decode_responses"),
        ("redis://localhost?encoding=utf-16", "encoding"),
        ("rediss://localhost?ssl_cert_reqs=perhaps", "perhaps"),
        ("redis://redis..svc:6379", "no DNS name"),
        ("redis://.svc", "no DNS name"),
        ("redis://a%2e%2eb", "no DNS name"),
        (f"rediss://{'a' * 64}.svc", "no DNS name"),
        ("redis://host\udc80", "UTF-8"),
        ("redis://user:p\udc80@host", "UTF-8"),
        ("redis://h1,h2/0", "several hosts"),
        ("redis+sentinel://h1,h2", "no service"),
        ("redis+sentinel://h1,h2/", "no service"),
        ("redis+sentinel:///service", "no host"),
        ("redis+sentinel://h1,,h2/service", "no host"),
        ("redis+sentinel://h1:0,h2/service", "port"),
        ("redis+sentinel://h1,h2:port/service", "port"),
        ("redis+sentinel://h1/service/x", "database"),
        ("redis+sentinel://h1/service/0/1", "database"),
        ("redis+sentinel://h1,h..2/service", "no DNS name"),
        ("redis+sentinel://h1/service?sentinel_timeout=1", "sentinel_timeout"),
        ("redis+cluster://h1/1", "database 0 only"),
        ("redis+cluster://h1?retry=3", "'retry'"),
        ("redis+cluster://h1?finder=x", "'finder'"),
        ("redis://h1?credential_provider=x", "'credential_provider'"),
        ("redis+cluster://h1?sentinel_password=x", "sentinel_password"),
        ("valkey+http://h1", "'valkey\\+http'"),
        ("unix+sentinel://h1/service", "'unix\\+sentinel'"),
        ("redis+unix://h1", "'redis\\+unix'"),
    ],
)
def test_a_url_that_cannot_work_is_refused_at_start(url: str, problem: str) -> None:
    """The error says what was found and what was expected, and leaves no other kind of exception."""
    with pytest.raises(SettingError, match=problem) as caught:
        check_url("url", url)
    assert "expected redis://" in str(caught.value)
    assert "valkey" in str(caught.value)


@pytest.mark.parametrize("tail", ["://u:p@h:1/2?socket_timeout=3", "+sentinel://h:1,g/s/2", "+cluster://u@h:1,g"])
@pytest.mark.parametrize(("new", "old"), [("valkey", "redis"), ("valkeys", "rediss")])
def test_a_scheme_of_valkey_means_that_of_redis(new: str, old: str, tail: str) -> None:
    """Kind, nodes, TLS and parameters are the same."""
    assert Address.parse(new + tail) == Address.parse(old + tail)


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{SECRET}@localhost",
        f"redis://user:{SECRET}/x@localhost:6379/0",
        f"redis://user:{SECRET}@localhost:port/0",
        f"redis://user:123/{SECRET}@localhost:6379/0",
        f"redis://user:{SECRET}@localhost/abc",
        f"redis://user:{SECRET}\u2100@localhost/0",
        f"redis://user:{SECRET}#x@localhost/0",
        f"redis://user:{SECRET}?x@localhost/0",
        f"redis://user:[{SECRET}@localhost/0",
        f"redis://user:{SECRET}@localhost?nonsense=1",
        f"redis://localhost?password={SECRET}&socket_timeout=x",
        f"user:{SECRET}@localhost",
        f"redis://user:{SECRET}\udc80@localhost",
        f"redis://user:1/{SECRET}..x",
        f"redis://{SECRET}..x#@localhost",
        f"redis+sentinel://user:{SECRET}@h1,h2",
        f"redis+sentinel://user:{SECRET}@h1/s/x?sentinel_password={SECRET}",
        f"redis+sentinel://user:{SECRET}#@h1/s",
        f"redis+sentinel://user:{SECRET},x/@h1/s",
        f"redis+cluster://user:{SECRET}@h1/1",
        f"redis+cluster://user:1/{SECRET}@h1",
    ],
)
def test_no_error_shows_a_password(url: str) -> None:
    """Neither the message nor the whole traceback holds any of it, however the URL is broken."""
    with pytest.raises(SettingError) as caught:
        check_url("url", url)
    error = caught.value
    assert SECRET not in "".join(traceback.format_exception_only(error)) + repr(error)
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__


def test_settings_keep_the_url_out_of_their_repr() -> None:
    """Settings may be logged."""
    assert SECRET not in repr(Settings.from_env({}, url=f"redis://:{SECRET}@localhost"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis://user:{SECRET}@host:1/2?password={SECRET}", "redis://host:1/2"),
        (f"unix://user:{SECRET}@/tmp/x.sock?db=1", "unix:///tmp/x.sock"),
        (f"rediss+sentinel://user:{SECRET}@h1:1,h2/s/2?sentinel_password={SECRET}", "rediss+sentinel://h1:1,h2/s/2"),
        (f"redis+cluster://:{SECRET}@h1,h2", "redis+cluster://h1,h2"),
    ],
)
def test_a_url_for_the_log_has_no_password(url: str, shown: str) -> None:
    """User, password and parameters are left out."""
    assert without_password(url) == shown


@pytest.mark.parametrize("value", ["", "x", "0", "-1", "nan", "inf", "3600", 0, -0.5])
def test_a_duration_is_above_0_and_below_an_hour(value: str | float) -> None:
    """Anything else is refused by name."""
    with pytest.raises(SettingError, match=r"^pause: .*expected seconds"):
        parse_seconds("pause", value)


def test_settings_cannot_be_changed() -> None:
    """What was checked stays checked."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().namespace = "other"  # type: ignore[misc]

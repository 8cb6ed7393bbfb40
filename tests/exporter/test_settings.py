"""The exporter's flags and their environment twins."""

import pytest

from fleetmeter.errors import SettingError
from fleetmeter_exporter.flags import variable
from fleetmeter_exporter.http.listeners import ListenAddress
from fleetmeter_exporter.settings import ExporterSettings

URL = "redis://127.0.0.1:7000/1"


def test_defaults() -> None:
    """Without flags and variables: the library's store and namespace, port 9847 on every interface, /metrics."""
    settings = ExporterSettings.parse([], {})
    assert settings == ExporterSettings()
    assert (settings.addresses, settings.telemetry_path) == ((ListenAddress("", 9847),), "/metrics")
    assert settings.web_config_file == ""


def test_a_flag_wins_over_its_variable_and_that_over_the_librarys() -> None:
    """Flag, FLEETMETER_EXPORTER_…, FLEETMETER_…, default, in this order; an empty one counts as not given."""
    environ = {"FLEETMETER_REDIS_URL": "redis://library/0", "FLEETMETER_NAMESPACE": "library"}
    assert ExporterSettings.parse([], environ).url == "redis://library/0"
    environ |= {"FLEETMETER_EXPORTER_REDIS_URL": "redis://twin/0", "FLEETMETER_EXPORTER_NAMESPACE": ""}
    settings = ExporterSettings.parse([], environ)
    assert (settings.url, settings.namespaces) == ("redis://twin/0", ("library",))
    settings = ExporterSettings.parse([f"--redis.url={URL}", "--namespace", "flag"], environ)
    assert (settings.url, settings.namespaces) == (URL, ("flag",))


def test_every_flag_has_a_twin() -> None:
    """All flags can be given by the environment."""
    environ = {
        variable("redis.url"): URL,
        variable("namespace"): "shop, search,",
        variable("web.listen-address"): "127.0.0.1:1234, [::1]:5",
        variable("web.config.file"): "web.yml",
        variable("web.telemetry-path"): "/fleet",
        variable("web.unavailable-status"): "503",
        variable("hold"): "12.5",
        variable("openmetrics.created"): "true",
        variable("log.level"): "debug",
        variable("log.format"): "json",
    }
    assert set(environ) >= {"FLEETMETER_EXPORTER_WEB_LISTEN_ADDRESS", "FLEETMETER_EXPORTER_LOG_LEVEL"}
    addresses = (ListenAddress("127.0.0.1", 1234), ListenAddress("::1", 5))
    namespaces = ("shop", "search")
    expected = ExporterSettings(URL, namespaces, addresses, "web.yml", "/fleet", 503, 12.5, True, "debug", "json")
    assert ExporterSettings.parse([], environ) == expected


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        (":80", "", 80),
        ("10.0.0.1:0", "10.0.0.1", 0),
        ("[::1]:9847", "::1", 9847),
        ("h.local:1", "h.local", 1),
    ],
)
def test_listen_addresses(address: str, host: str, port: int) -> None:
    """Host and port, an empty host, IPv6 in brackets."""
    settings = ExporterSettings.parse(["--web.listen-address", address], {})
    assert settings.addresses == (ListenAddress(host, port),)


def test_several_listen_addresses() -> None:
    """The flag may repeat, in the place of its variable."""
    arguments = ["--web.listen-address", ":2", "--web.listen-address=[::1]:3"]
    settings = ExporterSettings.parse(arguments, {variable("web.listen-address"): ":1"})
    assert [str(address) for address in settings.addresses] == [":2", "[::1]:3"]


@pytest.mark.parametrize(
    ("flag", "text", "reason"),
    [
        ("redis.url", "localhost", "there is no scheme"),
        ("redis.url", "redis://u:very-secret@h/0?colour=red", "'colour'"),
        ("redis.url", "redis://u:very-secret@h:port/0", "port"),
        ("namespace", "a b", "'a b'"),
        ("hold", "soon", "'soon' is no duration"),
        ("web.listen-address", "9847", "HOST:PORT"),
        ("web.listen-address", ":65536", "HOST:PORT"),
        ("web.listen-address", "h:-1", "HOST:PORT"),
        ("web.listen-address", "::1", "HOST:PORT"),
        ("web.listen-address", "[h]:1", "HOST:PORT"),
        ("web.telemetry-path", "metrics", "no path"),
        ("web.telemetry-path", "/-/ready", "no path"),
        ("web.telemetry-path", "/", "no path"),
        ("web.telemetry-path", "/\udcff", "no path"),
        ("web.unavailable-status", "500", "'500' is no status; expected one of 200, 503"),
        ("log.level", "loud", "'loud'"),
        ("log.format", "xml", "'xml' is no format; expected one of logfmt, json"),
    ],
)
def test_a_wrong_value_names_where_it_was_given(flag: str, text: str, reason: str) -> None:
    """The message begins with the flag or the variable that holds the value, and never shows a password."""
    for name, arguments, environ in (
        (f"--{flag}", [f"--{flag}={text}"], {}),
        (variable(flag), [], {variable(flag): text}),
    ):
        with pytest.raises(SettingError) as raised:
            ExporterSettings.parse(arguments, environ)
        assert str(raised.value).startswith(f"{name}: ")
        assert reason in str(raised.value)
        assert "very-secret" not in str(raised.value)


def test_the_librarys_variable_is_named_where_it_decided() -> None:
    """A wrong FLEETMETER_REDIS_URL is called by its name."""
    for name, text in (("FLEETMETER_REDIS_URL", "nowhere"), ("FLEETMETER_NAMESPACE", "a b")):
        with pytest.raises(SettingError, match=f"^{name}: "):
            ExporterSettings.parse([], {name: text})


def test_a_password_shows_in_no_repr() -> None:
    """The URL is left out of the settings' text."""
    assert "very-secret" not in repr(ExporterSettings.parse(["--redis.url=redis://:very-secret@h/0"], {}))


def test_unknown_flags_end_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2 and a line that names the flag."""
    with pytest.raises(SystemExit) as raised:
        ExporterSettings.parse(["--web.port=5"], {})
    assert raised.value.code == 2
    assert "--web.port=5" in capsys.readouterr().err.splitlines()[-1]


def test_a_list_is_a_flag_that_repeats_or_a_variable_with_commas() -> None:
    """In the order given; the library's variable holds one name, as the library itself reads it."""
    assert ExporterSettings.parse(["--namespace=b", "--namespace", "a"], {}).namespaces == ("b", "a")
    assert ExporterSettings.parse([], {variable("namespace"): " b,a,"}).namespaces == ("b", "a")
    assert ExporterSettings.parse(["--namespace=c"], {variable("namespace"): "b,a"}).namespaces == ("c",)
    with pytest.raises(SettingError, match=r"^FLEETMETER_NAMESPACE: 'b,a' is not"):
        ExporterSettings.parse([], {"FLEETMETER_NAMESPACE": "b,a"})
    with pytest.raises(SettingError, match=r"^--namespace: 'b,a' is not .*; repeat the flag for several$"):
        ExporterSettings.parse(["--namespace=b,a"], {})


def test_a_namespace_that_is_named_twice_is_refused() -> None:
    """Its series would be the same ones twice; the message names it and where it was given."""
    with pytest.raises(SettingError, match=r"^--namespace: 'a' is given more than once"):
        ExporterSettings.parse(["--namespace=a", "--namespace=b", "--namespace=a"], {})
    with pytest.raises(SettingError, match=r"^FLEETMETER_EXPORTER_NAMESPACE: 'a', 'b' is given"):
        ExporterSettings.parse([], {variable("namespace"): "a,b,b,a"})


@pytest.mark.parametrize(
    ("arguments", "twin", "on"),
    [
        ([], "", False),
        (["--openmetrics.created"], "", True),
        (["--openmetrics.created"], "false", True),
        (["--no-openmetrics.created"], "true", False),
        (["--openmetrics.created", "--no-openmetrics.created"], "", False),
        ([], "1", True),
        ([], "True", True),
        ([], "0", False),
        ([], "FALSE", False),
    ],
)
def test_a_switch_is_on_or_off(arguments: list[str], twin: str, on: bool) -> None:
    """`--name` and `--no-name`, of which the last counts; its twin says true, false, 1 or 0."""
    settings = ExporterSettings.parse(arguments, {variable("openmetrics.created"): twin})
    assert settings.openmetrics_created is on


def test_a_switch_that_is_neither_is_refused() -> None:
    """The message names the variable, the value and what it may be."""
    with pytest.raises(SettingError, match=r"^FLEETMETER_EXPORTER_OPENMETRICS_CREATED: 'yes' is neither .*true, 1, "):
        ExporterSettings.parse([], {variable("openmetrics.created"): "yes"})


def test_help_names_every_flag_and_its_variables(capsys: pytest.CaptureFixture[str]) -> None:
    """And no abbreviation of a flag is taken: a flag that comes later could make it mean another."""
    with pytest.raises(SystemExit) as raised:
        ExporterSettings.parse(["--help"], {})
    assert raised.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for flag in ("redis.url", "namespace", "web.listen-address", "web.telemetry-path", "hold", "log.level"):
        assert f"--{flag} " in text
        assert variable(flag) in text.replace("- ", "-")
    assert "--openmetrics.created, --no-openmetrics.created" in text
    with pytest.raises(SystemExit):
        ExporterSettings.parse(["--name", "shop"], {})

"""The configuration is complete, frozen, and refused at start with file, key and reason when it is wrong."""

import dataclasses
from pathlib import Path

import pytest

from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.config.settings import AppSettings
from fleetmeter_app.errors import ApiError, ConfigError, InvalidRequestError, ModelNotFoundError
from fleetmeter_app.guarding.config import GuardsConfig

TIERS = """
[tiers.cheap]
model = "gpt-6-luna"
[tiers.premium]
model = "gpt-6.1-sol"
"""
INTENTS = """
[intents.general]
tier = "cheap"
"""


def refusal(text: str) -> ConfigError:
    """The error that a text is refused with."""
    with pytest.raises(ConfigError) as caught:
        GatewayConfig.from_toml(text, file="mine.toml")
    return caught.value


# what is read


def test_the_packaged_file_is_a_configuration() -> None:
    """Without a file, today's models stand in three tiers and a reserve, and every intent has one of them."""
    config = GatewayConfig.load()
    assert {name: tier.model for name, tier in config.tiers.items()} == {
        "cheap": "gpt-6-luna",
        "mid": "gpt-6.1-terra",
        "premium": "gpt-6.1-sol",
        "reserve": "gpt-6-sol",
    }
    assert {name: intent.tier for name, intent in config.intents.items()} == {
        "portfolio_advice": "premium",
        "technical_analysis": "mid",
        "fundamental_analysis": "mid",
        "news_summary": "cheap",
        "price_only": "cheap",
        "general": "cheap",
    }
    assert config.baseline_model == "gpt-6.1-sol"
    assert config.default_intent == "general"


def test_what_a_file_leaves_out_comes_from_the_packaged_one(tmp_path: Path) -> None:
    """Tiers and intents are the file's own; of the rest it says only what it wants otherwise."""
    path = tmp_path / "mine.toml"
    path.write_text(TIERS + INTENTS + "[cache]\nttl_seconds = 5\n")
    config, packaged = GatewayConfig.load(path), GatewayConfig.load()
    assert set(config.tiers) == {"cheap", "premium"}
    assert list(config.intents) == ["general"]
    assert config.cache == dataclasses.replace(packaged.cache, ttl_seconds=5.0)
    assert (config.limits, config.upstream) == (packaged.limits, packaged.upstream)
    assert config.prices == {}


def test_everything_that_can_be_said_is_read() -> None:
    """Each key of the file arrives at its place."""
    config = GatewayConfig.from_toml(
        """
        baseline_tier = "small"
        default_intent = "chat"
        [tiers.small]
        model = "my-model"
        fallback = ["large"]
        [tiers.large]
        model = "my-larger-model"
        fallback = []
        [intents.chat]
        tier = "large"
        keywords = ["hello"]
        patterns = ["^hi"]
        system_prompt = " Be kind. "
        max_tokens = 7
        [cache]
        ttl_seconds = 1.5
        max_entries = 2
        max_entry_bytes = 3
        [limits]
        max_query_characters = 4
        [upstream]
        timeout_seconds = 5
        max_retries = 0
        [prices."my-model"]
        input = 0.5
        [guards]
        when_store_is_away = "fail_closed"
        keys = "required"
        completion_tokens = 9
        [breaker]
        consecutive_failures = 8
        [budgets.all]
        limit_usd = 0.25
        window = "hour"
        """
    )
    assert config.baseline_model == "my-model"
    assert config.tiers["small"].fallback == ("large",)
    assert config.tiers["large"].fallback == ()
    chat = config.intents[config.default_intent]
    assert (chat.tier, chat.keywords, chat.system_prompt, chat.max_tokens) == (
        "large",
        ("hello",),
        "Be kind.",
        7,
    )
    assert [pattern.pattern for pattern in chat.patterns] == ["^hi"]
    assert dataclasses.astuple(config.cache) == (1.5, 2, 3, False, True)
    assert config.guards == GuardsConfig(fail_open=False, require_keys=True, completion_tokens=9)
    assert config.breaker.consecutive_failures == 8
    assert [(budget.name, budget.limit_nanodollars, budget.window) for budget in config.budgets] == [
        ("all", 250_000_000, "hour")
    ]
    assert config.limits.max_query_characters == 4
    assert (config.upstream.timeout_seconds, config.upstream.max_retries) == (5.0, 0)
    assert config.prices == {"my-model": {"input": 0.5}}


def test_a_configuration_cannot_be_changed() -> None:
    """What was checked at start stays as it was."""
    config = GatewayConfig.load()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.baseline_tier = "cheap"  # type: ignore[misc]
    with pytest.raises(TypeError):
        config.tiers["mid"] = config.tiers["cheap"]  # type: ignore[index]


# what is refused


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        # unknown keys, at each level
        (
            TIERS + INTENTS + "[cash]\n",
            "cash",
            "unknown key; the keys of this table are: baseline_tier, breaker, budgets, cache,",
        ),
        (TIERS + "price = 1" + INTENTS, "tiers.premium.price", "unknown key"),
        (TIERS + INTENTS + 'keyword = ["x"]', "intents.general.keyword", "unknown key"),
        (TIERS + INTENTS + "[cache]\nttl = 1", "cache.ttl", "unknown key"),
        (TIERS + INTENTS + "[limits]\nttl = 1", "limits.ttl", "unknown key"),
        (TIERS + INTENTS + "[upstream]\nretries = 1", "upstream.retries", "unknown key"),
        (TIERS + INTENTS + '[guards]\nkey = "required"', "guards.key", "unknown key"),
        (TIERS + INTENTS + '[guards]\nkeys = "perhaps"', "guards.keys", "must be optional or required"),
        (
            TIERS + INTENTS + '[guards]\nwhen_store_is_away = "wait"',
            "guards.when_store_is_away",
            "must be fail_open or",
        ),
        # wrong types
        ("tiers = 1", "tiers", "must be a table, and is 1"),
        ("[tiers]\ncheap = 'gpt-6-luna'", "tiers.cheap", "must be a table"),
        ("[tiers.cheap]\nmodel = 6", "tiers.cheap.model", "must be a text, and is 6"),
        ('[tiers.cheap]\nmodel = "m"\nfallback = "mid"', "tiers.cheap.fallback", "must be a list of texts"),
        (TIERS + INTENTS + 'keywords = "price"', "intents.general.keywords", "must be a list of texts"),
        (TIERS + INTENTS + "keywords = [1]", "intents.general.keywords", "must be a list of texts"),
        (TIERS + INTENTS + "max_tokens = true", "intents.general.max_tokens", "must be a whole number"),
        (TIERS + INTENTS + "max_tokens = 1.5", "intents.general.max_tokens", "must be a whole number"),
        (TIERS + INTENTS + "[cache]\nttl_seconds = '5m'", "cache.ttl_seconds", "must be a number"),
        (TIERS + INTENTS + "[prices]\nm = 1", "prices.m", "must be a table"),
        ("baseline_tier = 1\n" + TIERS + INTENTS, "baseline_tier", "must be a text"),
        # values out of range
        (TIERS + INTENTS + "max_tokens = 0", "intents.general.max_tokens", "at least 1"),
        (TIERS + INTENTS + "[cache]\nttl_seconds = 0", "cache.ttl_seconds", "above 0"),
        (TIERS + INTENTS + "[cache]\nttl_seconds = 1e-7", "cache.ttl_seconds", "is 1e-07; it must be at least 0.001"),
        (TIERS + INTENTS + "[cache]\nttl_seconds = 0.000999", "cache.ttl_seconds", "at least 0.001"),
        (TIERS + INTENTS + "[cache]\nttl_seconds = nan", "cache.ttl_seconds", "above 0"),
        (TIERS + INTENTS + "[cache]\nmax_entries = 0", "cache.max_entries", "at least 1"),
        (TIERS + INTENTS + "[cache]\nmax_entry_bytes = 0", "cache.max_entry_bytes", "at least 1"),
        (TIERS + INTENTS + "[limits]\nmax_query_characters = 0", "limits.max_query_characters", "at least 1"),
        (TIERS + INTENTS + "[upstream]\ntimeout_seconds = inf", "upstream.timeout_seconds", "above 0"),
        (TIERS + INTENTS + "[upstream]\nmax_retries = -1", "upstream.max_retries", "at least 0"),
        # what is missing
        ("", "tiers", "is missing; name at least one"),
        ("[tiers.cheap]", "tiers.cheap.model", "is missing"),
        (TIERS, "default_intent", "'general' is no intent; the intents are: none"),
        (TIERS + "[intents.general]", "intents.general.tier", "is missing"),
        # names that do not exist, or cannot be labels
        (TIERS + INTENTS.replace("cheap", "cheep"), "intents.general.tier", "the tiers are: cheap, premium"),
        (TIERS + 'fallback = ["mid"]' + INTENTS, "tiers.premium.fallback", "'mid' is no tier"),
        ('baseline_tier = "mid"\n' + TIERS + INTENTS, "baseline_tier", "'mid' is no tier"),
        (TIERS.replace("premium", "best") + INTENTS, "baseline_tier", "'premium' is no tier"),
        ('default_intent = "chat"\n' + TIERS + INTENTS, "default_intent", "'chat' is no intent"),
        ('[tiers."a b"]\nmodel = "m"', 'tiers."a b"', "is no usable name"),
        (TIERS + INTENTS.replace("general", "x" * 65), "intents." + "x" * 65, "is no usable name"),
        # rules that would match nothing or everything
        (TIERS + INTENTS + "patterns = []", "intents.general.patterns", "is an empty list"),
        (TIERS + INTENTS + "patterns = ['']", "intents.general.patterns", "has an empty entry"),
        (TIERS + INTENTS + "keywords = []", "intents.general.keywords", "is an empty list"),
        (TIERS + INTENTS + "keywords = ['a', ' ']", "intents.general.keywords", "has an empty entry"),
        (TIERS + INTENTS + "patterns = ['x*']", "intents.general.patterns", "'x*' fits the empty text"),
        (TIERS + INTENTS + "patterns = ['(']", "intents.general.patterns", "'(' is no regular expression"),
    ],
)
def test_a_configuration_is_refused_with_file_key_and_reason(text: str, key: str, reason: str) -> None:
    """Whatever is wrong, the message says where it stands, what it is, and what was expected."""
    error = refusal(text)
    assert (error.file, error.key) == ("mine.toml", key)
    assert reason in error.reason
    assert str(error) == f"mine.toml: {key}: {error.reason}"
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("chains", "key", "cycle"),
    [
        ({"a": ["a"]}, "tiers.a.fallback", "a -> a"),
        ({"a": ["b"], "b": ["a"]}, "tiers.b.fallback", "a -> b -> a"),
        ({"a": ["b"], "b": ["d", "c"], "c": ["b"], "d": []}, "tiers.c.fallback", "b -> c -> b"),
    ],
)
def test_a_circle_of_fallbacks_is_refused_by_name(chains: dict[str, list[str]], key: str, cycle: str) -> None:
    """A chain that comes back to itself is named from its first tier to its first tier."""
    tiers = "".join(f'[tiers.{name}]\nmodel = "m"\nfallback = {chain}\n' for name, chain in chains.items())
    error = refusal('baseline_tier = "a"\n' + tiers + INTENTS.replace("cheap", "a"))
    assert error.key == key
    assert f"is a circle: {cycle};" in error.reason


def test_two_ways_to_one_tier_are_no_circle() -> None:
    """Chains may meet: only coming back is refused."""
    GatewayConfig.from_toml(
        TIERS + 'fallback = ["x", "y"]\n[tiers.x]\nmodel="m"\nfallback=["y"]\n[tiers.y]\nmodel="n"' + INTENTS
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (TIERS + "[intents\n", "line 6, column 9"),
        (TIERS + "[tiers.cheap]\n", "line 6, column 13"),
        ("a = 1\nb =", "line 2"),
    ],
)
def test_what_is_not_toml_is_refused_with_its_line(text: str, place: str) -> None:
    """A syntax error names the file and the line."""
    error = refusal(text)
    assert (error.file, error.key) == ("mine.toml", place)
    assert error.reason.startswith("not valid TOML: ")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A path that is missing, a folder, or no text is refused as such."""
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "absent.toml", tmp_path, tmp_path / "binary.toml"):
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            GatewayConfig.load(path)
        assert caught.value.file == str(path)


# settings of a replica


def test_a_replica_listens_on_this_machine_unless_it_is_told_otherwise() -> None:
    """Without any variable, only this machine reaches it, and everything else is somebody's default."""
    assert AppSettings.from_env({}) == AppSettings("127.0.0.1", 8000, None, None, None, None, None)
    assert AppSettings.from_env({"FLEETMETER_APP_HOST": ""}) == AppSettings()


def test_every_setting_has_a_variable() -> None:
    """What a replica is told, its environment can tell it."""
    environ = {
        "FLEETMETER_APP_HOST": "::1",
        "FLEETMETER_APP_PORT": "8001",
        "FLEETMETER_APP_CONFIG": "mine.toml",
        "OPENAI_BASE_URL": "http://127.0.0.1:8002/v1",
        "OPENAI_API_KEY": "sk-made-up",
        "FLEETMETER_REDIS_URL": "redis://:secret@127.0.0.1:6380/0",
        "FLEETMETER_NAMESPACE": "test",
    }
    assert AppSettings.from_env(environ) == AppSettings(
        host="::1",
        port=8001,
        config=Path("mine.toml"),
        openai_base_url="http://127.0.0.1:8002/v1",
        openai_api_key="sk-made-up",
        redis_url="redis://:secret@127.0.0.1:6380/0",
        namespace="test",
    )


def test_a_flag_goes_before_its_variable() -> None:
    """Each flag replaces its twin, even one that could not be used."""
    environ = {"FLEETMETER_APP_HOST": "::1", "FLEETMETER_APP_PORT": "none", "FLEETMETER_APP_CONFIG": "a.toml"}
    flags = ["--host", "127.0.0.2", "--port", "0", "--config", "b.toml"]
    assert AppSettings.from_arguments(flags, environ) == AppSettings("127.0.0.2", 0, Path("b.toml"))
    environ["FLEETMETER_APP_PORT"] = "9"
    assert AppSettings.from_arguments([], environ) == AppSettings("::1", 9, Path("a.toml"))


@pytest.mark.parametrize("port", ["http", "-1", "65536", "80.5", "٨٠"])
def test_a_port_that_is_none_is_refused_by_its_name(port: str) -> None:
    """The message names the variable or the flag, whichever was wrong."""
    with pytest.raises(ConfigError, match="must be a port") as of_variable:
        AppSettings.from_env({"FLEETMETER_APP_PORT": port})
    assert (of_variable.value.file, of_variable.value.key) == ("environment", "FLEETMETER_APP_PORT")
    with pytest.raises(ConfigError, match="must be a port") as of_flag:
        AppSettings.from_arguments([f"--port={port}"], {})
    assert (of_flag.value.file, of_flag.value.key) == ("command line", "--port")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("nonsense", "does not begin with http:// or https://"),
        ("api.openai.com/v1", "does not begin with http:// or https://"),
        ("localhost:8002/v1", "does not begin with http:// or https://"),
        ("ftp://x/v1", "does not begin with http:// or https://"),
        ("http://", "has no host"),
        ("http:///v1", "has no host"),
        ("http://:8002/v1", "has no host"),
        ("http://[::1", "has no usable host"),
        ("http://x:99999", "port that is not from 1 to 65535"),
        ("http://x:0", "port that is not from 1 to 65535"),
        ("http://x:http", "port that is not from 1 to 65535"),
        (" http://x/v1", "a space"),
        ("http://x y/v1", "a space"),
        ("http://x/v1\n", "a control character"),
    ],
)
def test_an_upstream_that_no_call_could_reach_is_refused(url: str, problem: str) -> None:
    """Scheme, host and port are checked at start, by the name of the variable, however the settings were made."""
    with pytest.raises(ConfigError) as read:
        AppSettings.from_env({"OPENAI_BASE_URL": url})
    with pytest.raises(ConfigError) as made:
        AppSettings(openai_base_url=url)
    assert str(read.value) == str(made.value)
    assert (read.value.file, read.value.key) == ("environment", "OPENAI_BASE_URL")
    assert problem in read.value.reason
    assert "as in https://api.openai.com/v1" in read.value.reason


@pytest.mark.parametrize("url", ["http://x", "HTTPS://x:65535/v1/", "http://[::1]:8002/v1", "http://u:p@127.0.0.1:1/"])
def test_an_upstream_is_a_url_of_http_or_https(url: str) -> None:
    """Any host, with or without a port, a path and a password."""
    assert AppSettings.from_env({"OPENAI_BASE_URL": url}).openai_base_url == url


def test_no_secret_shows() -> None:
    """A key and a password appear in no repr."""
    environ = {"OPENAI_API_KEY": "sk-secret", "FLEETMETER_REDIS_URL": "redis://:secret@host/0"}
    environ["OPENAI_BASE_URL"] = "https://user:secret@host/v1"
    assert "secret" not in repr(AppSettings.from_env(environ))


# errors


def test_an_error_for_the_caller_has_openais_shape() -> None:
    """All four fields are there, null where there is nothing to say, and a wait is sent twice."""
    error = ApiError(429, "requests", "Slow down.", code="rate_limit_exceeded", retry_after=0.0004)
    assert error.body() == {
        "error": {"message": "Slow down.", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
    }
    assert error.headers() == {"retry-after": "1", "retry-after-ms": "1"}
    refused = InvalidRequestError("Too long.", param="query", status=413)
    assert (refused.status, refused.type, refused.headers()) == (413, "invalid_request_error", {})
    assert ModelNotFoundError("gpt-4").body()["error"]["code"] == "model_not_found"

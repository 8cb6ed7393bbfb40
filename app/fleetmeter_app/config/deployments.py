"""Where a model is served: base URL, key, weight. Keys come from the environment or from files, never from the TOML."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from fleetmeter.secret_file import read_secret
from fleetmeter_app.config.names import require_name
from fleetmeter_app.tables import Table

DEFAULT = "default"
"""The deployment of models that name none: OPENAI_BASE_URL with OPENAI_API_KEY."""

OPENAI_URL = "https://api.openai.com/v1"


@dataclass(frozen=True)
class Deployment:
    """One place that serves models.

    `weight` is its share of the requests in flight, beside other deployments of a model. `model_names` has the names
    that models have there, if they differ from ours. `provider` says whose prices hold, as genai-prices names them;
    None leaves that to the base URL. The key shows in no repr.
    """

    name: str
    base_url: str = field(repr=False)
    api_key: str = field(repr=False)
    weight: float = 1.0
    model_names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    provider: str | None = None


def read_deployments(tables: Table, environ: Mapping[str, str]) -> Mapping[str, Deployment]:
    """The table `[deployments]`; raises `ConfigError` for a key or an address that cannot be used."""
    found: dict[str, Deployment] = {}
    for name in tables.names():
        require_name(tables, name)
        table = tables.take_table(name)
        key, source = _key(table, environ)
        if problem := problem_of_key(key):
            table.refuse(source, problem)
        url, url_source = _url(table, environ)
        if problem := problem_of_url(url):
            table.refuse(url_source, f"{problem}; expected a URL as in {OPENAI_URL}")
        found[name] = Deployment(
            name,
            url.rstrip("/"),
            key,
            table.take_number("weight", 1.0),
            _model_names(table.take_table("model_names")),
            table.take_text("provider", "") or None,
        )
        table.close()
    return MappingProxyType(found)


def problem_of_url(url: str) -> str | None:
    """What keeps a URL from being an upstream's; never quotes it, as it may hold a password."""
    if not url.isprintable() or " " in url:
        return "has a space or a control character in it"
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:  # an IPv6 address that is none
        return "has no usable host"
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https"):
        return "does not begin with http:// or https://"
    if not host:
        return "has no host"
    if port == 0:
        return "has a port that is not from 1 to 65535"
    return None


def problem_of_key(key: str) -> str | None:
    """What keeps a text from being sent as a key; never quotes it."""
    if not key:
        return "is empty; the upstream needs a key, any text for a test one"
    if not key.isascii() or not key.isprintable() or " " in key:
        return "has a space, a line break or another character that no key has; look for one at its end"
    return None


def _key(table: Table, environ: Mapping[str, str]) -> tuple[str, str]:
    """The key, and the name of the setting that it comes from."""
    if "key_file" in table.names():
        try:
            return read_secret(table.take_text("key_file")), "key_file"
        except ValueError as error:
            table.refuse("key_file", f"{error}; expected a readable file with the deployment's key")
    variable = table.take_text("key_env", "OPENAI_API_KEY")
    if variable not in environ:
        table.refuse("key_env", f"names {variable}, which is not set in the environment")
    return environ[variable], "key_env"


def _url(table: Table, environ: Mapping[str, str]) -> tuple[str, str]:
    if "base_url_env" in table.names():
        variable = table.take_text("base_url_env")
        if not environ.get(variable):
            table.refuse("base_url_env", f"names {variable}, which is not set in the environment")
        return environ[variable], "base_url_env"
    return table.take_text("base_url", OPENAI_URL), "base_url"


def _model_names(table: Table) -> Mapping[str, str]:
    return MappingProxyType({model: table.take_text(model) for model in table.names()})

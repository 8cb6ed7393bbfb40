"""The page of settings: flags with their variables, and the variables that no flag has."""

import inspect
import re
from collections.abc import Sequence

from fleetmeter import install
from fleetmeter.attribution.settings import VARIABLE as LABELS
from fleetmeter.connection.credentials import PASSWORD, PASSWORD_FILE, PROVIDER, USERNAME
from fleetmeter.llm.genai import VARIABLE as GENAI
from fleetmeter.secret_file import twin
from fleetmeter_app.config.settings import CACHE_KEY, KEY
from fleetmeter_app.config.settings import FLAGS as GATEWAY
from fleetmeter_app.upstream.server import FLAGS as UPSTREAM
from fleetmeter_board.settings import FLAGS as BOARD
from fleetmeter_docs.markdown import code, codes, table
from fleetmeter_docs.markdown import page as page_of
from fleetmeter_exporter.flags import Flag, variable
from fleetmeter_exporter.settings import FLAGS as EXPORTER

_ARGUMENT = re.compile(r"^\* `(\w+)` \((FLEETMETER_\w+), (.+?)\): (.+)$", re.DOTALL)

STORE = (
    (USERNAME, "The store's user, if the URL names none."),
    (PASSWORD, "The store's password, if the URL has none."),
    (PASSWORD_FILE, "A file with the password. It is read again for each new connection."),
    (PROVIDER, "A function as `module:function`, called for each new connection; it returns `(user, password)`."),
)
LIBRARY = (
    ("FLEETMETER_PRICES", "A TOML file with your own prices ([what costs what](../pricing.md#your-own-prices))."),
    (LABELS, "Labels of your own and how many values each may have: `team:50,tenant:500`."),
    (GENAI, "`true` records calls under OpenTelemetry's names, too."),
)
SECRETS = (
    (KEY, "The key of the models' API."),
    (twin(KEY), "A file with that key. It is read at the start, and at SIGHUP."),
    ("OPENAI_BASE_URL", "Where the models' API answers; without it, OpenAI."),
    (CACHE_KEY, "32 bytes in base64: the key under which the cache keeps answers. Without it they are not encrypted."),
    (twin(CACHE_KEY), "A file with that key."),
)

DEMO = (
    ("DEMO_SECONDS", "How long the load lasts; without it until Ctrl-C."),
    ("DEMO_RATE", "Questions per second: 20, or 0.5 if real models answer."),
    ("DEMO_GATEWAY_PORTS", "Ports of the gateways, between commas."),
    ("DEMO_EXPORTER_PORT", "The exporter's port."),
    ("DEMO_PROMETHEUS_PORT", "Prometheus' port."),
    ("DEMO_ALERTMANAGER_PORT", "Alertmanager's port."),
    ("DEMO_BOARD_PORT", "The board's port."),
    ("DEMO_ALERT_SPEED", "Divides the windows and waits of all alerts; at most 30."),
    ("DEMO_ALERT_WEBHOOK", "A URL that receives each alert that fires."),
    (KEY, "If it is set, real models answer, and cost money."),
)

INTRODUCTION = """
An argument or a flag wins over its variable, and a variable over the default. An empty variable counts as not set.
A setting that cannot be used is refused at the start, by its name.
"""


def page() -> str:
    """The text of the page."""
    heads = ("variable", "meaning")
    return page_of(
        "Settings",
        INTRODUCTION,
        "## The library",
        "Arguments of `fleetmeter.install()`:",
        table(("argument", "variable", "default", "meaning"), arguments()),
        "Further variables:",
        table(heads, [(code(name), text) for name, text in LIBRARY]),
        "## The store's user and password",
        "Every program reads these. They are used only if the URL of the store holds no password, and only one of the "
        "last three may be set.",
        table(heads, [(code(name), text) for name, text in STORE]),
        "## The exporter",
        "`fleetmeter-exporter` takes these flags. The file of `--web.config.file` is described with "
        "[TLS and passwords](../how-to/tls.md).",
        flags(EXPORTER, "exporter"),
        "## The board",
        "`fleetmeter board` takes these flags ([the board](../board.md)).",
        flags(BOARD, "board"),
        "## The gateway",
        "`fleetmeter-app` takes these flags. The file of `--config` is described in [the gateway](../gateway.md), "
        "[guards](../guards.md) and [tools](../tools.md); "
        "[the packaged file](../../app/fleetmeter_app/gateway.toml) has every table with its defaults.",
        flags(GATEWAY, "app"),
        "Variables without a flag:",
        table(heads, [(code(name), text) for name, text in SECRETS]),
        "## The upstream for tests",
        "`python -m fleetmeter_app.upstream` answers like a provider of models, and costs nothing.",
        flags(UPSTREAM, "upstream"),
        "## The demo",
        "`make demo` has no flags. It takes any free port unless you name one. Real models are asked plain questions "
        "only, by `POST /ask`, and nobody needs a key.",
        table(heads, [(code(name), text) for name, text in DEMO]),
    )


def arguments() -> list[tuple[str, str, str, str]]:
    """Name, variable, default and meaning of each argument of `install()`, as its docstring states them."""
    text = inspect.getdoc(install) or ""
    items = re.findall(r"^\* .*?(?=^\* |\n\n)", text, re.MULTILINE | re.DOTALL)
    found = [match.groups() for item in items if (match := _ARGUMENT.match(" ".join(item.split())))]
    names = [name for name, *_ in found]
    if names != list(inspect.signature(install).parameters):
        raise ValueError(f"the docstring of install() describes {names}; expected its arguments, in their order")
    rows = []
    for name, twin_, default, meaning in found:
        shown = "none" if default.startswith("as ") else default.strip("`")
        rows.append((code(name), code(twin_), shown, meaning[0].upper() + meaning[1:]))
    return rows


def flags(flags_: Sequence[Flag], program: str) -> str:
    """A table of flags with their variables."""
    rows = []
    for flag in flags_:
        shown = f"--{flag.name} {flag.metavar}".strip()
        variables = codes(filter(None, (variable(flag.name, program), flag.fallback)))
        kind = {"list": "; may be repeated, the variable has commas", "switch": "; `true` or `false` in the variable"}
        rows.append((code(shown), variables, code(flag.default) or "none", flag.text + kind.get(flag.kind, "") + "."))
    return table(("flag", "variable", "default", "meaning"), [(a, b, c, d[0].upper() + d[1:]) for a, b, c, d in rows])

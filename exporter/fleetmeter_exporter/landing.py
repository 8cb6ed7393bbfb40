"""The exporter's page for people, at `/`: the paths that it serves, and the store that it reads.

It is made from the settings alone. So it needs no store, and two exporters behind one address show the same page.
"""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from urllib.parse import quote

import fleetmeter
from fleetmeter.settings import without_password

_STYLE = """
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 42rem; padding: 1.5rem 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem; }
h1 small { font-size: 1rem; font-weight: normal; opacity: .75; white-space: nowrap; }
h2 { border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); font-size: 1.1rem; margin: 1.75rem 0 .5rem; }
dl { display: grid; gap: .4rem 1.5rem; grid-template-columns: 8rem 1fr; margin: 0; }
dd { margin: 0; }
code { font-size: .9rem; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .6rem; } }
"""  # noqa: E501  one rule per line

CONTENT_TYPE = "text/html; charset=utf-8"
HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'sha256-%b'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        % base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
"""Headers of the page. They forbid to load, run or frame anything; the one style sheet is allowed by its digest."""


def landing_page(url: str, namespaces: Sequence[str], telemetry_path: str) -> bytes:
    """The page as HTML. It shows the store's URL without user, password and parameters."""
    links = (
        (telemetry_path, "the metrics of the whole fleet, for Prometheus"),
        ("/-/healthy", "whether the exporter runs"),
        ("/-/ready", "whether it can serve the metrics now"),
    )
    listed = "\n".join(f"<dt>{_link(path)}</dt><dd>{escape(text)}</dd>" for path, text in links)
    names = ", ".join(f"<code>{escape(name)}</code>" for name in namespaces)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fleetmeter exporter</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>fleetmeter exporter <small>{escape(fleetmeter.__version__)}</small></h1>
<p>One true set of Prometheus metrics for a whole fleet: replicas count in Redis, this exporter serves the totals.
Scrape one address only, however many replicas and exporters there are.</p>
<h2>Served here</h2>
<dl>
{listed}
</dl>
<h2>Read from</h2>
<dl>
<dt>{"Namespaces" if len(namespaces) > 1 else "Namespace"}</dt><dd>{names}</dd>
<dt>Store</dt><dd><code>{escape(without_password(url))}</code></dd>
</dl>
</main>
</body>
</html>
""".encode()


def _link(path: str) -> str:
    """A link relative to the page, so that it works behind a proxy that serves the exporter below another path."""
    return f'<a href="./{escape(quote(path.removeprefix("/")))}">{escape(path)}</a>'

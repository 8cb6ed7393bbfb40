"""The Python in the documents compiles, and runs against a real store: the blocks of a page one after the other."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetmeter.embedded import EmbeddedStore
from support.documents import ROOT, Block, blocks
from support.exposition import total
from support.gateway import Programs
from support.processes import environment, fleet
from support.store import new_address
from support.upstream import RunningUpstream

DRIVER = """
import json, os, sys
import fastapi.testclient, genai_prices, openai, prometheus_client, redis  # once for all, as they take seconds
children = {}
for page, folder, environ, parts in json.load(sys.stdin):
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        os.dup2(os.open("output", os.O_WRONLY | os.O_CREAT), 1)
        os.dup2(1, 2)
        os.environ.update(environ)
        sys.argv[:] = ["program"]
        names = {"__name__": "__main__"}
        for place, text in parts:
            exec(compile(text, place, "exec"), names)
        sys.exit()
    children[child] = page, folder
failed = {}
for child, (page, folder) in children.items():
    if os.waitpid(child, 0)[1]:
        failed[page] = open(os.path.join(folder, "output")).read()
print(json.dumps(failed))
"""
"""Runs the texts of each page in a process of its own, each with its place in the document as the name of its file."""

CLIENT = "import fleetmeter, openai\nfleetmeter.install()\nfleetmeter.instrument_openai()\nclient = openai.OpenAI()\n"

BEFORE = {
    "docs/attribution.md": f"from fastapi import FastAPI\n{CLIENT}app = FastAPI()\n",
    "docs/pricing.md": "import types, fleetmeter\nfleetmeter.install()\n"
    "client = types.SimpleNamespace(base_url='https://api.openai.com/v1')\n"
    "completion = {'model': 'gpt-6-luna', 'usage': {'prompt_tokens': 10, 'completion_tokens': 1}}\n",
    "docs/tools.md": "KNOWN = {'Vienna'}\n\ndef forecast(city, days, unit):\n    return 21.5\n",
}
"""What a page takes for granted, because every reader has it: a client, an application, a forecast."""

ASK = "from fastapi.testclient import TestClient\nwith TestClient(app) as caller:\n    answer = caller.get({0})\n"
AFTER = {
    "docs/exporter.md": ASK.format("'/metrics'") + "assert 'fleetmeter_up 1' in answer.text, answer.text\n",
    "docs/store.md": "assert login()[0] == 'fleetmeter-writer'\n",
    "docs/tools.md": "assert weather('Vienna') == {'mean': 21.5}\n",
    "docs/how-to/cost-by-team.md": ASK.format("'/ask?question=Why', headers={'x-team': 'search'}")
    + "assert answer.status_code == 200, answer.text\n",
    "docs/how-to/fastapi.md": ASK.format("'/orders/7'") + "assert answer.json() == {'number': 7}\n",
    "docs/how-to/functions.md": "assert handler({}, None) == 'done'\n",
    "docs/how-to/rq.md": "send('a@shop.example')\n",
    "docs/moving/multiprocess.md": "from prometheus_client import Counter\nCounter('moved', 'Moved.').inc()\n"
    "child_exit(None, type('Worker', (), {'pid': 1}))\n",
    "docs/moving/one-page-per-pod.md": "from prometheus_client import Counter, generate_latest\n"
    "Counter('own', 'Own.').inc()\nassert b'own_total 1.0' in generate_latest()\n",
}
"""What a reader does next with what a page has defined."""

COUNTED: dict[str, tuple[str, dict[str, str], float]] = {
    "README.md": ("revenue_usd_total", {}, 19.99),
    "docs/attribution.md": ("openai_api_calls_total", {"team": "search", "tenant": "acme", "intent": "chat"}, 1),
    "docs/first-steps.md": ("orders_total", {}, 20),
    "docs/gateway.md": ("openai_api_calls_total", {"intent": "price_only"}, 1),
    "docs/llm-calls.md": ("openai_api_calls_total", {"model": "anthropic/claude-sonnet-4-5"}, 1),
    "docs/pricing.md": ("openai_cost_usd_count", {"model": "gpt-6-luna"}, 1),
    "docs/recording.md": ("placed_revenue_usd_total", {}, 2519.99),
    "docs/how-to/cost-by-team.md": ("openai_api_calls_total", {"team": "search"}, 1),
    "docs/how-to/fastapi.md": ("http_requests_total", {"endpoint": "/orders/{number}", "status": "200"}, 1),
    "docs/how-to/functions.md": ("calls_total", {"outcome": "done"}, 1),
    "docs/how-to/rq.md": ("mails_sent_total", {}, 1),
    "docs/moving/multiprocess.md": ("moved_total", {}, 1),
    "docs/moving/one-page-per-pod.md": ("own_total", {}, 1),
}
"""What the fleet has afterwards: a sample's name, labels of it, and the sum of these series."""

GATEWAY_PAGE = "docs/gateway.md"
PAGES = sorted({block.page for block in blocks("python")})


def test_all_that_is_prepared_is_for_a_page() -> None:
    """No preparation is left over from a page that has changed."""
    assert {*BEFORE, *AFTER, *COUNTED} <= set(PAGES)


@pytest.mark.timeout(300)
def test_the_python_of_every_page_runs(
    server: EmbeddedStore, upstream: RunningUpstream, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """From top to bottom in a process of the page's own; and what it counted is in the store."""
    stores = {page: new_address(server) for page in PAGES}
    variables = {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": "sk-test"}
    texts = {page: [(block.place, block.text) for block in blocks("python") if block.page == page] for page in PAGES}
    work = []
    with Programs() as programs:
        gateway = programs.gateway(stores[GATEWAY_PAGE], upstream.base_url).address()
        for number, page in enumerate(PAGES):
            (folder := tmp_path / str(number)).mkdir()
            (folder / "prices.toml").write_text((ROOT / "examples" / "prices.toml").read_text())
            own = [(place, text.replace("http://127.0.0.1:8000", gateway)) for place, text in texts[page]]
            parts = [("before", BEFORE.get(page, "")), *own, ("after", AFTER.get(page, ""))]
            work.append((page, str(folder), {**stores[page].environ, **variables}, parts))
        done = subprocess.run(
            [sys.executable, "-c", DRIVER], env=environment(stores[GATEWAY_PAGE]), input=json.dumps(work),
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    failed = json.loads(done.stdout)
    assert not failed, "\n".join(f"{page}:\n{text}" for page, text in failed.items())
    shown = {page: fleet(stores[page]) for page in COUNTED}
    found = {page: total(shown[page], sample, **labels) for page, (sample, labels, _) in COUNTED.items()}
    assert found == {page: amount for page, (_, _, amount) in COUNTED.items()}
    record_property("blocks", ("python that ran against a store", sum(map(len, texts.values()))))


def test_python_says_what_it_is() -> None:
    """A block that looks like Python is marked as such, so that it runs."""
    for block in blocks():
        if block.language not in ("python", "diff"):
            assert not looks_like_python(block), block.place


def looks_like_python(block: Block) -> bool:
    """Whether an import or a definition stands at the beginning of a line."""
    return any(line.startswith(("import ", "from ", "def ", "class ", "with ")) for line in block.text.splitlines())

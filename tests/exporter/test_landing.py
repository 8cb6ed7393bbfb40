"""The exporter's page for people."""

import asyncio
import base64
import gzip
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

import fleetmeter
from fleetmeter_exporter import make_asgi_app
from fleetmeter_exporter.landing import landing_page
from support.gateway import Programs
from support.store import StoreAddress

SECRET = "very-secret"
VOID = {"meta"}


class Page(HTMLParser):
    """A page taken apart; fails for a tag that is not closed where it should be, and for a stray mark."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Compare it with what is open."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect it."""
        if "style" not in self._open:
            self.text += data


def served(app: Any, encoding: str = "identity") -> httpx.Response:
    """What the application answers at `/`."""

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://exporter") as client:
            return await client.get("/", headers={"accept-encoding": encoding})

    return asyncio.run(send())


def page_of(
    url: str = "redis://h/0", namespaces: tuple[str, ...] = ("default",), telemetry_path: str = "/metrics"
) -> Page:
    """The page of these settings."""
    return Page(landing_page(url, namespaces, telemetry_path).decode())


def test_it_says_what_is_served_from_where() -> None:
    """Name, version, namespaces, the store, and links to everything that the exporter answers."""
    page = page_of("redis://h:7000/2", ("shop", "search"), "/fleet/metrics")
    assert page.links == ["./fleet/metrics", "./-/healthy", "./-/ready"]
    assert f"fleetmeter exporter {fleetmeter.__version__}\n" in page.text
    assert "Namespacesshop, search\nStoreredis://h:7000/2\n" in page.text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis://user:{SECRET}@h:1/2?password={SECRET}&client_name={SECRET}", "redis://h:1/2"),
        (f"redis://:{SECRET}@[::1]:1", "redis://[::1]:1"),
        (f"redis://{SECRET}@h", "redis://h"),
        (f"redis://user:p@{SECRET}@h/0", "redis://h/0"),
        (f"rediss://h/0?ssl_keyfile=/run/{SECRET}&ssl_password={SECRET}&username={SECRET}", "rediss://h/0"),
        (f"rediss://h?password={SECRET}", "rediss://h"),
        (f"unix://user:{SECRET}@/run/redis.sock?db=1&password={SECRET}", "unix:///run/redis.sock"),
        (f"redis+sentinel://u:{SECRET}@h1:1,h2/svc/2?sentinel_password={SECRET}", "redis+sentinel://h1:1,h2/svc/2"),
        (f"rediss+sentinel://h1/svc?sentinel_username={SECRET}", "rediss+sentinel://h1/svc"),
        (f"redis+cluster://:{SECRET}@h1,h2?password={SECRET}", "redis+cluster://h1,h2"),
        (f"rediss+cluster://u:{SECRET}@h1#{SECRET}", "rediss+cluster://h1"),
        (f"REDIS://u:{SECRET}@h/0", "REDIS://h/0"),
        (f"UNIX://u:{SECRET}@/run/x.sock", "UNIX:///run/x.sock"),
    ],
)
def test_it_shows_where_the_store_is_and_no_secret(url: str, shown: str) -> None:
    """No user, password or parameter of any kind of URL; as the application itself serves it."""
    text = served(make_asgi_app(url=url, namespace="n", telemetry_path="/metrics")).text
    assert f"<code>{shown}</code>" in text
    assert SECRET not in text


def test_secrets_of_the_environment_do_not_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL may come from the environment, and so may the password."""
    monkeypatch.setenv("FLEETMETER_REDIS_URL", "redis://somebody@h/0")
    monkeypatch.setenv("FLEETMETER_REDIS_PASSWORD", SECRET)
    text = served(make_asgi_app(telemetry_path="/metrics")).text
    assert "<code>redis://h/0</code>" in text
    assert SECRET not in text
    assert "somebody" not in text


def test_everything_is_escaped() -> None:
    """A socket's path, a service and the metrics' path may hold any text; none of it becomes a tag or another link."""
    wild = """/a<script>alert(1)</script>"'&amp;%2e?x#y ü"""
    page = page_of(f"unix://{wild.partition('?')[0]}", ("<b>",), wild)
    assert not {"script", "b"} & set(page.tags)
    assert f"unix://{wild.partition('?')[0]}" in page.text
    assert wild in page.text
    assert httpx.URL("http://h/").join(page.links[0]).path == wild
    assert httpx.URL("http://h/").join(page_of(telemetry_path="//evil.example/x").links[0]).host == "h"


def test_it_brings_everything_itself() -> None:
    """No script, form, image, frame or outside address; the policy allows its own style sheet and nothing else."""
    response = served(make_asgi_app(url="redis://h/0", telemetry_path="/metrics"))
    page = Page(response.text)
    assert response.text.startswith("<!DOCTYPE html>\n")
    assert set(page.tags) <= set("html head meta title style body main h1 h2 small p dl dt dd a code".split())  # noqa: SIM905
    assert page.attributes == {"lang", "charset", "name", "content", "href"}
    assert all(link.startswith("./") for link in page.links)
    (style,) = re.findall(r"<style>(.*)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = response.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
    assert "unsafe" not in policy
    assert "url(" not in style
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-type"] == "text/html; charset=utf-8"


def test_two_exporters_give_the_same_page_without_a_store(store: StoreAddress) -> None:
    """It holds nothing of the process or its address, and is there from the first moment, whatever the store does."""
    with Programs() as programs:
        arguments = ("--redis.url=redis://127.0.0.1:1/0", "--namespace=shop")
        pages = [httpx.get(programs.exporter(store, *arguments).address() + "/") for _ in range(2)]
    assert [page.status_code for page in pages] == [200, 200]
    assert pages[0].content == pages[1].content
    assert "<code>shop</code>" in pages[0].text


def test_a_telemetry_path_at_the_root_leaves_no_room() -> None:
    """An application that puts the exposition at `/` gets the exposition."""
    app = make_asgi_app(url="redis://127.0.0.1:1/0", telemetry_path="/")
    assert "fleetmeter_up 0.0" in served(app).text


def test_it_is_compressed_where_that_is_accepted() -> None:
    """Like every answer."""
    app = make_asgi_app(url="redis://h/0", telemetry_path="/metrics")
    response = served(app, "gzip")
    assert response.headers["content-encoding"] == "gzip"
    assert response.content == served(app).content
    assert int(response.headers["content-length"]) == len(gzip.compress(response.content, 1))

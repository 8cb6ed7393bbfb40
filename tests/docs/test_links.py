"""Links between the documents, and the site that is made of them."""

import re
from collections.abc import Iterator
from functools import cache

import markdown
import pytest
import yaml

from fleetmeter_docs.links import file_of, for_the_site, links, place
from support.documents import ROOT, pages, text_of

SITE = ROOT / "mkdocs.yml"


@cache
def anchors(page: str) -> set[str]:
    """The anchors of a document's headings, as the site makes them."""
    reader = markdown.Markdown(extensions=["tables", "pymdownx.superfences", "toc"])
    return set(re.findall(r'<h\d id="([^"]+)"', reader.convert(text_of(page))))


@pytest.mark.parametrize("page", pages())
def test_every_link_leads_somewhere(page: str) -> None:
    """To a file of the repository, and to a heading that is there."""
    for link in links(page, text_of(page)):
        assert (ROOT / link.target).is_file(), f"{page} links to {link.target}, which is no file"
        if link.anchor and link.target.endswith(".md"):
            assert link.anchor in anchors(link.target), f"{page} links to {link.target}#{link.anchor}: no such heading"


def entries(nav: list[dict[str, object]]) -> Iterator[str]:
    """The pages that the site's navigation names."""
    for entry in nav:
        for value in entry.values():
            if isinstance(value, list):
                yield from entries(value)
            else:
                yield str(value)


def test_the_navigation_has_each_page_once() -> None:
    """Nothing of `docs/` is hidden, and nothing is named that is not there."""
    named = [file_of(entry) for entry in entries(yaml.safe_load(SITE.read_text())["nav"])]
    assert len(named) == len(set(named))
    assert all((ROOT / name).is_file() for name in named)
    assert {page for page in pages() if page.startswith("docs/")} <= set(named)


def test_the_site_loads_nothing_from_another_host() -> None:
    """No fonts of Google's, no scripts, styles or images by an address; pages open from a disk."""
    settings = yaml.safe_load(SITE.read_text())
    assert settings["theme"]["font"] is False
    assert settings["use_directory_urls"] is False
    assert not settings.keys() & {"extra_css", "extra_javascript", "repo_url"}
    for page in pages():
        assert not re.search(r"!\[[^\]]*\]\(\s*https?:|<(?:img|script|link|iframe)\b", text_of(page)), page
        assert "```mermaid" not in text_of(page), "the theme would load its drawing program from another host"


def test_a_link_out_of_docs_is_led_to_its_copy() -> None:
    """Files of `docs/` keep their places, others are below `repository/`; code is no link."""
    text = "[a](../ARCHITECTURE.md#keys) ![b](pictures/cost.png) `[c](d.md)` [e](https://x.example/f.md) [g](#h)"
    shown = (
        "[a](repository/ARCHITECTURE.md#keys) ![b](pictures/cost.png) `[c](d.md)` [e](https://x.example/f.md) [g](#h)"
    )
    assert for_the_site("docs/store.md", text) == shown
    assert for_the_site("ARCHITECTURE.md", "[a](docs/store.md)") == "[a](../store.md)"
    for path in ("docs/how-to/rq.md", "prometheus/runbook.md"):
        assert file_of(place(path)) == path


def test_no_document_has_marks_of_a_conflict() -> None:
    """Whoever merged has decided."""
    for page in [*pages(), "CHANGELOG.md"]:
        assert not re.search(r"^(?:<{7}|={7}$|>{7})", text_of(page), re.MULTILINE), page

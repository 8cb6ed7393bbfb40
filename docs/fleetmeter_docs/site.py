"""What mkdocs is told beyond mkdocs.yml: files outside `docs/` that pages link to, and links that lead there.

A page that loads something from another host ends the build.

mkdocs loads this file by its path and calls the functions below by their names.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from fleetmeter_docs.links import ROOT, file_of, for_the_site, links, place

_LOADED = re.compile(r"<(?:(?:script|img|iframe|source)\b[^>]*\ssrc|link\b[^>]*\shref)=[\"']?(?:https?:)?//[^>]*>")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every file outside `docs/` that a page links to, and those that they link to.

    Raises `PluginError` for a link to something that is no file: the site could not show it.
    """
    waiting = [file_of(file.src_uri) for file in files.documentation_pages()]
    seen = set(waiting)
    while waiting:
        page = waiting.pop()
        if not page.endswith(".md"):
            continue
        for link in links(page, (ROOT / page).read_text(encoding="utf-8")):
            target = link.target
            if target in seen:
                continue
            if not (ROOT / target).is_file():
                raise PluginError(f"{page}: the link to {target} leads to no file of the repository")
            seen.add(target)
            waiting.append(target)
            if files.get_file_from_path(place(target)) is None:
                files.append(File.generated(config, place(target), abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  by name
    """The page's text, with links that lead to where the site has the files."""
    return for_the_site(file_of(page.file.src_uri), markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Raise `PluginError` for a built page that would load something from another host."""
    for path in sorted(Path(config.site_dir).rglob("*.html")):
        found = _LOADED.search(path.read_text(encoding="utf-8"))
        if found is not None:
            raise PluginError(f"{path}: {found[0]} loads from another host; the site has to work without one")

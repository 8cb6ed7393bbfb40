"""Pictures of the board, taken in a real browser: on a desk and in a hand, light and dark.

`python -m pictures.board ADDRESS [FOLDER]` takes them of a board that runs already.
"""

import sys
from pathlib import Path

from playwright.sync_api import Browser

from observation.dashboards import ROOT
from support.board import chromium

FOLDER = ROOT / "docs" / "pictures"
_SCREENS = {"": (1440, 1120, 1.0), "-phone": (390, 844, 2.0)}
"""Width and height in the page's own pixels, and how many of the picture's stand for one."""
_PATIENCE = 60_000
"""Milliseconds."""


def draw_board(address: str, folder: Path) -> None:
    """Take all pictures of a board that has watched a fleet for a while."""
    with chromium() as browser:
        for screen, size in _SCREENS.items():
            for theme in ("light", "dark"):
                _picture(browser, address, theme, size, folder / f"board{screen}-{theme}.png")


def _picture(browser: Browser, address: str, theme: str, size: tuple[int, int, float], path: Path) -> None:
    width, height, scale = size
    page = browser.new_page(
        viewport={"width": width, "height": height}, device_scale_factor=scale,
        color_scheme="dark" if theme == "dark" else "light",
    )  # fmt: skip
    page.set_default_timeout(_PATIENCE)
    page.goto(address)
    for key in ("cost", "requests", "latency", "tokens"):
        page.locator(f'[data-chart="{key}"] .legend li').first.wait_for(state="attached")
    page.wait_for_timeout(3000)  # until the charts have found their size
    page.screenshot(path=path)
    page.close()


if __name__ == "__main__":
    draw_board(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else FOLDER)

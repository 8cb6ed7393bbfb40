"""The page as a canvas in pixels: panels' frames, text that fits, axes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.text import Text
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pictures.look import BORDER, FAINT, GRID, PANEL, TEXT

DPI = 100
_MARKS = 7.5
"""Size of the words at an axis."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels from the top left corner."""

    x: float
    y: float
    width: float
    height: float

    def inner(self, left: float, top: float, right: float, bottom: float) -> "Box":
        """What is left inside of these margins."""
        return Box(self.x + left, self.y + top, self.width - left - right, self.height - top - bottom)


@dataclass
class Page:
    """A drawing of so many pixels; `cuts` names the texts that had no room."""

    width: int
    height: int
    background: str
    cuts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.figure = Figure(figsize=(self.width / DPI, self.height / DPI), dpi=DPI, facecolor=self.background)
        canvas: Any = FigureCanvasAgg(self.figure)
        self._renderer = canvas.get_renderer()

    def write(
        self, x: float, y: float, text: str, size: float, colour: str = TEXT, *, align: str = "left",
        room: float | None = None,
    ) -> float:  # fmt: skip
        """Write a line, smaller and at last cut where it has no room; its width in pixels."""
        written = self.figure.text(
            x / self.width, 1 - y / self.height, text, fontsize=size, color=colour, ha=align, va="center",
            parse_math=False,
        )  # fmt: skip
        width = self._width(written)
        if room is not None and width > room:
            written.set_fontsize(max(size * room / width, size * 0.8))
            width = self._width(written)
            shown = text
            while width > room and len(shown) > 1:
                shown = shown[:-1]
                written.set_text(shown + "…")
                width = self._width(written)
            if shown != text:
                self.cuts.append(text)
        return width

    def measure(self, text: str, size: float) -> float:
        """The width of a line in pixels."""
        written = self.figure.text(0, 0, text, fontsize=size, parse_math=False)
        width = self._width(written)
        written.remove()
        return width

    def frame(self, box: Box, fill: str = PANEL) -> None:
        """A panel's background."""
        self.figure.add_artist(
            FancyBboxPatch(
                *self._place(box), boxstyle="square,pad=0", facecolor=fill, edgecolor=BORDER, linewidth=0.8,
                transform=self.figure.transFigure, zorder=-2,
            )
        )  # fmt: skip

    def bar(self, box: Box, fill: str, alpha: float = 1.0) -> None:
        """A filled rectangle."""
        self.figure.add_artist(
            Rectangle(
                *self._place(box),
                facecolor=fill, edgecolor="none", alpha=alpha, transform=self.figure.transFigure, zorder=-1,
            )
        )  # fmt: skip

    def axes(self, box: Box) -> Axes:
        """Axes that fill a box, in the page's look."""
        (x, y), width, height = self._place(box)
        axes = self.figure.add_axes((x, y, width, height))
        axes.set_facecolor("none")
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.tick_params(colors=FAINT, labelsize=_MARKS, length=0, pad=4)
        axes.grid(visible=True, color=GRID, linewidth=0.7)
        axes.set_axisbelow(True)
        return axes

    def make_room(self, axes: Axes, box: Box, margins: tuple[float, float, float, float]) -> None:
        """Move the left edge of axes in a box so far to the right that the words of their marks have room."""
        left, top, right, bottom = margins
        low, high = axes.get_ylim()
        words = [axes.yaxis.get_major_formatter()(mark) for mark in axes.get_yticks() if low <= mark <= high]
        widest = max((self.measure(word, _MARKS) for word in words), default=0.0)
        (x, y), width, height = self._place(box.inner(max(left, widest + 12), top, right, bottom))
        axes.set_position((x, y, width, height))

    def save(self, path: Path, note: tuple[str, str]) -> None:
        """Write it as a PNG of at most 256 colours, which keeps it small; `note` is a key and a text kept inside."""
        canvas: Any = FigureCanvasAgg(self.figure)
        canvas.draw()
        image = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
        inside = PngInfo()
        inside.add_text(*note)
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True, pnginfo=inside)

    def _place(self, box: Box) -> tuple[tuple[float, float], float, float]:
        """Lower left corner, width and height in shares of the page."""
        corner = (box.x / self.width, 1 - (box.y + box.height) / self.height)
        return corner, box.width / self.width, box.height / self.height

    def _width(self, text: Text) -> float:
        return float(text.get_window_extent(self._renderer).width)

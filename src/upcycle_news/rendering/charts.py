"""Charts as SVG for a page's HTML: without style, script, address or text that a table does not have.

pygal draws; only its shapes and labels are taken over. Colours are the page's: a series carries the
class of its tone (``tone-good``), so that one drawing serves the light page and the dark one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from typing import Any, Literal

Tone = Literal["good", "plain", "warn", "bad", "odd"]
"""What a series is to its reader; the page has a colour for each."""

TONES: tuple[Tone, ...] = ("plain", "good", "warn", "odd", "bad")

_LABEL_SIZE = 12  # px, as in the page's style sheet
_LETTER = 7  # px that a letter of a label takes
_MIN_COLUMNS = 8  # a single bar would be as wide as the chart
_LEFT_OUT = frozenset({"defs", "desc", "title", "script", "style"})


@dataclass(frozen=True)
class Series:
    """Values of one kind in the order of the chart's labels; None was not measured."""

    name: str
    tone: Tone
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Chart:
    """What a chart shows. `bars` are stacked, negative values below zero; `shares` lie, 100 is all.

    `axis` writes a value of the scale in the reader's language. `whole`: values are counts.
    """

    kind: Literal["bars", "lines", "shares"]
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    axis: Callable[[float], str]
    whole: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be seen: bars of zeros, or no value at all."""
        values = [value for series in self.series for value in series.values]
        return not any(values) if self.kind == "bars" else all(value is None for value in values)

    def height(self, narrow: bool) -> int:
        """Return the height in px: that of lying bars grows with their number."""
        if self.kind == "shares":
            return 34 + 34 * len(self.labels)
        return 220 if narrow else 280


def can_draw() -> bool:
    """Return whether pygal is installed (the extra `report`), without importing it."""
    return find_spec("pygal") is not None


def draw(chart: Chart, *, narrow: bool = False) -> str:
    """Return the chart as an SVG element for a phone (`narrow`, 320 px) or a desk (720 px)."""
    import pygal  # late: 80 ms that only this page needs
    from pygal.style import Style

    width, height = (320 if narrow else 720), chart.height(narrow)
    lying = chart.kind == "shares"
    kinds = {"bars": pygal.StackedBar, "lines": pygal.Line, "shares": pygal.HorizontalStackedBar}
    drawing = kinds[chart.kind](
        width=width,
        height=height,
        style=Style(label_font_size=_LABEL_SIZE, major_label_font_size=_LABEL_SIZE),
        show_legend=False,
        margin=4,
        # Half of what stands below the last column.
        margin_right=26 if lying else max(26, _LETTER * len(chart.labels[-1]) // 2),
        truncate_label=-1,
        allow_interruptions=True,
        dots_size=2.5,
        formatter=lambda value: "",
        js=(),
        css=(),
    )
    if lying:
        # From the top down, as the table does it.
        letters = width // (2 * _LETTER)
        drawing.x_labels = [_shortened(label, letters) for label in reversed(chart.labels)]
        scale: list[float] = [0, 50, 100]
    else:
        drawing.x_labels = _thinned(chart.labels, width)
        scale = _scale(chart)
    drawing.y_labels = [{"value": value, "label": chart.axis(value)} for value in scale]
    for series in chart.series:
        padding = () if lying else (None,) * (_MIN_COLUMNS - len(series.values))
        drawing.add(series.name, list(series.values)[:: -1 if lying else 1] + list(padding))
    shapes = next(node for node in drawing.render_tree() if node.tag == "g")
    markup = _markup(shapes, [series.tone for series in chart.series])
    return (
        f'<svg viewBox="0 0 {width} {height}" aria-hidden="true" focusable="false">{markup}</svg>'
    )


def _shortened(label: str, letters: int) -> str:
    """Return a label that leaves half of the chart to its bars; the table has it in full."""
    return label if len(label) <= letters else f"{label[: letters - 1].rstrip()}…"


def _thinned(labels: Sequence[str], width: int) -> list[str]:
    """Return the labels with room for each: every so many from the last one back, the others empty."""
    columns, last = max(len(labels), _MIN_COLUMNS), len(labels) - 1
    room = _LETTER * max(map(len, labels)) + _LETTER
    every = math.ceil(room * columns / (width - 60))
    kept = [label if (last - number) % every == 0 else "" for number, label in enumerate(labels)]
    return kept + [""] * (columns - len(kept))


def _scale(chart: Chart) -> list[float]:
    """Return some four round values that enclose all of the chart's, with 0 among them."""
    columns = list(zip(*(series.values for series in chart.series), strict=True))
    if chart.kind == "bars":
        highs = [sum(value for value in column if value and value > 0) for column in columns]
        lows = [sum(value for value in column if value and value < 0) for column in columns]
    else:
        highs = [value for column in columns for value in column if value is not None]
        lows = [0.0]
    high, low = max([0.0, *highs]), min([0.0, *lows])
    raw = max((high - low) / 4, 0.25 if chart.whole else 1e-9)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(
        nice * magnitude for nice in (1, 2, 2.5, 5, 10) if nice * magnitude >= raw * (1 - 1e-9)
    )
    if chart.whole:
        step = math.ceil(step)
    first, last = math.floor(low / step), max(math.ceil(high / step), 1 if not low else 0)
    return [number * step for number in range(first, last + 1)]


_NUMBER = re.compile(r"-?\d+\.\d+")


def _markup(node: Any, tones: Sequence[Tone]) -> str:
    """Return a node of pygal's tree and what is in it as HTML, without what shows nothing."""
    if not isinstance(node.tag, str) or node.tag in _LEFT_OUT:  # a comment has no name
        return ""
    classes = node.get("class", "").split()
    if "background" in classes or "tooltip" in classes:
        return ""
    if node.tag == "rect" and min(float(node.get("width", 0)), float(node.get("height", 0))) < 0.01:
        return ""
    inside = escape(node.text or "") + "".join(_markup(child, tones) for child in node)
    if (node.tag in ("g", "text") and not inside) or (
        "guides" in classes and "<text" not in inside
    ):
        return ""
    kept = [name for name in classes if name in ("axis", "x", "y", "guide", "line", "bars", "dot")]
    if "series" in classes:
        number = next(name for name in classes if name.startswith("serie-"))
        kept.append(f"tone-{tones[int(number.removeprefix('serie-'))]}")
    names = ("transform", "d", "x", "y", "width", "height", "cx", "cy", "r")
    attributes = [(name, node.get(name)) for name in names if node.get(name) is not None]
    attributes += [("class", " ".join(kept))] if kept else []
    written = "".join(
        f' {name}="{escape(_NUMBER.sub(lambda found: f"{float(found[0]):.1f}", value))}"'
        for name, value in attributes
    )
    return f"<{node.tag}{written}>{inside}</{node.tag}>"

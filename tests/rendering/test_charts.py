"""Charts as SVG: shapes, labels and scales; nothing of pygal's own styles, scripts and addresses."""

from __future__ import annotations

import re

import pytest

from upcycle_news.rendering.charts import Chart, Series, draw


def bars(*values: float | None, labels: tuple[str, ...] = ()) -> Chart:
    names = labels or tuple(f"L{number}" for number in range(len(values)))
    return Chart("bars", names, (Series("sent", "good", values),), lambda value: f"{value:g}")


def lines(*values: float | None) -> Chart:
    labels = tuple(f"L{number}" for number in range(len(values)))
    series = (Series("main", "plain", values),)
    return Chart("lines", labels, series, lambda value: f"{value:g} s", whole=False)


def scale(svg: str) -> list[str]:
    axis = re.search(r'<g class="axis y">(.*?)<g class="axis x">', svg, re.DOTALL)
    assert axis is not None
    return re.findall(r">([^<]+)</text>", axis[1])


@pytest.mark.parametrize("narrow", [False, True])
def test_a_drawing_has_no_style_script_comment_address_or_date(narrow: bool) -> None:
    svg = draw(bars(3, 1, None, 2), narrow=narrow)
    assert not re.search(r"http|xmlns|<script|<style|<!--|<title|<desc|<defs|pygal|style=", svg)
    assert draw(bars(3, 1, None, 2), narrow=narrow) == svg


def test_a_series_carries_the_class_of_its_tone_and_zero_draws_nothing() -> None:
    svg = draw(bars(3, 0, None, 2))
    [series] = re.findall(r'<g class="tone-good">(.*?)</svg>', svg)
    assert series.count("<rect") == 2


def test_a_longer_bar_stands_for_the_larger_number() -> None:
    heights = [float(height) for height in re.findall(r'height="([\d.]+)"', draw(bars(3, 1, 2)))]
    assert heights[1] * 3 == pytest.approx(heights[0], abs=0.3)
    assert heights[1] * 2 == pytest.approx(heights[2], abs=0.3)


def test_what_was_not_measured_is_a_gap_in_the_line() -> None:
    with_gap, whole = draw(lines(1, 2, None, 2, 1)), draw(lines(1, 2, 3, 2, 1))
    assert (with_gap.count("<circle"), whole.count("<circle")) == (4, 5)
    paths = re.compile(r'<path d="M[^v"]*L[^"]*"')
    assert (len(paths.findall(with_gap)), len(paths.findall(whole))) == (2, 1)


def test_a_scale_of_counts_has_whole_numbers_and_encloses_all_values() -> None:
    assert scale(draw(bars(1))) == ["0", "1"]
    assert scale(draw(bars(0, 0))) == ["0", "1"]
    assert scale(draw(bars(2, 3))) == ["0", "1", "2", "3"]
    assert scale(draw(bars(49_700))) == ["0", "20000", "40000", "60000"]
    assert scale(draw(bars(38, -22))) == ["-40", "-20", "0", "20", "40"]


def test_a_scale_of_measures_may_have_fractions() -> None:
    assert scale(draw(lines(0.31))) == ["0 s", "0.1 s", "0.2 s", "0.3 s", "0.4 s"]
    assert scale(draw(lines(0.0)))[0] == "0 s"


def test_labels_are_thinned_so_that_the_last_one_stays() -> None:
    labels = tuple(f"{number:02}.11.26" for number in range(60))
    drawing = {narrow: draw(bars(*range(60), labels=labels), narrow=narrow) for narrow in (0, 1)}
    shown = {narrow: re.findall(r">(\d\d\.11\.26)<", svg) for narrow, svg in drawing.items()}
    assert shown[False][-1] == shown[True][-1] == "59.11.26"
    assert 3 <= len(shown[True]) < len(shown[False]) < 13


def test_a_label_with_markup_is_text() -> None:
    shares = (Series("used", "warn", (30.0,)), Series("free", "good", (70.0,)))
    chart = Chart("shares", ("<b>&relay",), shares, lambda value: f"{value:.0f} %")
    svg = draw(chart)
    assert "&lt;b&gt;&amp;relay" in svg and "<b>" not in svg


def test_shares_lie_in_the_order_of_their_labels() -> None:
    shares = (Series("used", "warn", (10.0, 90.0)), Series("free", "good", (90.0, 10.0)))
    svg = draw(Chart("shares", ("first", "second"), shares, lambda value: f"{value:.0f} %"))
    heights = {name: float(y) for y, name in re.findall(r'y="([\d.]+)">(first|second)</text>', svg)}
    assert heights["first"] < heights["second"]
    used = re.search(r'<g class="tone-warn">(.*?)<g class="tone-good">', svg)
    assert used is not None
    widths = {
        float(y): float(width) for y, width in re.findall(r'y="([\d.]+)" width="([\d.]+)"', used[1])
    }
    assert widths[min(widths)] * 9 == pytest.approx(widths[max(widths)], rel=0.01)


def test_a_long_label_leaves_half_of_the_chart_to_its_bars() -> None:
    name = "a-relay-with-a-name-of-more-than-fifty-letters-in-all · je Stunde"
    chart = Chart(
        "shares", (name,), (Series("free", "good", (100.0,)),), lambda value: f"{value:.0f}"
    )
    for narrow, width in ((True, 320), (False, 720)):
        svg = draw(chart, narrow=narrow)
        [bar] = re.findall(r'<rect[^>]* width="([\d.]+)"', svg)
        assert float(bar) > width * 0.35 and "…<" in svg

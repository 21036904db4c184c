"""Which colours meet in a page: as a browser computes it, in the light and in the dark."""

from __future__ import annotations

from upcycle_news.checks.colour_pairs import colour_pairs, computed_sheet


def pairs(body: str, style: str = "", *, dark: bool = False) -> set[tuple[str, str]]:
    html = f"<html><head></head><body>{body}</body></html>"
    return {(pair.text, pair.ground) for pair in colour_pairs(html, style, dark=dark)}


def test_a_text_has_the_colour_and_the_ground_nearest_above_it() -> None:
    body = '<div style="color:#111;background:#eee"><p>a</p><p style="color:#222">b <a style="background-color:#fff">c</a></p></div>'
    assert pairs(body) == {("#111", "#eee"), ("#222", "#eee"), ("#222", "#fff")}


def test_an_old_attribute_is_a_ground_and_a_style_wins_over_it() -> None:
    assert pairs('<table bgcolor="#ddd"><tr><td>a</td></tr></table>') == {("#000000", "#ddd")}
    assert pairs('<p bgcolor="#ddd" style="background:#eee">a</p>') == {("#000000", "#eee")}


def test_what_is_important_wins_over_the_attribute_of_an_element_and_the_shorthand_over_the_ground() -> (
    None
):
    style = "@media (prefers-color-scheme: dark) { .s { background: #000 !important; } .s p { color: #fff !important; } }"
    body = '<div class="s" style="background:#eee;background-color:#eee"><p style="color:#111">a</p></div>'
    assert pairs(body, style) == {("#111", "#eee")}
    assert pairs(body, style, dark=True) == {("#fff", "#000")}


def test_variables_of_a_style_sheet_are_those_of_the_light_or_of_the_dark() -> None:
    style = (
        ":root { --a: #111; --b: #eee; }\n"
        "@media (prefers-color-scheme: dark) { :root { --a: #ddd; --b: #222; } }\n"
        "@media (max-width: 480px) { p { color: #f00; } }\n"
        "@media print { p { color: #00f; } }\n"
        "body { background: var(--b); color: var(--a); } a { color: var(--missing, #f0f); }"
    )
    assert pairs("<p>a <a>b</a></p>", style) == {("#111", "#eee")}
    assert pairs("<p>a <a>b</a></p>", style, dark=True) == {("#ddd", "#222")}


def test_what_nobody_sees_meets_nothing() -> None:
    body = (
        '<title>a</title><p style="display:none;color:#eee">b</p><style>c</style><p hidden>d</p>'
        '<input type="hidden" value="e"><!--[if mso]><p style="color:#eee">f</p><![endif]-->'
    )
    assert pairs(body) == set()


def test_a_field_to_fill_in_meets_its_ground() -> None:
    style = 'input[type="email"] { background: #f0f0f0; color: #333; }'
    assert pairs('<input type="email">', style) == {("#333", "#f0f0f0")}


def test_a_transparent_ground_lets_the_one_below_through() -> None:
    body = '<div style="background:#eee"><p style="background:transparent">a</p><p style="background:none">b</p></div>'
    assert pairs(body) == {("#000000", "#eee")}


def test_at_rules_inside_the_dark_stay_out_of_the_light_and_broken_ones_do_no_harm() -> None:
    assert computed_sheet("a { b: c } @media (x) { d { e: f }", dark=False).split() == [
        "a",
        "{",
        "b:",
        "c",
        "}",
    ]
    assert computed_sheet("/* @media { */ a { b: c }", dark=True).split() == [
        "a",
        "{",
        "b:",
        "c",
        "}",
    ]


def test_what_a_page_leaves_to_the_program_is_not_judged_in_the_dark() -> None:
    body = '<p>a</p><p style="color:#777">b</p><p style="background:#eee">c</p>'
    assert pairs(body, dark=True) == set()
    assert pairs(body) == {("#000000", "#ffffff"), ("#777", "#ffffff"), ("#000000", "#eee")}

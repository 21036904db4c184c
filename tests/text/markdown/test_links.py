"""Bare addresses and destinations with spaces."""

from __future__ import annotations

import pytest

from .parsing import line


def link(target: str, text: str = "") -> str:
    return f'<a href="{target}">{text or target}</a>'


WIKI = "https://example.org/wiki/Halle_(Saale)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("auf https://example.org/a.", f"auf {link('https://example.org/a')}."),
        (f"unter {WIKI} und", f"unter {link(WIKI)} und"),
        ("(https://example.org/a)", f"({link('https://example.org/a')})"),
        (f"({WIKI})", f"({link(WIKI)})"),
        ("„https://example.org/a“, so", f"„{link('https://example.org/a')}“, so"),
        ('"https://example.org/a"', f"„{link('https://example.org/a')}“"),
        ("**https://example.org**!", f"<strong>{link('https://example.org')}</strong>!"),
        ("https://example.org/_neu_/x_y", link("https://example.org/_neu_/x_y")),
        ("https://example.org/a*b*c", link("https://example.org/a*b*c")),
        (r"https://example.org/a\*b", link("https://example.org/a*b")),
        ("siehe www.example.org/a?", f"siehe {link('https://www.example.org/a', 'www.example.org/a')}?"),
        ("HTTPS nicht, https:// auch nicht", "HTTPS nicht, https:// auch nicht"),
        ("an laden@example.org.", f"an {link('mailto:laden@example.org', 'laden@example.org')}."),
        ("a_b.c+d@example.org", link("mailto:a_b.c+d@example.org", "a_b.c+d@example.org")),
        ("mailto:a@example.org?subject=Ja", link("mailto:a@example.org?subject=Ja")),
        ("<https://example.org/a>", link("https://example.org/a")),
        ("https://example.org/a\u200b so", f"{link('https://example.org/a')} so"),
    ],
)  # fmt: skip
def test_bare_addresses_are_links_without_the_punctuation_behind_them(
    text: str, shown: str
) -> None:
    assert line(text) == shown


@pytest.mark.parametrize(
    "text",
    ["z.B. README.md", "www.", "@laden@social.example", "a@b", "x@y.z1", "Es ist 5:30 Uhr", "info@example.org-Liste"],
)  # fmt: skip
def test_what_is_no_address_is_no_link(text: str) -> None:
    assert "<a" not in line(text)


def test_the_text_of_a_link_and_code_hold_no_links() -> None:
    assert line("[https://example.org](https://example.org/a)") == link(
        "https://example.org/a", "https://example.org"
    )
    assert "<a" not in line("`https://example.org a@example.org`")


def test_query_parameters_are_no_entities() -> None:
    assert line("https://example.org/?a=1&copy=2") == link("https://example.org/?a=1&amp;copy=2")
    assert line("https://example.org/?a=1&amp;b=2") == link("https://example.org/?a=1&amp;b=2")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("![Tresen](Tresen von vorn.png)", '<img src="Tresen%20von%20vorn.png" alt="Tresen" />'),
        ('![T](Der Tresen.jpg "Foto: M")', '<img src="Der%20Tresen.jpg" alt="T" title="Foto: M" />'),
        ("![T](<Der Tresen.jpg>)", '<img src="Der%20Tresen.jpg" alt="T" />'),
        ("![T](Tresen (neu).png)", '<img src="Tresen%20(neu).png" alt="T" />'),
        ("[Plan](https://example.org/der plan.pdf)", link("https://example.org/der%20plan.pdf", "Plan")),
        ("[![T](a b.png)](https://example.org)",
         '<a href="https://example.org"><img src="a%20b.png" alt="T" /></a>'),
    ],
)  # fmt: skip
def test_destinations_with_spaces_work_where_it_is_plain_what_is_meant(
    text: str, shown: str
) -> None:
    assert line(text) == shown


@pytest.mark.parametrize(
    "text", ["[1](so steht es da)", "![Bild](kein Bild)", "`![T](a b.png)`", r"\[Plan](a b.png)"]
)
def test_other_brackets_are_text(text: str) -> None:
    shown = line(text)
    assert "<a" not in shown
    assert "<img" not in shown


@pytest.mark.parametrize("width", ["|200", "|200x100"])
def test_the_width_of_a_picture_is_no_part_of_its_text(width: str) -> None:
    assert line(f"![Das Haus{width}](a.png)") == line("![Das Haus](a.png)")
    assert 'alt="A|B 200"' in line("![A|B 200](a.png)")

"""Stars within German words, marks, and backticks that open no code."""

from __future__ import annotations

import pytest

from .parsing import line


@pytest.mark.parametrize(
    "text",
    [
        "Die Nachbar*innen und Händler*innen kamen.",
        "Jede*r bringt ihre*n Freund*in mit.",
        "Der Tisch misst 4*2*1 Meter.",
        "Schüler_innen und Leser:innen lesen.",
        "Ein*e Kund*in*nenrat.",
        "*Die Händler*innen zahlen nichts.",
        "Für alle Händler*innen frei*",
        "x*y*z und a*b",
        "*Das Lehrer*innenzimmer und *der*die Leiter*in",
        "Erika (*1931) und Hans (*1933), Grete (* 1935) und Paul (* 1937 in Halle).",
        "Das Sternchen (*) steht für (*) Pflichtfelder.",
    ],
)
def test_a_star_within_a_word_is_text(text: str) -> None:
    assert line(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Sie (*leise* und [*laut*]) sprach.", "Sie (<em>leise</em> und [<em>laut</em>]) sprach."),
        ("kein *Un*sinn", "kein <em>Un</em>sinn"),
        ("Un*sinn*", "Un<em>sinn</em>"),
        ("*Un*sinn und *Un*fug", "<em>Un</em>sinn und <em>Un</em>fug"),
        ("*Händler*innen*", "<em>Händler*innen</em>"),
        ("*Alle Händler*innen kommen* heute", "<em>Alle Händler*innen kommen</em> heute"),
        ("**Alle Händler*innen** kommen", "<strong>Alle Händler*innen</strong> kommen"),
        ("**Um**bau ist *leise*", "<strong>Um</strong>bau ist <em>leise</em>"),
        ("Kund*innen, *leise*, Händler*innen", "Kund*innen, <em>leise</em>, Händler*innen"),
        ("[Händler*innen *und* Kund*innen](https://example.org)",
         '<a href="https://example.org">Händler*innen <em>und</em> Kund*innen</a>'),
        (r"Nachbar\*innen", "Nachbar*innen"),
        ("***sehr* wichtig**", "<strong><em>sehr</em> wichtig</strong>"),
        ("`a*b*c`", "<code>a*b*c</code>"),
    ],
)  # fmt: skip
def test_a_star_at_the_edge_of_a_word_makes_emphasis(text: str, shown: str) -> None:
    assert line(text) == shown


def test_other_languages_follow_commonmark() -> None:
    assert line("un*believ*able and 2*3*4", "en") == "un<em>believ</em>able and 2<em>3</em>4"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Das ist ==dringend==.", "Das ist <mark>dringend</mark>."),
        ("==ganz *sehr* wichtig==", "<mark>ganz <em>sehr</em> wichtig</mark>"),
        ("a == b == c", "a == b == c"),
        ("x==y==z", "x==y==z"),
        ("===drei===", "===drei==="),
        ("==offen", "==offen"),
        (r"\==kein==", "==kein=="),
        ("`==Code==`", "<code>==Code==</code>"),
    ],
)
def test_marks_are_shown(text: str, shown: str) -> None:
    assert line(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("``gut'' und ``schlecht''", "„gut“ und „schlecht“"),
        ("Geht`s noch? Hat`s geschmeckt?", "Geht’s noch? Hat’s geschmeckt?"),
        ("``echo 'ab'`` und ``x=''``", "<code>echo 'ab'</code> und <code>x=''</code>"),
        ("``so'' und `code`", "„so“ und <code>code</code>"),
        ("ein `offenes Ende", "ein `offenes Ende"),
    ],
)
def test_backticks_that_open_no_code_are_the_signs_that_were_meant(text: str, shown: str) -> None:
    assert line(text) == shown

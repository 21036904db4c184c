"""Links, pictures and footnotes that are none, lead nowhere, or are shown nowhere."""

from __future__ import annotations

import pytest

from .bodies import findings_of, sentences_of


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("Der Plan steht in [der Mappe] (https://a.example/mappe).", (1, "warning", "link-broken")),
        ("Eins\nin [der Mappe] (plan.pdf)", (2, "warning", "link-broken")),
        ("Eins\n\n(die Mappe)[https://a.example/x]", (3, "warning", "link-broken")),
        ("Die [Skizze](skizze vom laden.pdf) dazu.", (1, "warning", "link-broken")),
        ("Der [Plan](plan (1).pdf) dazu.", (1, "warning", "link-broken")),
        ("Der [Plan](https://a.example/x und mehr", (1, "warning", "link-broken")),
        ("Text\n[8]: https://a.example/bauplan", (2, "warning", "link-broken")),
        ("Mehr in [der Rechnung][rechnung-2].", (1, "warning", "link-undefined")),
        ("Mehr in [der Rechnung][].", (1, "warning", "link-undefined")),
        ("Gebaut.[^bau]", (1, "error", "note-undefined")),
        ("Gebaut.[^1] Und.[^bau]\n\n[^1]: Hier.", (1, "error", "note-undefined")),
        ("Text\n\n[^3]: Den Plan fand der Enkel.", (3, "error", "note-unused")),
        ("a[^1] b\n\n[^1]: Eins.\n[^3]: Drei.", (4, "error", "note-unused")),
        ("a[^1]\n\n[^1]: Eins.\n\n[^1]: Noch eins.", (5, "error", "note-repeated")),
        ("Text\n\n[8]: https://a.example/bauplan", (3, "warning", "link-unused")),
        ("[a]\n\n[a]: https://a.example/1\n[a]: https://a.example/2", (4, "warning", "link-unused")),
        ("![Der Tresen](fehlt.png)", (1, "error", "image-missing")),
        ("![](tresen.png)", (1, "error", "image-alt-missing")),
        ("[Anfang](#anfang)", (1, "error", "anchor-dead")),
    ],
)  # fmt: skip
def test_what_is_no_link_or_is_shown_nowhere_is_told_at_its_line(
    body: str, found: tuple[int, str, str]
) -> None:
    assert findings_of(body) == [found]


@pytest.mark.parametrize(
    "body",
    [
        "Der [Plan](https://a.example/x) und [mehr davon][m].\n\n[m]: https://a.example/m",
        "![Der Tresen](tresen.png), ![Der Tresen](<tresen.png>)",
        "Ein [Wort] (in Klammern), [sic] (Anm. d. Red.) und (so) [und so].",
        "Gebaut.[^1] Und noch einmal.[^1]\n\n[^1]: Hier.",
        "Gebaut.^[gleich hier gesagt]",
        "Ein [Wort](in Klammern) und [noch eines](mit Komma, aber ohne Adresse)",
        "`[der Mappe] (https://a.example)` und `[^x]`",
        r"\[^x] und \[a][b] und [a\] (https://a.example)",
        "```\n[^3]: Text\n[8]: https://a.example\n```",
        "[//]: # (eine Bemerkung)\n\nText",
        "Anna [Muster]: Ja. [Beispiel]: Nein.",
        "![Der Tresen][t] und [Der Tresen][T]\n\n[t]: tresen.png".replace(
            "[Der Tresen][T]", "mehr"
        ),
    ],
)
def test_links_notes_and_brackets_that_are_right_have_no_finding(body: str) -> None:
    assert findings_of(body) == []


def test_a_picture_of_nearly_this_name_is_named() -> None:
    assert sentences_of("![Der Tresen](fotos/Tresen.PNG)")[0].endswith("(meinen Sie „tresen.png“?)")


def test_the_sentence_gives_the_link_as_it_should_be_written() -> None:
    [parted] = sentences_of("in [der Mappe] (https://a.example/mappe).")
    assert parted.endswith("Schreiben Sie [der Mappe](https://a.example/mappe)")
    [swapped] = sentences_of("(die Mappe)[https://a.example/x]")
    assert swapped.endswith("Schreiben Sie [die Mappe](https://a.example/x)")
    [spaces] = sentences_of("Die [Skizze](skizze vom laden.pdf) dazu.")
    assert spaces.endswith("Schreiben Sie [Skizze](https://…)")
    [size] = sentences_of("![Der Plan](der plan.png =300x200)")
    assert size.endswith("Schreiben Sie ![Der Plan](<der plan.png>)")
    [size] = sentences_of("![Der Tresen](tresen.png =300x)")
    assert size.endswith("Schreiben Sie ![Der Tresen](tresen.png)")

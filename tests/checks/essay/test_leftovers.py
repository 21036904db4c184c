"""What other programs mean by their signs is told at its line; what only looks like it is not."""

from __future__ import annotations

import pytest

from .bodies import findings_of, sentences_of


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("Siehe [[Laden]].", (1, "error", "wiki-link")),
        ("Eins\nzwei [[Laden#Preis|den Preis]]", (2, "error", "wiki-link")),
        ("- a\n- [[b]]", (2, "error", "wiki-link")),
        ("> Zitat\n> [[b]]", (2, "error", "wiki-link")),
        ("## [[Laden]]", (1, "error", "wiki-link")),
        ("| a | [[b]] |\n|---|---|\n| 1 | 2 |", (1, "error", "wiki-link")),
        ("Text\n\n![[plan.png]]", (3, "error", "wiki-link")),
        ("![[plan.png|300]]", (1, "error", "wiki-link")),
        ("Ein Satz.\nNoch ein Satz. ^satz1", (2, "warning", "leftover-mark")),
        ("Ein Satz. ^37066d", (1, "warning", "leftover-mark")),
        ("## Preis {#preis}", (1, "warning", "attribute")),
        ("Ein Bild: ![Tresen](tresen.png){width=50%}", (1, "warning", "attribute")),
        ('Absatz\n{: .klein title="x"}', (2, "warning", "attribute")),
        (r"Das kostet $3 \times 40$ Euro.", (1, "warning", "formula")),
        ("Es gilt $E = mc^2$ hier.", (1, "warning", "formula")),
        ("Die Unbekannte $x$ bleibt.", (1, "warning", "formula")),
        ("Es gilt $$a + b$$ hier.", (1, "warning", "formula")),
        (r"Der Bruch \frac{1}{2} bleibt.", (1, "warning", "formula")),
        (":::note\nText", (1, "warning", "container")),
        ("::: {.hinweis}\nText", (1, "warning", "container")),
        ("!!! note\n    Text", (1, "warning", "container")),
        (".. note:: Text", (1, "warning", "container")),
        ("Das ist [b]fett[/b].", (1, "warning", "leftover-mark")),
        ("<aside>Text</aside>", (1, "error", "html")),
        ("[TOC]", (1, "warning", "leftover-mark")),
        ("Begriff\n: Erklärung", (2, "warning", "leftover-mark")),
        ("*[NGO]: Verein", (1, "warning", "leftover-mark")),
        ("Wie gezeigt [@muster2020, S. 3].", (1, "warning", "leftover-mark")),
        ("Fertig :tada: und gut.", (1, "warning", "leftover-mark")),
        ("Das H~2~O fließt.", (1, "warning", "leftover-mark")),
        ("Der m^3^ kostet viel.", (1, "warning", "leftover-mark")),
        ("Das ist ==dringend und bleibt.", (1, "warning", "leftover-mark")),
        ("TODO: Preis nachtragen", (1, "warning", "todo")),
        ("Der Preis (XXX Euro) folgt.", (1, "warning", "todo")),
        ("Das ist ++unterstrichen++ hier.", (1, "warning", "leftover-mark")),
        ("Stand:: offen", (1, "warning", "leftover-mark")),
        ("- [>] verschoben", (1, "warning", "leftover-mark")),
        ("Eins\n\n\\newpage\n\nzwei", (3, "warning", "leftover-mark")),
        ("Lorem ipsum dolor sit amet.", (1, "warning", "todo")),
        ("Eins\n\nzwei <b>fett</b>", (3, "error", "html")),
        ("Ein {{ Feld }}", (1, "error", "leftover")),
        ('Bild: {{< figure src="x.png" >}}', (1, "error", "leftover")),
        ("{% include bild.html %}", (1, "error", "leftover")),
        ("```mermaid\ngraph TD\n```", (1, "warning", "diagram")),
        ("---\ntitle: Noch einer\ndate: 2026-01-05\n---\n\nText", (1, "error", "head-repeated")),
    ],
)
def test_a_sign_of_another_program_is_told_at_its_line(
    body: str, found: tuple[int, str, str]
) -> None:
    assert findings_of(body) == [found]
    assert all(len(text) > 30 for language in ("de", "en") for text in sentences_of(body, language))


@pytest.mark.parametrize(
    "body",
    [
        "`[[Laden]]`, `{#preis}`, `$x$`, `:::` und `TODO` sind Code.",
        "```\n[[Laden]] {#a} $x$ TODO <b>\n:::\n%%\n```",
        r"\[[Laden]], \{#preis}, \$x$, \==a== und \:tada: sind so gemeint.",
        "&#91;[Laden]] und &lt;b&gt; sind so gemeint.",
        r"Ein \<b> ist so gemeint.",
        "Zwei Preise: $20 und $30, oder 20$ und 30$.",
        "Es kostet $3 am Morgen, 5$ am Abend.",
        "Ein Set {a, b, c} und {1}, dazu {Name}.",
        "Um 10:30:45 Uhr, Verhältnis 1:2:3, Nachbar:innen und Leser:innen:schaft.",
        "Er sagt: so: und nicht anders.",
        "Die Nummer[^1] zählt.\n\n[^1]: Hier.",
        "a == b, 5 > 3, C++ und C++, x^2 und 2^10, ~5 Euro bis ~10 Euro.",
        "Die XXX. Spiele, Größe XXXL, eine TODO-Liste und das ToDo.",
        "Die [erste] und [zweite] Fassung [sic].",
        "Ein [Link [mit] Klammern](https://a.example/x).",
        "[[1]](https://a.example/quelle) belegt es.",
        "https://a.example/a_b__c/$x$/y und <https://a.example/{#x}>",
        "Der Preis ist 3 € :) und :-) ist :: kein Zeichen.",
        "Datei C:\\_neu und C:\\temp\\text.",
        "Ein Satz mit Potenz 10^6 am Ende: 10 ^6",
        "@name und #thema und name@example.org",
        "Eins\n\n: kein Begriff darüber",
        "!!! Das muss sein, so geht es.\n??? Fragen bleiben.",
        "Und so weiter .. bis zum Ende: a < b und c > d, <3",
        "Ein Pfeil ==> dahin, und <== zurück.",
        "---\n\nText zwischen Linien: gut.\n\n---",
        "Der Blindtext „Lorem ipsum“ steht überall.",
        'Auf dem Schild stand „TODO“, und "XXX" auf dem Karton.',
        "[…] und weiter, [-] bis [>] im Satz, C++ und D++ und std::vector.",
    ],
)
def test_text_that_only_looks_like_it_has_no_finding(body: str) -> None:
    assert findings_of(body) == []


def test_a_draft_may_hold_notes_to_oneself() -> None:
    assert findings_of("TODO: Preis", status="draft") == []
    assert findings_of("Text", title="XXX noch ein Titel") == [(1, "warning", "todo")]


def test_the_sentence_says_what_to_write_instead() -> None:
    assert "[den Preis](https://…)" in sentences_of("[[Laden#P|den Preis]]")[0]
    assert "Baustein aus Hugo" in sentences_of("{{< youtube x >}}")[0]
    assert "![was zu sehen ist](plan.png)" in sentences_of("![[plan.png]]")[0]

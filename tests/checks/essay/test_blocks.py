"""Tables, headings and code: rows that do not fit, and blocks that swallow text."""

from __future__ import annotations

import pytest

from .bodies import findings_of, sentences_of


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("| a | b | c |\n|---|---|\n| 1 | 2 | 3 |", (2, "error", "table-broken")),
        ("a | b | c\n---|---\n1 | 2 | 3", (2, "error", "table-broken")),
        ("a | b\n- | -\n1 | 2", (2, "error", "table-broken")),
        ("+---+---+\n| a | b |\n+---+---+\n| 1 | 2 |", (2, "error", "table-broken")),
        ("Text\n\n| Lampe | Preis |\n| Messing | 25 |", (3, "error", "table-broken")),
        ("> | Lampe | Preis |\n> | Messing | 25 |", (1, "error", "table-broken")),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 | 5 |", (4, "error", "table-cells")),
        ("> | a | b |\n> |---|---|\n> | 3 | 4 | 5 |", (3, "error", "table-cells")),
        ("| a | b |\n|---|---|\n| 1 | 2 |\nUnd weiter.", (4, "warning", "table-text")),
        ("Text:\n\n```\nx = 1\n\nDer Rest des Essays.", (3, "error", "code-open")),
        ("Text:\n\n~~~\nx = 1\n```", (3, "error", "code-open")),
        ("## Eins\n\n#### Zwei", (3, "warning", "heading-order")),
    ],
)
def test_a_block_that_is_not_what_it_looks_like_is_told_at_its_line(
    body: str, found: tuple[int, str, str]
) -> None:
    assert findings_of(body) == [found]


def test_program_text_by_indentation_is_told_at_its_first_line() -> None:
    body = "Der Zähler:\n\n    for i in range(3):\n        print(i)\n\nMehr nicht."
    assert findings_of(body) == [(3, "warning", "code-indented")]


@pytest.mark.parametrize(
    "body",
    [
        "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 |",
        "a | b\n---|:--:\n1 | 2",
        "| a | b |\n|---|---|\n| 1 | 2 | |\n| 3 | 4 | | |",
        "| a | |\n|---|---|\n| 1 | 2 |",
        "| a \\| b | c |\n|---|---|\n| 1 \\| 2 | 3 |",
        "| a | b |\n|---|---|\n| 1 | 2 |\n\nUnd weiter.",
        "Er nahm Essig | Öl | Brot mit.",
        "Zeile | eins\nZeile | zwei",
        "`| a | b |`\n`| c | d |`",
        "```\n| a | b |\n| c | d |\n```",
        "\\| a | b |\n\\| c | d |",
        "```python\nx = 1\n```\n\nText",
        "~~~~\nx\n~~~~",
        "> ```\n> x\n> ```",
        "- eins\n\n  ```\n  x\n  ```\n- zwei",
        "1. eins\n\n    Absatz dazu\n\n2. zwei",
    ],
)
def test_tables_and_code_that_are_right_have_no_finding(body: str) -> None:
    assert findings_of(body) == []


def test_the_missing_dashes_of_a_table_are_offered() -> None:
    [text] = sentences_of("| Lampe | Preis |\n| Messing | 25 |")
    assert text.endswith("|---|---|")
    [lost] = sentences_of("| a | b |\n|---|---|\n| 3 | 4 | 5 |")
    assert "„5“ erschiene nirgends" in lost

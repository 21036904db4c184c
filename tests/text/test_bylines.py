"""Bylines, told from sentences that look like them."""

import pytest

from upcycle_news.text.bylines import byline_author, leading_byline_author


@pytest.mark.parametrize(
    ("line", "author"),
    [
        ("Martha Beispiel ist Leiterin von Haus+Hof.", "Martha Beispiel"),
        ("Dr. Jörg von der Aue ist freier Journalist in Köln.", "Dr. Jörg von der Aue"),
        ("Anna-Lena Müller arbeitet bei Haus+Hof.", "Anna-Lena Müller"),
        ("Von Martha Beispiel", "Martha Beispiel"),
        ("Text: Martha Beispiel", "Martha Beispiel"),
        ("Martha Beispiel, Architektin", "Martha Beispiel"),
        ("Urban Mining ist die Zukunft.", None),
        ("Das Haus ist alt.", None),
        ("Und Martha Beispiel ist Leiterin.", None),
        ("Von Berlin nach Rom sind es 1500 Kilometer.", None),
        ("Tiefe, Nähe, Verantwortung.", None),
        ("", None),
    ],
)
def test_a_byline_is_distinguished_from_a_closing_sentence(line, author):
    assert byline_author(line) == author


@pytest.mark.parametrize(
    ("line", "author"),
    [
        ("Von Martha Beispiel", "Martha Beispiel"),
        ("Text: Anna Beispiel und Bert von Muster", "Anna Beispiel und Bert von Muster"),
        ("Von Haus zu Haus", None),
        ("Von Bonn und Berlin", None),
        ("Von Jürgen Schöpf.", None),
        ("Von Jürgen Schöpf lernen", None),
        ("Martha Beispiel, Architektin", None),
    ],
)
def test_above_a_text_a_byline_is_nothing_but_a_name(line, author):
    assert leading_byline_author(line) == author

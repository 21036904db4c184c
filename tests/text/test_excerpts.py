"""Splitting into sentences, excerpts and summaries."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upcycle_news.text.excerpts import (
    excerpt,
    propose_summary,
    split_sentences,
    summary_of_markdown,
)
from upcycle_news.text.sanitize import normalise_whitespace


@pytest.mark.parametrize(
    "sentence",
    [
        "Im 19. Jh. war das anders.",
        "Das gilt z. B. Häusern am Rand.",
        "Das gilt z.B. Häusern am Rand.",
        "Dr. Anna Muster und Prof. Dr. Max Beispiel bauen.",
        "Am 3. Oktober wird gefeiert.",
        "Die Kosten: 2 Mio. Euro, d. h. Geld.",
        "Haus Nr. 7 in der Hauptstr. Mitte bleibt.",
        "J. Muster wohnt da.",
        "Rund 3.500 Leute bzw. Gäste kamen ca. Mittag.",
        "Wer baut? fragte sie.",
    ],
)
def test_an_abbreviation_does_not_end_a_sentence(sentence):
    assert split_sentences(f"{sentence} Danach kam nichts.") == [sentence, "Danach kam nichts."]


def test_sentences_end_at_years_questions_and_quotations():
    text = "Es war 1990. Danach? Er rief: „Komm!“ Sie kam … (Sie blieb.) „Gut.“"
    assert split_sentences(text) == [
        "Es war 1990.", "Danach?", "Er rief: „Komm!“", "Sie kam …", "(Sie blieb.)", "„Gut.“",
    ]  # fmt: skip


def test_an_excerpt_is_one_or_two_whole_sentences():
    text = "Eins ist kurz. Zwei auch. Drei erst recht."
    assert excerpt(text, 280) == "Eins ist kurz. Zwei auch."
    assert excerpt(text, 20) == "Eins ist kurz."
    assert excerpt("", 20) == ""


def test_a_long_first_sentence_is_cut_at_a_word():
    assert excerpt("Ein sehr langer Satz ohne Ende und Ziel.", 20) == "Ein sehr langer…"
    assert len(excerpt("x" * 50, 20)) == 20


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("Die Werkstatt in der Halle Nr. 5 am Hafen öffnet.", 31, "Die Werkstatt in der Halle…"),
        ("Gebraucht wird vieles, z. B. Türen und Fenster.", 28, "Gebraucht wird vieles…"),
        ("Gefeiert wird in der Stadt am 3. Oktober bis spät.", 34, "Gefeiert wird in der Stadt am…"),
        ("So steht es seit jeher im Gesetz, § 5 der Satzung.", 37, "So steht es seit jeher im Gesetz…"),
        ("Nr. 5 " + "x" * 50, 6, "Nr. 5…"),
    ],
)  # fmt: skip
def test_a_cut_never_follows_an_abbreviation(text, limit, expected):
    assert excerpt(text, limit) == expected
    assert len(expected) <= limit


def test_a_sentence_that_the_feed_truncated_is_left_out():
    assert excerpt("Eins ist ganz. Zwei ist […]", 280) == "Eins ist ganz."


def test_a_summary_fills_its_length_with_sentences():
    assert len(propose_summary("Ein Satz steht hier. " * 40)) <= 240


def test_a_summary_has_no_footnotes():
    body = "Er steht noch.[^1] Er bleibt.\n\n[^1]: Sagt die Stadt.\n"
    assert summary_of_markdown(body) == "Er steht noch. Er bleibt."


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="aB1z. !?…„“)(\nJh", max_size=120), st.integers(5, 100))
def test_no_sentence_is_lost_and_no_excerpt_too_long(text, limit):
    assert " ".join(split_sentences(text)).split() == normalise_whitespace(text).split()
    assert len(excerpt(text, limit)) <= limit


@pytest.mark.parametrize(
    "sentence",
    [
        "Ludwig XIV. Regierte lange.",
        "Siehe Ziff. Drei des Vertrags.",
        "Das kostet einschl. Mehrwertsteuer viel.",
        "Haus der Gebr. Muster steht.",
    ],
)
def test_further_abbreviations_do_not_end_a_sentence(sentence):
    assert split_sentences(f"{sentence} Danach kam nichts.") == [sentence, "Danach kam nichts."]


def test_a_summary_is_read_as_the_mail_shows_the_text():
    body = (
        "# Der Laden\n\nVon Jonas Muster\n\nDie Händler*innen kamen.\n\nWir brauchen:\n\n• Besen\n• Lampen\n\n"
        "Verein zur Ecke\nBeispielgasse 1\n\n%%geheim%%\n\nEr bleibt ==sehr== lange."
    )
    summary = summary_of_markdown(body, title="Der Laden", author="Jonas Muster")
    assert summary == "Die Händler*innen kamen. Er bleibt sehr lange."


def test_a_summary_of_a_text_without_sentences_is_its_beginning():
    assert summary_of_markdown("Garn und Knöpfe\nEssig und Öl") == "Garn und Knöpfe Essig und Öl"


TELLING = (
    "Am 3. Oktober sagte Prof. Dr. h. c. Anna M. Muster in der Hauptstr. Nr. 17, dass rund 40 Prozent, d. h. ca. 3,5 Mio. "
    "Euro, nach § 5 Abs. 2 z. B. für das 19. Jahrhundert oder den Umbau von 1931 bzw. 1958 gedacht seien, evtl. auch für St. "
    "Marien, wie J. S. Bach es wollte"
)


@pytest.mark.parametrize("limit", range(24, 260))
def test_wherever_a_long_sentence_is_cut_nothing_is_left_hanging(limit):
    cut = excerpt(TELLING, limit)
    assert len(cut) <= limit
    assert cut.endswith("…")
    assert TELLING.startswith(cut[:-1])
    assert TELLING[len(cut) - 1] in " ,"
    assert not re.search(r"(?:\b\w{1,4}\.|Prof\.|Hauptstr\.|§|\brund 40|3,5)…$", cut), cut


def test_a_sentence_may_end_in_a_year():
    assert (
        excerpt("Er begann 1931. Dann kam der Krieg, und alles wurde anders als gedacht.", 40)
        == "Er begann 1931."
    )

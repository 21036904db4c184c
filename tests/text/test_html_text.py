"""HTML as plain text: malformed markup costs the element, not the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.feeds.boilerplate import Passage, without_repeated_endings, without_trailer
from upcycle_news.text.html_text import headline_to_text, html_to_lines, html_to_text
from upcycle_news.text.sanitize import normalise_whitespace


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ('<iframe src="x"/><p>Eins.</p><iframe></iframe><p>Zwei.</p>', "Eins. Zwei."),
        ('<object data="x"/>Text', "Text"),
        ('<script src="x"/><p>Eins.</p><script>var a</script>Zwei.', "Eins. Zwei."),
        ('<p>Vor</p><script src="x"/>var a=1;</script>nach', "Vor nach"),
        ("<style>p{}</style>Text <script>var a", "Text"),
        ("<svg><title>x</title></svg>Text <textarea>bleibt", "Text bleibt"),
        ('<a href="x>Text</a> weiter', "Text weiter"),
        ('<img alt="a > b">Text', "Text"),
        ("<!-- weg -->da <!-- offen", "da offen"),
        ("Text <a href='ab", "Text"),
        ("x < y & z <3", "x < y & z <3"),
        ("a<br>b<br/>c<p>d", "a b c d"),
        ("10<sup>5</sup> m<sup>2</sup> 1<sup>st</sup> 3<sup>5,2</sup>", "10⁵ m² 1st 3^5,2"),
        ("CO<sub>2</sub> 10<sub>2</sub>", "CO2 10₂"),
        ("&amp;lt; &#55357;&#56911; &#xD83D;", "&lt; \U0001f64f \ufffd"),
    ],
)
def test_html_becomes_text(markup: str, text: str) -> None:
    assert html_to_text(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("Was <title> bewirkt", "Was <title> bewirkt"),
        ("Mit <svg> malen", "Mit <svg> malen"),
        ("Das Ende: </body>", "Das Ende: </body>"),
        ("Wie <a> und <div> gehen", "Wie <a> und <div> gehen"),
        ("Eins<br>Zwei <b>fett", "Eins Zwei fett"),
        ("<h1>Titel</h1> <a href='x'>hier", "Titel hier"),
        ("Drei <script>var a</script>Vier", "Drei Vier"),
    ],
)
def test_a_headline_may_speak_of_tags(markup: str, text: str) -> None:
    assert headline_to_text(markup) == text


def test_blocks_are_lines() -> None:
    lines = [line for line in html_to_lines("<h2>Titel\nhier</h2><p>Text</p>").split("\n") if line]
    assert lines == ["Titel hier", "Text"]


@pytest.mark.parametrize(
    "piece",
    ["<div>", "<!--", "<b ", '<a x=">"', '<a x="', "<a x='\"", "<script/>", "<sup>", "</sup>", "<svg>", "</", "&#55357;"],
)  # fmt: skip
@pytest.mark.timeout(60)
def test_hostile_markup_is_read_in_one_pass(piece: str) -> None:
    html_to_text(piece * (400_000 // len(piece)))
    headline_to_text(piece * (10_000 // len(piece)))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 👩🏽\u200d🌾", "👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 👩🏽\u200d🌾"),
        ("خانه\u200cها क\u094d\u200dष", "خانه\u200cها क\u094d\u200dष"),
        ("a\u200d \u200cb\u200d\u200dc \u200d", "a bc"),
        ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f x\U000e0067y", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f xy"),
    ],
)  # fmt: skip
def test_joiners_stay_where_they_join(text: str, kept: str) -> None:
    assert normalise_whitespace(text) == kept


@given(st.text(st.characters(codec="ascii")))
def test_a_text_of_ascii_is_read_as_within_one_with_other_letters(text: str) -> None:
    assert normalise_whitespace(f"a{text}b ü") == f"{normalise_whitespace(f'a{text}b')} ü"


NAMES = ("Hofblatt – Neues vom Land", "Hof")


@pytest.mark.parametrize(
    ("title", "text", "kept"),
    [
        ("Kurs", "Es gibt Tee. Mehr lesen lernen alle.", None),
        ("", "Weiterlesen macht Freude, sagt Opa.", None),
        ("a", "Im Sommer kann man hier weiterlesen.", None),
        ("Amt", "The post office first appeared on maps in 1900.", None),
        ("Buch", "Der Beitrag von Meier erschien zuerst auf Englisch.", None),
        ("Tür", "Sie klemmt. The post Tür appeared first on Hofblatt.", "Sie klemmt."),
        ("Tür", "Sie klemmt. Der Beitrag Tür erschien zuerst auf Blatt.", "Sie klemmt."),
        ("Ofen", "Lehm wärmt. Weiterlesen „Ofen“ →", "Lehm wärmt."),
        ("Ofen", "Lehm wärmt. Continue reading Ofen on Hofblatt", "Lehm wärmt."),
        ("Ofen", "Lehm wärmt lange […] mehr lesen »", "Lehm wärmt lange […]"),
        ("Ofen", "Weiterlesen", ""),
    ],
)
def test_a_trailer_is_told_by_its_form(title: str, text: str, kept: str | None) -> None:
    assert without_trailer(Passage(title, text), NAMES) == (text if kept is None else kept)


def test_an_ending_that_most_texts_share_is_a_trailer() -> None:
    texts = [f"{word} ist da. Folgen Sie dem Hof." for word in ("Heu", "Korn", "Holz")]
    passages = [Passage("", text) for text in (*texts, "Milch ist aus.")]
    assert without_repeated_endings(passages) == ["Heu ist da.", "Korn ist da.", "Holz ist da.", "Milch ist aus."]  # fmt: skip
    same = [Passage("", "Jeden Dienstag. Im Rathaus.")] * 4
    assert without_repeated_endings(same) == [passage.text for passage in same]

"""No word of an essay is lost or changed on its way into HTML, text part and archive page."""

from __future__ import annotations

import html as html_entities
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from upcycle_news.rendering.markdown import parse, to_html
from upcycle_news.rendering.plaintext import to_text

WORDS = [
    "Laden", "Händler*innen", "Schüler_innen", "Leser:innen", "jede*r", "4*2*1", "geht's", "z.B.", "Straße",
    "10-20", "R&D", "5", "1931", "so", "AC/DC", "C#", "3", "und", "x=y", "e+k", "Nr", "Öl", "Hans'", "a_b_c",
]  # fmt: skip
MARKS = [
    "{}", "**{}**", "*{}*", "_{}_", "=={}==", "~~{}~~", '"{}"', ",,{}''", "``{}''", "‚‚{}”", "»{}«", "({})",
    "'{}'", "{},", "{}.", "{}:", "„{}\"", "[{}](https://example.org)", "{}!", "*{}", "{}*", "**{}", "\"{}", "`{}`",
    "{} –", "{} - {}", "{}…", "{}...",
]  # fmt: skip
LINES = [
    "{}", "{}  ", "- {}", "* {}", "+ {}", "• {}", "– {}", "▪\t{}", "1. {}", "3. {}", "7. März {}", "2) {}",
    "1848. {}", "> {}", "> [!note] {}", "## {}", "    {}", "\t{}", "- [ ] {}", "- [x] {}", "  {}", "| {} | {} |",
    "24. 12. 1990: {}", "o\t{}",
]  # fmt: skip
SEPARATORS = ["\n", "\n\n", "\n---\n", "\n\n---\n\n", "\n--\n", "\n===\n"]

phrases = st.lists(
    st.tuples(st.sampled_from(MARKS), st.sampled_from(WORDS)), min_size=1, max_size=6
)


def written(phrase: list[tuple[str, str]]) -> str:
    return " ".join(mark.replace("{}", word) for mark, word in phrase)


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """An essay of any mix of marks, lists, quotations, indents and rules."""
    parts: list[str] = []
    for line in draw(st.lists(st.sampled_from(LINES), min_size=1, max_size=8)):
        text = written(draw(phrases))
        parts += [line.replace("{}", text), draw(st.sampled_from(SEPARATORS))]
    return "".join(parts)


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)


def read_html(fragment: str) -> str:
    """Return what a reader sees of a fragment, numbers of lists as browsers write them."""
    shown: list[str] = []
    numbers: list[int | None] = []
    for tag, attributes, text in re.findall(r"<(/?\w+)([^>]*)>|([^<]+)", fragment):
        if tag == "ol":
            numbers.append(int((re.search(r'start="(\d+)"', attributes) or [0, 1])[1]) - 1)
        elif tag == "ul":
            numbers.append(None)
        elif tag in ("/ol", "/ul"):
            numbers.pop()
        elif tag == "li" and (number := numbers[-1]) is not None:
            value = re.search(r'value="(\d+)"', attributes)
            numbers[-1] = int(value[1]) if value else number + 1
            shown.append(f" {numbers[-1]}. ")
        if re.fullmatch(r"/?(?:p|li|br|h\d|blockquote|pre|td|th|tr|hr|ul|ol|div|table)", tag):
            shown.append(" ")
        shown.append(html_entities.unescape(text))
    return "".join(shown)


def shown_words(body: str) -> tuple[list[str], list[str], list[str]]:
    tokens = parse(body, language="de")
    mail, page = to_html(tokens, {}, "de"), to_html(tokens, {}, "de", note_labels=("Note", "Back"))
    text, links = to_text(tokens, image_label="Bild")
    assert set(links) <= {"https://example.org"}
    text = text.replace("[1]", "")
    return words(read_html(mail)), words(read_html(page)), words(text)


def typed_words(body: str) -> list[str]:
    """The words of a source: what is no text of the author is taken out by its form alone."""
    body = body.replace("](https://example.org)", "]").replace("[!note]", "")
    body = re.sub(r"^o\t", "", re.sub(r"\[[ x]\] ", "", body), flags=re.MULTILINE)
    return words(body)


@settings(max_examples=300, deadline=None)
@given(bodies())
def test_the_words_of_an_essay_are_the_words_of_html_archive_and_text_part(body: str) -> None:
    mail, page, text = shown_words(body)
    assert mail == page == text
    # Within a quotation that has begun already, the mark of a call-out is text, and stays.
    typed, shown = typed_words(body), [word for word in mail if word != "note"]
    if not re.search(r"^1\. ", body, re.MULTILINE):
        assert shown == typed
    else:  # 1. 1. 1. counts on
        assert [word for word in shown if not word.isdigit()] == [
            word for word in typed if not word.isdigit()
        ]


@pytest.mark.parametrize("language", ["de", "en", "fr"])
@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from(list("aß1 *_'\"`´,„“»«=~-–.\n")), max_size=40))
def test_no_letter_is_lost_among_any_marks(language: str, body: str) -> None:
    assume("```" not in body and "~~~" not in body)  # what stands behind a fence is no text
    tokens = parse(body, language=language)
    fragment, (text, _) = to_html(tokens, {}, language), to_text(tokens, image_label="Bild")
    letters = [letter for letter in body if letter.isalpha()]
    assert [letter for letter in read_html(fragment) if letter.isalpha()] == letters
    assert [letter for letter in text if letter.isalpha()] == letters


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from(list("aß '\"‚„*_=•·.-\u00ad\u200b[]()")), min_size=1, max_size=30))
def test_code_in_fences_and_in_backticks_is_left_alone(code: str) -> None:
    inline = code.strip()
    body = (
        f"```\n{code}\n```\n\nDavor `` {inline} `` danach.\n" if inline else f"```\n{code}\n```\n"
    )
    tokens = parse(body, language="de")
    assert tokens[0].type == "fence"
    assert tokens[0].content == f"{code}\n"
    if inline:
        [span] = [child for child in tokens[2].children or () if child.type == "code_inline"]
        assert span.content == inline

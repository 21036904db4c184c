"""Fenced blocks are read by their word, nest by their ends, and take nothing in when they have none."""

from __future__ import annotations

import pytest

from upcycle_news.text.excerpts import summary_of_markdown
from upcycle_news.text.markdown.fenced_blocks import FencedBlock, fenced_blocks
from upcycle_news.text.markdown.parser import parse_body, words


def blocks(body: str) -> list[FencedBlock]:
    return list(fenced_blocks(parse_body(body, language="de")))


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("kasten", "box"), ("box", "box"), ("Termin", "event"), ("event", "event"),
        ("KNOPF", "button"), ("button", "button"), ("zitat", "quote"), ("quote", "quote"),
        ("note", "unknown"),
    ],
)  # fmt: skip
def test_german_and_english_words_mean_the_same(word: str, kind: str) -> None:
    for fence in (f"::: {word}", f":::{word}", f":::: {word} ::::"):
        (block,) = blocks(f"Vor.\n{fence}\nText\n:::\nNach.")
        assert (block.kind, block.line) == (kind, 1)


def test_a_title_is_set_and_fields_are_no_text() -> None:
    (block,) = blocks('::: termin Ein "Fest"\n\nDatum: 6.3.2027\nOrt: Markt\n\nMit *Musik*.\n:::')
    assert block.title is not None
    assert words(block.title.children or ()) == "Ein „Fest“"
    assert (block.field("date"), block.field("place")) == ("6.3.2027", "Markt")
    assert [token.content for token in block.body if token.type == "inline"] == ["Mit *Musik*."]


def test_a_line_that_is_no_field_is_text() -> None:
    (block,) = blocks("::: event A\ndate: 2027-03-06\nHinweis: Bitte klingeln.\n:::")
    assert [token.content for token in block.body if token.type == "inline"] == [
        "Hinweis: Bitte klingeln."
    ]


def test_blocks_nest_and_events_are_counted() -> None:
    found = blocks(
        "::: kasten A\n::: termin B\n:::\n- c\n\n::: termin D\n:::\n:::\n::: termin E\n:::"
    )
    assert [(block.kind, block.number) for block in found if block.kind == "event"] == [
        ("event", 1), ("event", 2), ("event", 3),
    ]  # fmt: skip
    assert len(found) == 4


def test_a_block_without_an_end_takes_nothing_in() -> None:
    tokens = parse_body("::: kasten\n\nText\n\n## Danach", language="de")
    assert [token.content for token in tokens if token.type == "inline"] == [
        "::: kasten", "Text", "Danach",
    ]  # fmt: skip


def test_the_end_is_looked_for_in_the_same_quotation_or_item() -> None:
    assert [block.kind for block in blocks("> ::: kasten\n> a\n> :::\n\n- ::: box\n  b\n  :::")] == [
        "box", "box",
    ]  # fmt: skip
    assert not blocks("- ::: kasten\n  a\n\nb\n:::")


def test_many_beginnings_without_an_end_are_text() -> None:
    body = "\n\n".join(["::: kasten"] * 3000 + [":::"])
    assert len(blocks(body)) == 1


def test_code_neither_opens_nor_closes_a_block() -> None:
    assert not blocks("```\n::: kasten\nx\n:::\n```")
    (block,) = blocks("::: kasten\n```\n:::\n```\nText\n:::")
    assert block.body[0].type == "fence"
    assert not blocks("\\::: kasten\nText\n\\:::")


@pytest.mark.parametrize(
    "body",
    [
        "::: knopf\n[Zur Anmeldung](https://example.org/a)\n:::",
        "::: knopf Zur Anmeldung\nhttps://example.org/a\n:::",
        "::: knopf Zur Anmeldung\nlink: https://example.org/a\n:::",
        "::: button\nlink: https://example.org/a\nZur Anmeldung\n:::",
        "::: button\nurl: [Zur Anmeldung](https://example.org/a)\n:::",
    ],
)
def test_a_button_may_be_written_in_several_ways(body: str) -> None:
    (block,) = blocks(body)
    button = block.button_link()
    assert button is not None
    assert (words(button[0]), button[1]) == ("Zur Anmeldung", "https://example.org/a")


@pytest.mark.parametrize(
    "body", ["von: Erika\n\nGesagt.", "Gesagt.\nvon: Erika", "Gesagt.\n\nby: Erika\n"]
)
def test_who_is_quoted_may_stand_above_or_below(body: str) -> None:
    (block,) = blocks(f"::: zitat\n{body}\n:::")
    assert block.field("by") == "Erika"
    assert [token.content for token in block.body if token.type == "inline"] == ["Gesagt."]


@pytest.mark.parametrize(
    "body",
    [
        "Nur Worte",
        "[Eins](https://example.org/a) [Zwei](https://example.org/b)",
        "Vorher [Eins](https://example.org/a)",
        "[Eins](https://example.org/a)\n\nNachher",
        "- [Eins](https://example.org/a)",
        "link: https://example.org/a\n[Zwei](https://example.org/b)",
        "https://example.org/a\n\nhttps://example.org/b",
    ],
)
def test_a_button_with_more_or_less_than_one_link_is_none(body: str) -> None:
    (block,) = blocks(f"::: knopf\n{body}\n:::")
    assert block.button_link() is None


def test_a_block_is_no_summary() -> None:
    body = "::: kasten Gut zu wissen\nDas steht daneben.\n:::\n\nHier beginnt der Essay."
    assert summary_of_markdown(body) == "Hier beginnt der Essay."

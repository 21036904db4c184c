"""Excerpts of texts: whole sentences, or a cut at a word."""

from __future__ import annotations

import re
from itertools import pairwise

from upcycle_news.text.sanitize import normalise_whitespace, truncate
from upcycle_news.text.sentences import is_abbreviated, split_sentences

SUMMARY_LENGTH = 240

_SENTENCE_END = re.compile(r"[.!?…][\"'“”‘’»«›‹)\]]*$")


def excerpt(text: str, limit: int, max_sentences: int | None = 2) -> str:
    """Take the first whole sentences that fit into `limit` characters, at most `max_sentences`.

    A first sentence that is too long is truncated at a word and marked, never between "Nr." and its
    number; a later one that the feed itself truncated ("…") is left out.
    """
    result = ""
    for count, sentence in enumerate(split_sentences(text)):
        longer = f"{result} {sentence}".strip()
        truncated = sentence.endswith(("…", "...", "[…]", "[...]"))
        if count and (
            len(longer) > limit
            or truncated
            or (max_sentences is not None and count >= max_sentences)
        ):
            break
        result = longer
    return result if len(result) <= limit else _truncate_sentence(result, limit)


# A number whose unit was cut off: "rund 40", but not "Nr. 5", "§ 5" or the year 1931.
_BARE_NUMBER = re.compile(
    r"(?<!§)(?<!Nr\.)(?<!No\.)(?<!Abs\.)(?<!Art\.)(?<!Kap\.)(?<!Bd\.)(?<!Abb\.)(?<!Tab\.)(?<!Ziff\.)(?<! S\.)"
    r"\s\d{1,3}(?:[.,]\d+)*$"
)


def _truncate_sentence(sentence: str, limit: int) -> str:
    """Shorten a sentence at the end of a word that needs no other word behind it."""
    shortened = truncate(sentence, limit)
    kept = shortened.removesuffix("…")
    while " " in kept and (
        kept.endswith("§")
        or (kept[-1] == "." and is_abbreviated(kept[:-1]))
        or _BARE_NUMBER.search(kept)
    ):
        kept = kept.rpartition(" ")[0].rstrip(" ,;:–-(")
    return f"{kept}…"


def propose_summary(text: str) -> str:
    """Propose an essay's summary from the first whole sentences of its plain text."""
    return excerpt(text, SUMMARY_LENGTH, max_sentences=None)


def summary_of_markdown(
    body: str, *, language: str = "de", title: str = "", author: str = ""
) -> str:
    """Propose a summary of a Markdown text from its paragraphs, without headings, code and notes.

    `title` and `author` at the beginning of the text are none of it.
    """
    # Late: only essays without a summary need the parser.
    from upcycle_news.text.markdown.parser import parse_body, words

    paragraphs: list[str] = []
    tokens = parse_body(body, language=language, title=title, author=author)
    depth = 0  # of lists, which are no sentences
    aside = 0  # depth of fenced blocks, which stand beside the text
    for opening, token in pairwise(tokens):
        if opening.type == "footnote_block_open":
            break
        if opening.type.endswith("_list_open") or opening.type.endswith("_list_close"):
            depth += opening.nesting
        if opening.type.startswith("fenced_block_"):
            aside += opening.nesting
        if opening.type == "paragraph_open" and token.type == "inline" and not aside:
            text = words(token.children or [], alt_texts=False)
            text = normalise_whitespace(re.sub(r"<[^>]*>", "", text))
            # What leads to a list, an address, a line of verse does not go on in the next paragraph.
            if not paragraphs or (not depth and _SENTENCE_END.search(text)):
                paragraphs.append(text)
        if sum(map(len, paragraphs)) > 2 * SUMMARY_LENGTH:
            break
    return propose_summary(" ".join(paragraphs))

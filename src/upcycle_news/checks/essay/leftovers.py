"""What other programs mean by signs that readers would see as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from upcycle_news.checks.essay.fenced_blocks import unclosed_word
from upcycle_news.checks.essay.parsed import Block
from upcycle_news.checks.essay.registry import EssayInput, essay_check
from upcycle_news.checks.findings import error, warning
from upcycle_news.i18n.messages import LANGUAGES, localized
from upcycle_news.models import Essay, Finding

# Tags as word processors and web editors leave them: <p class="…">, </b>, <o:p>, <br/>.
_TAG = re.compile(
    r"</?(?:[ovwm]:\w+|[abipqsu]|div|span|font|em|strong|br|hr|h[1-6]|[uo]l|li|d[ltd]|img|table|t[rdh]|tbody|"
    r"thead|blockquote|figure|figcaption|iframe|script|style|center|su[bp]|aside|details|summary|section|"
    r"article|video|audio|picture|mark|small|del|ins|kbd|code|pre|cite|abbr|input|button|form|svg|embed|"
    r"object)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
# Building blocks of Hugo ({{< figure … >}}) and Jekyll or Eleventy ({% include … %}).
_SHORTCODE = re.compile(r"\{\{[<%][^{}]*[>%]\}\}|\{%-?\s*\w+[^{}]*%\}")
_HEAD = re.compile(r"(---|\+\+\+)\n(?:\w[\w-]*[ \t]*[:=].*\n(?:[ \t-].*\n)*){2,}\1(?:\n|$)")
_WIKI_LINK = re.compile(r"(!?)\[\[([^\[\]\n]+)\]\]")
# Notes of authors to themselves. "XXX." is an ordinal, a "TODO-Liste" a thing, „TODO“ a word.
_TODO = re.compile(
    r"(?<![\w-])(?:TODO|FIXME|TBD|XXX(?!\.\s))(?![\w\"“”«»’‘-])|\bLorem ipsum dolor\b"
)
_ATTRIBUTE = re.compile(r"\{:?\s*(?:[#.][A-Za-z]|[A-Za-z][\w-]*=)[^{}\n]*\}")
_FORMULA = re.compile(r"(?<![\w$])(\$\$?)(?=[^\s$])([^$\n]*[^\s$])\1(?!\w)|^\$\$$", re.MULTILINE)
_TEX = re.compile(r"[\\^_={}<>≤≥]|^\w$|\w [+*/×·-] \w")
_TEX_COMMAND = re.compile(r"\\(?:begin|end|frac|sqrt|text|mathrm)\{")
# Boxes of Pandoc and Docusaurus (:::note), of MkDocs (!!! note), and directives of reStructuredText.
_CONTAINER = re.compile(
    r"^:{3,}(?=\s|\w|\{|$)|^(?:!!!|\?\?\?\+?)[ \t]+[a-z]+\b(?=\s*(?:$|[\"„“]))|^\.\.[ \t]+[\w-]+::"
)
_BLOCK_ID = re.compile(r"(?:^|(?<=\s))\^(?!\d+$)[A-Za-z0-9-]+$")
_MARKS = re.compile(
    r"^\[(?:TOC|toc)\]$"  # a table of contents
    r"|^\[!\w[\w-]*\]|^\[[ xX/<>-]\](?=\s)"  # a call-out or a task box out of its place
    r"|^[A-Za-z][\w-]*::(?=\s)"  # a field of Obsidian's Dataview
    r"|(?<![\w+])\+\+\w(?:[^+\n]*\w)?\+\+(?![\w+])"  # underlined
    r"|^\\(?:newpage|pagebreak|clearpage)$"  # LaTeX
    r"|^\*\[[^\]]+\]:(?=\s)"  # an abbreviation of Markdown Extra
    r"|^:[ \t]+(?=\S)"  # a definition
    r"|\[/(?:b|i|u|s|url|img|quote|code)\]"  # BBCode
    r"|\[@[\w:.-]+"  # a citation of Pandoc
    r"|(?<![\w:]):(?=[a-z])[a-z0-9_+-]{2,}:(?![\w:])"  # an emoji's name
    r"|(?<=\w)~[\w+-]{1,8}~|(?<=[\w)])\^[\w+-]{1,8}\^"  # lowered, raised
    r"|(?<![=\w<])==(?=[^\s=>])"  # a highlight that does not end
)


@essay_check
def check_placeholder(check_input: EssayInput) -> Iterator[Finding]:
    """Yield an error when a ready essay still holds the placeholder text of `essay new`."""
    if check_input.essay.status != "ready":
        return
    placeholders = {localized("essay-begins").in_language(language) for language in LANGUAGES}
    for number, line in enumerate(check_input.essay.body.split("\n"), 1):
        if (text := line.strip()) in placeholders:
            yield error("placeholder", check_input.at(number), localized("placeholder", text=text))


@essay_check
def _template_leftovers(check_input: EssayInput) -> Iterator[Finding]:
    for number, line in enumerate(check_input.essay.body.split("\n"), 1):
        where = check_input.at(number)
        if (match := _SHORTCODE.search(line)) is not None:
            yield error("leftover", where, localized("leftover-shortcode", mark=match[0][:40]))
        elif (match := re.search(r"\{[{%]", line)) is not None:
            yield error("leftover", where, localized("leftover", mark=match[0]))


@essay_check
def _second_head(check_input: EssayInput) -> Iterator[Finding]:
    """Yield an error for a head of another program's below ours, which readers would see."""
    if _HEAD.match(check_input.essay.body):
        yield error("head-repeated", check_input.at(1), localized("head-repeated"))


@essay_check
def _html(check_input: EssayInput) -> Iterator[Finding]:
    for number, _, typed in _lines(check_input):
        if match := _TAG.search(typed):
            yield error("html", check_input.at(number), localized("html", tag=match[0][:40]))


@essay_check
def _todo(check_input: EssayInput) -> Iterator[Finding]:
    """A draft may hold notes of its author; a ready essay may not."""
    essay = check_input.essay
    if essay.status != "ready":
        return
    places = [(check_input.at_key(key), text) for key, text in _head(essay)]
    places += [(check_input.at(number), typed) for number, _, typed in _lines(check_input)]
    for where, text in places:
        if match := _TODO.search(text):
            yield warning("todo", where, localized("todo", word=match[0]))


@essay_check
def _obsidian(check_input: EssayInput) -> Iterator[Finding]:
    for block in check_input.parsed.blocks:
        for number, _, typed in block.lines():
            for match in _WIKI_LINK.finditer(typed):
                yield _wiki_link(check_input.at(number), bool(match[1]), match[2])
        *_, (number, _, typed) = block.lines()
        if (anchor := _BLOCK_ID.search(typed)) is not None:
            where = check_input.at(number)
            yield warning("leftover-mark", where, localized("block-id", mark=anchor[0].strip()))


def _wiki_link(where: str, embedded: bool, content: str) -> Finding:
    target, _, label = content.partition("|")
    target = target.strip()
    if embedded:
        return error("wiki-link", where, localized("wiki-embed", target=target[:60]))
    text = (label.strip() or target.partition("#")[0] or target)[:60]
    return error("wiki-link", where, localized("wiki-link", target=content[:60], text=text))


@essay_check
def _other_programs(check_input: EssayInput) -> Iterator[Finding]:
    for block in check_input.parsed.blocks:
        for number, _, typed in block.lines():
            where = check_input.at(number)
            match = _ATTRIBUTE.search(typed)
            if match and not _CONTAINER.search(typed):
                yield warning("attribute", where, localized("attribute", mark=match[0][:40]))
            if formula := _formula(typed):
                yield warning("formula", where, localized("formula", formula=formula[:40]))
            if unclosed_word(typed):
                continue  # told as a block of ours without an end
            if _CONTAINER.search(typed):
                yield warning("container", where, localized("container", mark=typed.strip()[:40]))
            elif other := _other_mark(block, number, typed):
                yield warning("leftover-mark", where, localized("leftover-mark", mark=other))


def _other_mark(block: Block, number: int, typed: str) -> str:
    match = _MARKS.search(typed)
    if match is None or (
        match[0].startswith(":") and match[0].endswith((" ", "\t")) and number == block.line
    ):
        return ""  # a definition needs the line of its term above
    return match[0].strip()


def _formula(typed: str) -> str:
    """Return the formula of TeX in a line; two prices in dollars are none."""
    for match in _FORMULA.finditer(typed):
        if match[2] is None or match[1] == "$$" or _TEX.search(match[2]):
            return match[0]
    command = _TEX_COMMAND.search(typed)
    return command[0] if command else ""


def _head(essay: Essay) -> Iterator[tuple[str, str]]:
    yield from (("title", essay.title), ("summary", essay.summary))


def _lines(check_input: EssayInput) -> Iterator[tuple[int, str, str]]:
    for block in check_input.parsed.blocks:
        yield from block.lines()

"""Where paragraphs begin and lines end: pasted texts, first-line indents, verse, underlined lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block import code as commonmark_code
from markdown_it.rules_block import lheading as commonmark_lheading
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from upcycle_news.text.sentences import split_sentences

SHORT_LINE = 50
"""Characters; where every line of a block is shorter, its line ends are meant: verse, addresses."""

LONG_LINE = 80
"""Characters; text is wrapped at fewer, so that a longer line of several sentences is a paragraph."""

MAX_HEADING = 60
"""Characters of a line that a line of - or = below makes a heading."""

_INDENTED = "indented"  # in the environment of a parse: the first lines of indented paragraphs

_CALL = r"(?<![A-ZÄÖÜ])\b[a-z_][\w.]*\((?!(?:in|innen|[rnesm]|e[rnsm])\))"
_PROGRAM = re.compile(
    rf"""[{{}}]\s*$                                   # ends as in C, Java, CSS
    |^\s*(?:[}}\])]+[;,]?\s*$|`{{3}}|~{{3}})
    |(?:{_CALL}|\w\s*=)[^;]*;\s*$                   # x = 1;  call(x);
    |{_CALL}[^()]*\)\s*[:{{]?\s*$                    # call(x)  if call(x):
    |^\s*(?:\#!|\#include|\$\s[a-z]|>>>\s|//\s|/\*|</?[a-z][\w-]*[\s>/]|<[?!])
    |^\s*(?:def|class|function)\s+\w+\s*[(:{{]
    |^\s*(?:import\s+[\w.]+\s*;?$|from\s+[\w.]+\s+import\s)
    |^\s*(?:const|let|var|int|float|public|private|static)\s+\w+.*[=(;{{]
    |^\s*(?:for|while|if|elif|with)\s.*[\w)\]"']:\s*$
    |^\s*(?:else|try|finally|except\b.*):\s*$
    |^\s*(?:sudo|git|pip|npm|curl|wget|apt-get|docker)\s+[a-z-]
    |^\s*(?:SELECT|INSERT\s+INTO|UPDATE|CREATE\s+TABLE|DELETE\s+FROM)\s
    |^\s*[\w.\[\]"'$-]+\s*(?::=|\+=|->|=>|==?)\s*\S
    |^\s*"[\w-]+":\s""",
    re.VERBOSE,
)
_SENTENCE_END = re.compile(r"[.!?…:][\"'“”‘’»«›‹)\]*_]*\s*$")
_FINAL = re.compile(r"[.!?…:;,][\"'“”‘’»«)\]]*$")
_DASH_LINE = re.compile(r"[‒–—―] ")
# Lines that each begin with a number, a letter with a bracket, a paragraph sign, a time or a year, an arrow,
# an emoji.
_COUNTED_LINE = re.compile(
    r"\(?(?:\d{1,4}|[A-Za-z]|[ivx]{1,5})[.)]{1,2}\s|§+ ?\d"
    r"|\d{1,2}[:.]\d{2}(?: ?[–-] ?\d{1,2}[:.]\d{2})?(?:[:,]?\s| Uhr)|[12]\d{3}(?: ?[–-] ?[12]\d{3})?: "
    r"|[^\w\s\"'„“‚‘’»«›‹()\[\]<>*_`~=#|\\.,;:!?…&@$%+/-]\ufe0f?\s"
)
_ADDRESS_LINE = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+")
_INDENT = re.compile(r"\t| {3,}")


def paragraphs_plugin(parser: MarkdownIt) -> None:
    """Add the rules for blocks and line ends."""
    parser.block.ruler.at("code", _indented)
    parser.block.ruler.at("lheading", _underlined)
    parser.block.ruler.before("lheading", "underline", _underline)
    parser.core.ruler.after("block", "pasted_paragraphs", _split_paragraphs)
    parser.core.ruler.after("inline", "kept_lines", _keep_lines)


def looks_like_program(lines: Sequence[str]) -> bool:
    """Guess whether indented lines are a program or columns rather than prose or verse."""
    written = [line for line in lines if line.strip()]
    if not written:
        return False
    hits = sum(bool(_PROGRAM.search(line)) for line in written)
    columns = sum(bool(re.search(r"\S(?: {3,}|\t+)\S", line)) for line in written)
    return 3 * hits >= len(written) or (columns > 1 and 2 * columns > len(written))


def _indented(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read an indented block as code only where it looks like a program."""
    if not state.is_code_block(start):
        return False
    last = start
    for first, behind in _indented_chunks(state, start, end):
        lines = state.getLines(first, behind, 4 + state.blkIndent, False).split("\n")
        if looks_like_program(lines):
            last = behind
        elif first == start:
            break
    if last == start:
        state.env.setdefault(_INDENTED, set()).add(start)
        return False
    return bool(commonmark_code(state, start, last, silent))


def _indented_chunks(state: StateBlock, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the blocks of indented lines from `start`, which empty lines separate."""
    line = start
    while line < end and (state.isEmpty(line) or state.is_code_block(line)):
        first = line
        while line < end and not state.isEmpty(line) and state.is_code_block(line):
            line += 1
        if line > first:
            yield first, line
        else:
            line += 1


def _underlined(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read a line above ``---`` or ``===`` as a heading only where it looks like one.

    CommonMark makes a heading of any paragraph (4.3). The line below it is then a rule: see `_underline`.
    """
    if not commonmark_lheading(state, start, end, silent):
        return False
    opening, inline, closing = state.tokens[-3:]
    below = state.line - 1
    place = state.bMarks[below] + state.tShift[below]
    underline = state.src[place : state.eMarks[below]].strip()
    if _is_heading(inline.content, len(underline)):
        return True
    opening.type, closing.type = "paragraph_open", "paragraph_close"
    opening.tag = closing.tag = "p"
    opening.markup = closing.markup = ""
    opening.map = inline.map = [start, below]
    state.line = below
    return True


def _is_heading(text: str, underline: int) -> bool:
    if "\n" in text or len(text) > MAX_HEADING or underline < 3:
        return False
    # "Was nun?" is a heading where the line below is as long as it.
    asks = text[-1:] in "?!" and underline > 3 and abs(underline - len(text)) < 3
    return asks or not _FINAL.search(text)


def _underline(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read ``--`` or ``===`` directly below a paragraph as a rule, as ``---`` is."""
    if not start or state.isEmpty(start - 1) or not state.tokens:
        return False
    text = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]].strip()
    if not re.fullmatch(r"-{2,}|={2,}", text) or state.tokens[-1].type != "paragraph_close":
        return False
    if not silent:
        state.line = start + 1
        rule = state.push("hr", "hr", 0)
        rule.map, rule.markup = [start, start + 1], text
    return True


def _split_paragraphs(state: StateCore) -> None:
    """Split blocks whose lines are paragraphs of their own, and mark those whose lines are kept."""
    tokens: list[Token] = []
    position = 0
    while position < len(state.tokens):
        token = state.tokens[position]
        if token.type != "paragraph_open" or token.map is None:
            tokens.append(token)
            position += 1
            continue
        paragraph = state.tokens[position : position + 3]
        lines = paragraph[1].content.split("\n")
        starts = [] if token.hidden else _starts(lines)
        for part in _parts(paragraph, lines, starts):
            text = part[1].content.split("\n")
            indented = (part[0].map or [-1])[0] in state.env.get(_INDENTED, ())
            if _keeps_lines(text) or (indented and _is_verse(text)):
                part[1].meta["kept_lines"] = True
            tokens += part
        position += 3
    state.tokens[:] = tokens


def _starts(lines: Sequence[str]) -> list[int]:
    """Return the lines of a block, but for the first, at which paragraphs begin."""
    if _are_paragraphs(lines):
        return list(range(1, len(lines)))
    if all(len(line) < SHORT_LINE for line in lines):
        return []
    return [
        number
        for number, (above, line) in enumerate(pairwise(lines), 1)
        if _INDENT.match(line) and _SENTENCE_END.search(above)
    ]


def _are_paragraphs(lines: Sequence[str]) -> bool:
    """Return whether most lines are paragraphs of several sentences, as word processors write them."""
    if len(lines) < 2 or not all(_SENTENCE_END.search(line) for line in lines[:-1]):
        return False
    long = [len(line) > LONG_LINE and len(split_sentences(line)) > 1 for line in lines]
    if len(lines) == 2:  # a single line may end with a sentence by chance
        return long[0] and (long[1] or len(lines[0]) > 1.5 * LONG_LINE)
    return 2 * sum(long[:-1]) > len(lines) - 1


def _parts(paragraph: list[Token], lines: list[str], starts: list[int]) -> list[list[Token]]:
    """Return a paragraph's tokens, or those of the paragraphs that begin at `starts`."""
    if not starts:
        return [paragraph]
    opening, inline, closing = paragraph
    first = (opening.map or [0])[0]
    parts: list[list[Token]] = []
    for start, end in pairwise([0, *starts, len(lines)]):
        part = [opening.copy(), inline.copy(), closing.copy()]
        part[0].map = part[1].map = [first + start, first + end]
        part[1].content = "\n".join(lines[start:end]).strip()
        part[1].children, part[1].meta = [], {}
        parts.append(part)
    return parts


def _keeps_lines(lines: Sequence[str]) -> bool:
    if len(lines) < 2:
        return False
    texts = [line.strip() for line in lines]
    if all(len(text) < SHORT_LINE or _ADDRESS_LINE.fullmatch(text) for text in texts):
        return True
    dashes = [bool(_DASH_LINE.match(text)) for text in texts]
    return (all(dashes[1:]) and (dashes[0] or len(dashes) > 2)) or all(
        _COUNTED_LINE.match(text) for text in texts
    )


def _is_verse(lines: Sequence[str]) -> bool:
    """Tell indented lines that end where they were meant to from wrapped ones.

    Wrapped lines are as full as they can be: the next word would not have fitted.
    """
    texts = [line.strip() for line in lines]
    width = max(map(len, texts))
    return any(
        len(line) + 1 + len(below.split(" ", 1)[0]) <= width for line, below in pairwise(texts)
    )


def _keep_lines(state: StateCore) -> None:
    for token in state.tokens:
        children = token.children or []
        # Where the author marked some line ends, the others are not meant.
        if token.meta.get("kept_lines") and all(one.type != "hardbreak" for one in children):
            for child in children:
                if child.type == "softbreak":
                    child.type = "hardbreak"

"""Marks of emphasis that close nothing, and headings that are none for want of a space."""

from __future__ import annotations

import re
from collections.abc import Iterator

from upcycle_news.checks.essay.registry import EssayInput, essay_check
from upcycle_news.checks.findings import warning
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding

# What CommonMark left as text. A power (2**3), a blank to fill in (____) and a censored word (S***) are text.
_UNPAIRED = re.compile(
    r"(?<!\*)\*\*(?!\*)"
    r"|(?:^|(?<=[\s(„“\"]))\*\*\*(?=[^\W\d_])"
    r"|(?<!_)__(?!_)"
    r"|(?<!~)~~(?!~)"
    # One star amid a sentence; at its beginning it is a birth or a remark, behind a word the sign of one.
    r"|(?<=[\w,;:–] )\*(?=[^\W\d_])"
    r"|(?<=[\w,;:–] )_(?=[^\W\d_]+(?:[\s,.;:!?]|$))"
    r"|(?<!`)``+(?!`)",
    re.MULTILINE,
)
_SUM = re.compile(r"[\d)]\s*$"), re.compile(r"\s*[\d(]")
_HEADING = re.compile(r"#{2,6}(?=[^\s#])")
_SINGLE_HEADING = re.compile(r"#(?=[A-ZÄÖÜ])[^#]*\s[^#]*[^\s.!?:;,#]$")


@essay_check
def _unpaired_marks(check_input: EssayInput) -> Iterator[Finding]:
    for block in check_input.parsed.blocks:
        told: set[int] = set()
        for match in _UNPAIRED.finditer(block.typed):
            line = block.line_at(match.start())
            if line in told or _is_text(block.typed, match):
                continue
            told.add(line)
            around = _around(block.text, match)
            yield warning(
                "mark-unpaired",
                check_input.at(line),
                localized("mark-unpaired", mark=match[0], around=around),
            )


def _around(text: str, match: re.Match[str]) -> str:
    """Return whole words of the line around a mark."""
    before = text[: match.start()].rpartition("\n")[2]
    after = text[match.end() :].partition("\n")[0]
    left, right = before[-15:], after[:25]
    if len(before) > len(left):
        left = left.partition(" ")[2]
    if len(after) > len(right):
        right = right.rpartition(" ")[0]
    return f"{left}{match[0]}{right}".strip()


def _is_text(typed: str, match: re.Match[str]) -> bool:
    before, after = typed[: match.start()], typed[match.end() :]
    if match[0] == "**":
        return bool(_SUM[0].search(before[-4:]) and _SUM[1].match(after[:4]))
    if match[0] == "__":
        return before[-1:].isalnum() and after[:1].isalnum()  # ein__name
    if match[0] == "~~":
        return not (before[-1:].strip() or after[:1].strip())
    return False


@essay_check
def _headings_without_space(check_input: EssayInput) -> Iterator[Finding]:
    for block in check_input.parsed.blocks:
        if block.kind != "paragraph":
            continue
        for number, text, typed in block.lines():
            # "#Leerstand" is a tag; with more words, alone in its paragraph, it is a heading.
            alone = "\n" not in block.typed and len(typed) <= 80
            match = _HEADING.match(typed) or (_SINGLE_HEADING.match(typed) if alone else None)
            if match:
                signs = typed[: len(typed) - len(typed.lstrip("#"))]
                better = f"{signs} {text.lstrip('#')}"[:60]
                where = check_input.at(number)
                yield warning("heading-space", where, localized("heading-space", better=better))

"""What editors did not mean in YAML front matter, told with the line as it should be."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence

import yaml

from upcycle_news.i18n.messages import LocalizedText, localized


def cut_value(name: str, node: yaml.ScalarNode, lines: Sequence[str]) -> LocalizedText | None:
    """Return what is wrong when a comment follows an unquoted text in the line where it ends.

    Behind a key without a value only ``#3`` is a text; ``# two sentences`` is a remark.
    """
    if not lines:
        return None
    begin = node.end_mark.column if node.value else lines[0].find(":") + 1
    match = re.compile(r"[ \t]+(#.*)" if node.value else r"[ \t]+(#\S.*)").match(lines[0], begin)
    if match is None:
        return None
    text = f"{node.value} {match[1]}".strip()
    return _hash_in_text(f"{name}: ", text, match.start(1) + 1)


def cut_entries(node: yaml.Node, lines: Sequence[str]) -> Iterator[tuple[int, LocalizedText]]:
    """Yield line and text for each unquoted entry of a list or table that ``#3`` cuts off.

    Remarks are usual there: ``# drei`` is one, and so is what stands behind a number or a date. A node
    that an alias repeats is looked at once, also where it holds itself.
    """
    yield from _cut_entries(node, lines, set())


def _cut_entries(
    node: yaml.Node, lines: Sequence[str], seen: set[int]
) -> Iterator[tuple[int, LocalizedText]]:
    if id(node) in seen:
        return
    seen.add(id(node))
    entries: list[tuple[str, yaml.Node, yaml.Mark]] = []
    if isinstance(node, yaml.SequenceNode):
        entries = [("- ", entry, entry.end_mark) for entry in node.value]
    elif isinstance(node, yaml.MappingNode):
        entries = [
            (f"{name.value}: ", entry, entry.end_mark if entry.value else name.end_mark)
            for name, entry in node.value
        ]
    for before, entry, end in entries:
        if not isinstance(entry, yaml.ScalarNode):
            yield from _cut_entries(entry, lines, seen)
        elif (
            entry.style is None
            and entry.tag in _WORD_TAGS
            and end.line < len(lines)
            and (match := _HASH_OF_WORD.match(lines[end.line], end.column))
        ):
            text = f"{entry.value} {match[1]}".strip()
            yield end.line + 2, _hash_in_text(before, text, match.start(1) + 1)


_WORD_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:null")
_HASH_OF_WORD = re.compile(r":?[ \t]+(#[^\s#].*)")


def _hash_in_text(before: str, text: str, column: int) -> LocalizedText:
    whole = json.dumps(" ".join(text.split()), ensure_ascii=False)
    return localized("head-hash", column=column, example=f"{before}{whole[:200]}")


_UNQUOTED = re.compile(r"(?P<key>[\w-]+):[ \t]+(?P<text>[^\s\"'|>\[{&*!%@`#].*)")


def _cut_in_the_middle(
    lines: Sequence[str], at: int, prose: Collection[str]
) -> tuple[int, LocalizedText] | None:
    """Return line and text for a comment in the middle of an unquoted text of several lines."""
    begin = next((n for n in range(min(at, len(lines)) - 1, -1, -1) if lines[n][:1].strip()), None)
    if begin is None or (match := _UNQUOTED.match(lines[begin])) is None:
        return None
    for number in range(begin, at):
        if match["key"] in prose and (cut := re.search(r"[ \t](#.*)", lines[number])):
            rest = [match["text"], *lines[begin + 1 : at + 1]]
            return number + 2, _hash_in_text(f"{match['key']}: ", " ".join(rest), cut.start(1) + 1)
    return None


def explain_yaml_error(
    error: yaml.MarkedYAMLError, lines: Sequence[str], prose: Collection[str]
) -> tuple[int, LocalizedText]:
    """Return line and text for editors; PyYAML's own messages name tokens and blocks."""
    mark = error.problem_mark or error.context_mark
    at = mark.line if mark else -1
    problem = error.problem or ""
    if missing := _missing_space(lines, at):
        return missing
    if "mapping values are not allowed" in problem:
        return at + 2, localized("head-colon", example=_quoted_line(lines, at))
    if "'\\t'" in problem:
        return at + 2, localized("head-tab")
    if cut := _cut_in_the_middle(lines, at, prose):
        return cut
    # An open quotation mark includes the lines below it: PyYAML fails there, the mistake is above.
    for number, line in enumerate(lines[: at + 1]):
        opened = re.match(r"[\w-]+:\s*([\"'])", line)
        if opened and len(re.findall(rf"(?<!\\){opened[1]}", line)) % 2:
            return number + 2, localized("head-quote-open")
    if 0 <= at < len(lines) and lines[at].count('"') > 2:
        return at + 2, localized("head-quotes-inside")
    return at + 2, localized("head-broken", example=_quoted_line(lines, at))


def _missing_space(lines: Sequence[str], at: int) -> tuple[int, LocalizedText] | None:
    """Return line and text for ``title:Der Laden`` or ``title = x``, which YAML takes for a text."""
    for number in (at - 1, at):
        if 0 <= number < len(lines) and (
            match := re.match(r"([\w-]+)(?::| *=)(?=\S| )(.*)", lines[number])
        ):
            if lines[number].startswith(f"{match[1]}: "):
                continue
            example = f"{match[1]}: {match[2].strip()[:80]}"
            return number + 2, localized("head-space", example=example)
    return None


def _quoted_line(lines: Sequence[str], at: int) -> str:
    """Return a line with its text in quotation marks, as an example of what to write."""
    match = re.match(r"([\w-]+):\s+([^\s\"'].*)", lines[at]) if 0 <= at < len(lines) else None
    text = json.dumps(match[2].strip()[:100], ensure_ascii=False) if match else '"…"'
    return f"{match[1] if match else 'title'}: {text}"

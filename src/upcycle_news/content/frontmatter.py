"""The YAML head of an essay, read node by node so that every error knows its line.

PyYAML's constructors are not used: they turn ``2026-11-26`` into a date, ``no`` into False and keep
the last of two equal keys without a word. Here a scalar is the text the editor wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date

import yaml

from upcycle_news.errors import ContentError
from upcycle_news.fileio import did_you_mean
from upcycle_news.i18n.messages import LocalizedText, localized

_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "timestamp", "value")
}


@dataclass(frozen=True)
class Parts:
    """A file cut in two: the head (without its fences) and the body, and where each begins."""

    head: str
    body: str
    body_line: int


def split(where: str, text: str) -> Parts:
    """Cut a Markdown file at its fences; raises `ContentError` where one is missing."""
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        raise ContentError(where, 1, localized("head-missing"))
    fences = (n for n, line in enumerate(lines) if n and line.rstrip() in ("---", "..."))
    number = next(fences, 0)
    if not number:
        raise ContentError(where, 1, localized("head-endless"))
    first = number + 1
    while first < len(lines) and not lines[first].strip():
        first += 1
    body = "\n".join(lines[first:]).rstrip()
    return Parts("\n".join(lines[1:number]), body, min(first + 1, len(lines)))


class FrontMatter:
    """The keys of one head, taken one by one; what is wrong with them gathers in `errors`."""

    def __init__(self, where: str, head: str, known: Collection[str]) -> None:
        """Parse `head`, from line 2 of `where` on; complain about keys that are not in `known`."""
        self.where = where
        self.errors: list[ContentError] = []
        self._known = known
        self._nodes: dict[str, tuple[yaml.Node, int]] = {}
        try:
            root = yaml.compose(head, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            self.complain(*_yaml_complaint(error, head))
            return
        except (yaml.YAMLError, RecursionError, ValueError):
            self.complain(1, localized("head-not-yaml"))
            return
        if isinstance(root, yaml.MappingNode):
            self._collect(root)
        elif root is not None:
            self.complain(2, localized("head-no-keys"))

    def _collect(self, root: yaml.MappingNode) -> None:
        for key, value in root.value:
            line = key.start_mark.line + 2
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if name not in self._known:
                hint = did_you_mean(name, self._known)
                self.complain(line, localized("key-unknown", key=name[:40], hint=hint))
            elif name in self._nodes:
                first = self._nodes[name][1]
                self.complain(line, localized("key-twice", key=name, first=first))
            else:
                self._nodes[name] = (value, line)

    def complain(self, line: int | None, said: LocalizedText) -> None:
        """Remember one error."""
        self.errors.append(ContentError(self.where, line, said))

    def has(self, key: str) -> bool:
        """Tell whether `key` is there and not empty."""
        if key not in self._nodes:
            return False
        node = self._nodes[key][0]
        return not (
            isinstance(node, yaml.ScalarNode) and (_is_null(node) or not node.value.strip())
        )

    def line(self, key: str) -> int:
        """Return the line of `key`, or 1."""
        return self._nodes[key][1] if key in self._nodes else 1

    def require(self, key: str, example: str) -> None:
        """Complain when `key` is missing or empty."""
        if not self.has(key):
            there = key in self._nodes
            said = localized("key-empty", key=key, example=example)
            self.complain(
                self.line(key),
                said if there else localized("key-missing", key=key, example=example),
            )

    def text(self, key: str, default: str = "") -> str:
        """Return `key` as one line of text."""
        if not self.has(key):
            return default
        node, line = self._nodes[key]
        if not _is_text(node):
            self.complain(line, localized("key-no-text", key=key))
            return default
        return " ".join(node.value.split())

    def day(self, key: str) -> date | None:
        """Return `key` as a date."""
        if not self.has(key):
            return None
        node, line = self._nodes[key]
        written = node.value.strip() if _is_text(node) else ""
        shaped = re.fullmatch(r"\d{4}-\d{2}-\d{2}", written, re.ASCII)
        try:
            if shaped:
                return date.fromisoformat(written)
        except ValueError:
            pass
        said = localized("date-wrong", key=key)
        self.complain(line, localized("date-no-day", key=key, written=written) if shaped else said)
        return None

    def texts(self, key: str, example: str) -> tuple[str, ...]:
        """Return `key` as a list of texts, without repetitions."""
        if not self.has(key):
            return ()
        node, line = self._nodes[key]
        if not isinstance(node, yaml.SequenceNode) or not all(map(_is_text, node.value)):
            self.complain(line, localized("key-no-list", key=key, example=example))
            return ()
        return tuple(dict.fromkeys(" ".join(item.value.split()) for item in node.value))

    def choice(self, key: str, allowed: Collection[str], default: str) -> str:
        """Return `key`, which must be one of `allowed`."""
        value = self.text(key, default)
        if value in allowed:
            return value
        hint = did_you_mean(value, allowed)
        self.complain(self.line(key), localized("key-choice", key=key, value=value[:40], hint=hint))
        return default

    def checked(self, key: str, value: str, check: Callable[[str], LocalizedText | None]) -> str:
        """Pass `value` on; complain at the line of `key` when `check` returns a complaint."""
        complaint = check(value)
        if complaint:
            self.complain(self.line(key), complaint)
        return value

    def mapping(self, key: str, known: Collection[str]) -> dict[str, str] | None:
        """Return `key` as a mapping of texts, or None when it is not a mapping."""
        if not self.has(key) or not isinstance(self._nodes[key][0], yaml.MappingNode):
            return None
        found: dict[str, str] = {}
        for name, value in self._nodes[key][0].value:
            line = name.start_mark.line + 2
            if not _is_text(name) or name.value not in known:
                written, hint = str(name.value), did_you_mean(str(name.value), known)
                said = localized("key-unknown-inside", key=written[:40], parent=key, hint=hint)
                self.complain(line, said)
            elif name.value in found:
                self.complain(line, localized("key-twice-inside", key=name.value))
            elif not _is_text(value):
                self.complain(line, localized("key-no-text", key=name.value))
            else:
                found[name.value] = " ".join(value.value.split())
        return found


def _is_text(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag in _PLAIN_TAGS


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _yaml_complaint(error: yaml.MarkedYAMLError, head: str) -> tuple[int, LocalizedText]:
    """Say line and sentence in an editor's words; PyYAML's own speak of tokens and blocks."""
    mark = error.problem_mark or error.context_mark
    at = mark.line if mark else -1
    problem = error.problem or "something is out of place"
    lines = head.split("\n")
    if "mapping values are not allowed" in problem:
        return at + 2, localized("head-colon")
    if "'\\t'" in problem:
        return at + 2, localized("head-tab")
    # An open mark swallows the lines below it: PyYAML stumbles there, the mistake is further up.
    for number, line in enumerate(lines[: at + 1]):
        if re.match(r'[\w-]+:\s*"', line) and len(re.findall(r'(?<!\\)"', line)) % 2:
            return number + 2, localized("head-quote-open")
    if 0 <= at < len(lines) and lines[at].count('"') > 2:
        return at + 2, localized("head-quotes-inside")
    return at + 2, localized("head-broken", reason=problem)

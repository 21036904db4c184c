"""The front matter of an essay, read node by node so that every error knows its line.

PyYAML's constructors are not used: they turn ``2026-11-26`` into a date, ``no`` into False and keep
the last of two equal keys silently. Here a scalar is the text the editor wrote. TOML between two lines
of ``+++`` becomes the same nodes (`toml_head`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml

from upcycle_news.content import toml_head
from upcycle_news.content.foreign_keys import explain_foreign_key
from upcycle_news.content.head_mistakes import cut_entries, cut_value, explain_yaml_error
from upcycle_news.errors import ContentError
from upcycle_news.fileio import did_you_mean
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.text.written_days import guess_day, read_day

_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "timestamp", "value")
}

_SURROGATE = re.compile(r"\\[uU](?:0000)?[dD][89a-fA-F]")
_SURROGATES = frozenset(map(chr, range(0xD800, 0xE000)))
"""Halves of characters, which no text may hold (RFC 3629, section 3)."""

_FENCES = {"---": ("---", "..."), toml_head.FENCE: (toml_head.FENCE,)}


@dataclass(frozen=True)
class EssayParts:
    """A Markdown file split into front matter (without its fences) and body."""

    head: str
    body: str
    body_line: int
    """The 1-based line of the file in which the body begins."""

    is_toml: bool = False


def split_front_matter(where: str, text: str) -> EssayParts:
    """Split a Markdown file at its fences; raises `ContentError` when one is missing."""
    lines = text.split("\n")
    opening = lines[0].rstrip()
    if opening not in _FENCES:
        raise ContentError(where, 1, localized("head-missing"))
    closing = _FENCES[opening]
    fences = (n for n, line in enumerate(lines) if n and line.rstrip() in closing)
    number = next(fences, 0)
    if not number:
        raise ContentError(where, 1, localized("head-endless", fence=opening))
    first = number + 1
    while first < len(lines) and not lines[first].strip():
        first += 1
    body = "\n".join(lines[first:]).rstrip()
    head, body_line = "\n".join(lines[1:number]), min(first + 1, len(lines))
    return EssayParts(head, body, body_line, is_toml=opening == toml_head.FENCE)


@lru_cache(maxsize=4096)
def _compose_yaml(head: str) -> yaml.Node | None:
    """Return the nodes of a head, which are not changed; raises `yaml.YAMLError`.

    By libyaml where PyYAML has it, several times as fast, unless the head has a number sign or a tab, which the
    two mark differently. What it refuses is read in Python: `explain_yaml_error` words the errors of that.
    """
    if yaml.__with_libyaml__ and not re.search(r"[#\t]", head):
        with suppress(yaml.YAMLError):
            return yaml.compose(head, Loader=yaml.CSafeLoader)
    if _SURROGATE.search(
        head
    ):  # which the reader in Python takes, and no file could be written with
        for token in yaml.scan(head, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.ScalarToken) and not _SURROGATES.isdisjoint(token.value):
                raise yaml.YAMLError
    return yaml.compose(head, Loader=yaml.SafeLoader)


class FrontMatter:
    """The keys of one front matter, read one by one; `errors` collects what is wrong with them."""

    def __init__(
        self,
        where: str,
        head: str,
        known: Collection[str],
        *,
        prose: Collection[str] = (),
        worded: Collection[str] = (),
        is_toml: bool = False,
        explain_unknown: Callable[[str, yaml.Node], LocalizedText] | None = None,
    ) -> None:
        """Parse `head`, from line 2 of `where` on; keys that are not in `known` are errors.

        The values of `prose` are sentences, where an unquoted `` #`` is hardly meant as a comment;
        `worded` are lists and tables of words, where ``#3`` is not. `explain_unknown` words the error
        for an unknown key; without it, it is one of an essay.
        """
        self.where = where
        self.errors: list[ContentError] = []
        self._known = known
        self._explain_unknown = explain_unknown or self._explain_unknown_key
        self._nodes: dict[str, tuple[yaml.Node, int]] = {}
        self._lines = head.split("\n")
        self._cut: set[str] = set()  # keys whose value a comment sign cuts off: reported already
        try:
            if is_toml:
                root: yaml.Node | None = toml_head.compose_toml(head, where, 2)
            else:
                root = _compose_yaml(head)
        except ContentError as error:
            self.errors.append(error)
            return
        except yaml.MarkedYAMLError as error:
            self.add_error(*explain_yaml_error(error, self._lines, prose))
            return
        except (yaml.YAMLError, RecursionError, ValueError):
            self.add_error(1, localized("head-not-yaml"))
            return
        if isinstance(root, yaml.MappingNode):
            self._collect(root)
            if not is_toml:
                self._refuse_cut_values(prose, worded)
        elif root is not None:
            self.add_error(2, localized("head-no-keys"))

    def _collect(self, root: yaml.MappingNode) -> None:
        for key, value in root.value:
            line = key.start_mark.line + 2
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if name not in self._known:
                self.add_error(line, self._explain_unknown(name, value))
            elif name in self._nodes:
                first = self._nodes[name][1]
                self.add_error(line, localized("key-twice", key=name, first=first))
            else:
                self._nodes[name] = (value, line)

    def _explain_unknown_key(self, name: str, value: yaml.Node) -> LocalizedText:
        explained = explain_foreign_key(name, value)
        hint = did_you_mean(name, self._known)
        return explained or localized("key-unknown", key=name[:40], hint=hint)

    def _refuse_cut_values(self, prose: Collection[str], worded: Collection[str]) -> None:
        """Add an error for each unquoted text that `` #`` ends: YAML 1.2, 6.6."""
        for key in prose:
            name, node, line = self._find(key)
            if isinstance(node, yaml.ScalarNode) and node.style is None:
                at = node.end_mark.line if node.value else line - 2
                if cut := cut_value(name, node, self._lines[at : at + 1]):
                    self.add_error(at + 2, cut)
                    self._cut.add(key)
        for key in self._nodes.keys() & worded:
            for line, cut in cut_entries(self._nodes[key][0], self._lines):
                self.add_error(line, cut)

    def _find(self, key: str) -> tuple[str, yaml.Node | None, int]:
        """Return name, node and line of a key; ``image_alt`` may stand as ``alt`` below ``image``."""
        table, _, inner = key.partition("_")
        if key not in self._nodes and isinstance(
            self._nodes.get(table, (None,))[0], yaml.MappingNode
        ):
            for name, value in self._nodes[table][0].value:
                if name.value == inner:
                    return inner, value, name.start_mark.line + 2
        node, line = self._nodes.get(key, (None, 1))
        return key, node, line

    def add_error(self, line: int | None, text: LocalizedText) -> None:
        """Add an error at a line of the file."""
        self.errors.append(ContentError(self.where, line, text))

    def keys(self) -> tuple[str, ...]:
        """Return the keys that are there, in their order."""
        return tuple(self._nodes)

    def has(self, key: str) -> bool:
        """Return whether `key` is present and not empty."""
        if key not in self._nodes:
            return False
        node = self._nodes[key][0]
        return not (
            isinstance(node, yaml.ScalarNode) and (_is_null(node) or not node.value.strip())
        )

    def line(self, key: str) -> int:
        """Return the line of `key`, or 1."""
        return self._find(key)[2]

    def written(self, key: str) -> str:
        """Return all texts of `key` as they were written, for a look at their signs."""
        node = self._find(key)[1]
        if isinstance(node, yaml.SequenceNode):
            return "\n".join(str(item.value) for item in node.value if _is_text(item))
        return str(node.value) if node is not None and _is_text(node) else ""

    def require(self, key: str, example: str) -> None:
        """Add an error when `key` is missing or empty."""
        if self.has(key) or key in self._cut:
            return
        if key in self._nodes:
            text = localized("key-empty", key=key, example=example)
        else:
            text = localized("key-missing", key=key, example=example)
        self.add_error(self.line(key), text)

    def text(self, key: str, default: str = "") -> str:
        """Return `key` as one line of text; anything but a scalar is an error."""
        if not self.has(key):
            return default
        node, line = self._nodes[key]
        if not _is_text(node):
            self.add_error(line, localized("key-no-text", key=key))
            return default
        return " ".join(node.value.split())

    def day(self, key: str) -> date | None:
        """Return `key` as a date, however people write one; None, with an error, for anything else."""
        if not self.has(key):
            return None
        node, line = self._nodes[key]
        written = node.value.strip() if _is_text(node) else ""
        try:
            day = read_day(written)
        except ValueError:
            self.add_error(line, localized("date-no-day", key=key, written=written[:40]))
            return None
        if day is None:
            meant = guess_day(written)
            hint = localized("date-meant", key=key, day=meant.isoformat()) if meant else None
            self.add_error(line, hint or localized("date-wrong", key=key))
        return day

    def value(self, key: str, kind: Any, default: Any, example: str) -> Any:
        """Return `key` as the type of its field: text, day, list of texts, choice or table.

        `default` when it is missing; what does not fit is an error. Raises `TypeError` for a type
        that front matter has no reader for.
        """
        if get_origin(kind) in (Union, UnionType):
            (kind,) = (member for member in get_args(kind) if member is not NoneType)
        if not self.has(key):
            return default
        if kind is str:
            return self.text(key)
        if kind is date:
            return self.day(key)
        if get_origin(kind) is Literal:
            return self.choice(key, get_args(kind), default)
        if get_origin(kind) is tuple and get_args(kind)[0] is str:
            return self.texts(key, example)
        if get_origin(kind) is Mapping:
            return self.table(key, example)
        raise TypeError(f"front matter has no reader for {key}: {kind}")

    def texts(self, key: str, example: str) -> tuple[str, ...]:
        """Return `key` as a list of texts, without duplicates."""
        if not self.has(key):
            return ()
        node, line = self._nodes[key]
        if not isinstance(node, yaml.SequenceNode) or not all(map(_is_text, node.value)):
            self.add_error(line, localized("key-no-list", key=key, example=example))
            return ()
        return tuple(dict.fromkeys(" ".join(item.value.split()) for item in node.value))

    def entries(self, key: str, example: str) -> list[tuple[str, str, int]]:
        """Return `key`, a list of names of which each may have a value, as (name, value, line).

        An entry is ``name`` or ``name: value``; the value is empty where there is none.
        """
        if not self.has(key):
            return []
        node, line = self._nodes[key]
        entries: list[tuple[str, str, int]] = []
        for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            pair = (item, None)
            if isinstance(item, yaml.MappingNode) and len(item.value) == 1:
                pair = item.value[0]
            name, value = pair
            if node is item or not _is_text(name) or not (value is None or _is_text(value)):
                self.add_error(
                    line if node is item else item.start_mark.line + 2,
                    localized("key-no-list", key=key, example=example),
                )
                return []
            said = " ".join(value.value.split()) if value is not None else ""
            entries.append((" ".join(name.value.split()), said, item.start_mark.line + 2))
        return entries

    def choice(self, key: str, allowed: Collection[str], default: str | None) -> str | None:
        """Return `key`, which must be one of `allowed`; `default`, with an error, if it is not."""
        value = self.text(key)
        if value in allowed:
            return value
        hint = did_you_mean(value, allowed)
        self.add_error(
            self.line(key), localized("key-choice", key=key, value=value[:40], hint=hint)
        )
        return default

    def checked(self, key: str, value: str, check: Callable[[str], LocalizedText | None]) -> str:
        """Return `value`; what `check` objects to is an error at the line of `key`."""
        objection = check(value)
        if objection:
            self.add_error(self.line(key), objection)
        return value

    def mapping(self, key: str, known: Collection[str]) -> dict[str, str] | None:
        """Return `key` as a mapping of texts, or None when it is not a mapping."""
        if not self.has(key) or not isinstance(self._nodes[key][0], yaml.MappingNode):
            return None
        texts: dict[str, str] = {}
        for name, value in self._nodes[key][0].value:
            line = name.start_mark.line + 2
            if not _is_text(name) or name.value not in known:
                written, hint = str(name.value), did_you_mean(str(name.value), known)
                text = localized("key-unknown-inside", key=written[:40], parent=key, hint=hint)
                self.add_error(line, text)
            elif name.value in texts:
                self.add_error(line, localized("key-twice-inside", key=name.value))
            elif not _is_text(value):
                self.add_error(line, localized("key-no-text", key=name.value))
            else:
                texts[name.value] = " ".join(value.value.split())
        return texts

    def table(self, key: str, example: str) -> dict[str, Any]:
        """Return `key` as a table of the editors' own fields, whose names templates can write.

        A value is a text as it was written, a whole number, true or false, or a list or table of
        these. Values that nest too deep or are too many (YAML's aliases repeat them) are an error.
        """
        if not self.has(key):
            return {}
        node, line = self._nodes[key]
        if not isinstance(node, yaml.MappingNode):
            self.add_error(line, localized("key-no-table", key=key, example=example))
            return {}
        reader = _TableReader(self.add_error)
        table = reader.table(node, 0)
        if reader.too_large:
            self.add_error(line, localized("table-large", key=key, count=MAX_VALUES))
        return table


MAX_VALUES = 200
"""Values of a table, all levels together."""

_MAX_DEPTH = 6
_WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})")


class _TableReader:
    """Reads the nodes of a table of own fields; `add_error` gets the line of what does not fit."""

    def __init__(self, add_error: Callable[[int, LocalizedText], None]) -> None:
        self._add_error = add_error
        self._left = MAX_VALUES
        self.too_large = False

    def table(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in node.value:
            line = name.start_mark.line + 2
            key = name.value if isinstance(name, yaml.ScalarNode) else "?"
            if not key.isidentifier() or key.startswith("_"):
                self._add_error(line, localized("extra-name", name=key[:40]))
            elif key in values:
                self._add_error(line, localized("key-twice-inside", key=key[:40]))
            else:
                values[key] = self._value(value, depth + 1)
            if self.too_large:
                break
        return values

    def _value(self, node: yaml.Node, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            self.too_large = True
            return ""
        if isinstance(node, yaml.MappingNode):
            return self.table(node, depth)
        if isinstance(node, yaml.SequenceNode):
            values = []
            for item in node.value:
                values.append(self._value(item, depth + 1))
                if self.too_large:
                    break
            return values
        if _is_null(node):
            return ""
        if not _is_text(node):
            line = node.start_mark.line + 2
            self._add_error(line, localized("key-no-text", key=str(node.value)[:40]))
            return ""
        return _scalar(node)


def _scalar(node: yaml.Node) -> str | int | bool:
    """Return true, false and whole numbers as such, all else as it was written: no, 007, 3.50."""
    text = " ".join(node.value.split())
    if node.tag == "tag:yaml.org,2002:bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if node.tag == "tag:yaml.org,2002:int" and _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    return text


def _is_text(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag in _PLAIN_TAGS


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")

"""The TOML front matter of Hugo and Zola, between two lines of ``+++``, as the nodes that YAML has.

So `frontmatter.FrontMatter` reads both with the same rules, and names the line of each key.
"""

from __future__ import annotations

import re
from datetime import date, time
from typing import Any

import yaml

from upcycle_news.fileio import parse_toml

FENCE = "+++"
_TAG = "tag:yaml.org,2002:"


def compose_toml(head: str, where: str, first_line: int) -> yaml.MappingNode:
    """Return TOML as a YAML mapping whose marks count lines of `head` from 0.

    Raises `ContentError` at the line in `where`, of which `head` begins at the 1-based `first_line`.
    """
    # tomllib counts lines from the beginning of its text: the lines above are blank ones for it.
    values = parse_toml("\n" * (first_line - 1) + head, where, 'title = "…"')
    return _mapping(values, head.split("\n"), 0)


def _mapping(values: dict[str, Any], lines: list[str], after: int) -> yaml.MappingNode:
    pairs = []
    for name, value in values.items():
        line = _line_of(name, lines, after)
        pairs.append((_scalar("str", name, line), _node(value, lines, line)))
    return yaml.MappingNode(f"{_TAG}map", pairs, _mark(after), _mark(after))


def _node(value: Any, lines: list[str], line: int) -> yaml.Node:
    if isinstance(value, dict):
        return _mapping(value, lines, line)
    if isinstance(value, list):
        items = [_node(item, lines, line) for item in value]
        return yaml.SequenceNode(f"{_TAG}seq", items, _mark(line), _mark(line))
    if isinstance(value, bool):
        return _scalar("bool", str(value).lower(), line)
    if isinstance(value, int):
        return _scalar("int", str(value), line)
    if isinstance(value, date | time):
        return _scalar("timestamp", value.isoformat(), line)
    return _scalar("float" if isinstance(value, float) else "str", str(value), line)


def _scalar(kind: str, value: str, line: int) -> yaml.ScalarNode:
    return yaml.ScalarNode(f"{_TAG}{kind}", value, _mark(line), _mark(line), style='"')


def _mark(line: int) -> yaml.Mark:
    return yaml.Mark("front matter", 0, line, 0, None, 0)


def _line_of(name: str, lines: list[str], after: int) -> int:
    """Return the line of a key or of its table at or below `after`; `after` when it is not found."""
    key = rf"[\"']?{re.escape(name)}[\"']?"
    pattern = re.compile(rf"\s*(?:{key}\s*[=.]|\[+\s*(?:[\w-]+\.)*{key}\s*[\].])")
    found = (n for n in range(after, len(lines)) if pattern.match(lines[n]))
    return next(found, after)

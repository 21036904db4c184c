"""The TOML front matter of Hugo and Zola, between two lines of ``+++``, as the nodes that YAML has.

So `frontmatter.FrontMatter` reads both with the same rules, and names the line of each key.
"""

from __future__ import annotations

from datetime import date, time
from typing import Any

import yaml

from upcycle_news.fileio import line_of, parse_toml

FENCE = "+++"
_TAG = "tag:yaml.org,2002:"


def compose_toml(head: str, where: str, first_line: int) -> yaml.MappingNode:
    """Return TOML as a YAML mapping whose marks count lines of `head` from 0.

    Raises `ContentError` at the line in `where`, of which `head` begins at the 1-based `first_line`.
    """
    # tomllib counts lines from the beginning of its text: the lines above are blank ones for it.
    values = parse_toml("\n" * (first_line - 1) + head, where, 'title = "…"')
    return _mapping(values, head, ())


def _mapping(values: dict[str, Any], head: str, path: tuple[str, ...]) -> yaml.MappingNode:
    pairs = [
        (_scalar("str", name, _line(head, (*path, name))), _node(value, head, (*path, name)))
        for name, value in values.items()
    ]
    mark = _mark(_line(head, path))
    return yaml.MappingNode(f"{_TAG}map", pairs, mark, mark)


def _node(value: Any, head: str, path: tuple[str, ...]) -> yaml.Node:
    line = _line(head, path)
    if isinstance(value, dict):
        return _mapping(value, head, path)
    if isinstance(value, list):
        items = [_node(item, head, path) for item in value]
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


def _line(head: str, path: tuple[str, ...]) -> int:
    """Return the 0-based line of a key, or of the nearest table around it."""
    for end in range(len(path), 0, -1):
        if line := line_of(head, path[:end]):
            return line - 1
    return 0

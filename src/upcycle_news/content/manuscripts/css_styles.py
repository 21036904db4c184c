"""What a piece of CSS says about the look of a text, as far as Markdown can say it."""

from __future__ import annotations

import re
from typing import Any

_WEIGHT = re.compile(r"(?<![\w-])font-weight:(bold(?:er)?|[6-9]00|normal|[1-5]00|lighter)")
_SLANT = re.compile(r"(?<![\w-])font-style:(italic|oblique|normal)")
_LINE = re.compile(r"(?<![\w-])text-decoration(?:-line)?:([^;]*)")
_RAISED = re.compile(r"(?<![\w-])vertical-align:(super|sub|baseline)")


def css_styles(element: Any, styles: frozenset[str]) -> frozenset[str]:
    """Return the styles of an element that inherits `styles`, with what its own ``style`` changes."""
    css = re.sub(r"\s+", "", element.get("style") or "").lower()
    if not css:
        return styles
    if match := _WEIGHT.search(css):
        bold = match[1].startswith(("bold", "6", "7", "8", "9"))
        styles = styles | {"bold"} if bold else styles - {"bold"}
    if match := _SLANT.search(css):
        styles = styles - {"italic"} if match[1] == "normal" else styles | {"italic"}
    if (match := _LINE.search(css)) and "line-through" in match[1]:
        styles = styles | {"strike"}
    if match := _RAISED.search(css):
        raised = {"super": {"sup"}, "sub": {"sub"}}.get(match[1], set())
        styles = (styles - {"sup", "sub"}) | raised
    return styles


_RULE = re.compile(r"\.([A-Za-z_][\w-]*)\s*\{([^{}]*)\}")


def apply_class_rules(root: Any, limit: int = 2000) -> None:
    """Write the rules for classes of a page's own style sheets into the ``style`` of its elements.

    Google Docs exports its bold and italics this way. Only rules of a single class are read.
    """
    sheets = "".join(element.text or "" for element in root.iter("style"))
    rules = dict(_RULE.findall(sheets)[:limit])
    if not rules:
        return
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        found = [rules[name] for name in (element.get("class") or "").split() if name in rules]
        if found:
            element.set("style", ";".join([*found, element.get("style") or ""]))

"""The lines of docs/reference/templates.md, generated from the view models."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from upcycle_news.archive_site.view_models import ArchiveContext
from upcycle_news.rendering.view_models import TemplateContext

_PLAIN = {
    "str": "text",
    "Markup": "HTML",
    "int": "number",
    "bool": "true or false",
    "ExtraFields": "the essay's table `extra`",
}
_NOT_IN_TEMPLATES = {"images"}  # part of the mail, not for templates


def variables() -> Iterator[str]:
    """Yield the lines of the page."""
    yield "Lists are marked with `[]`, what may be missing with `?`. `issue preview --watch` shows a change at"
    yield "once; `check` names every misspelt one."
    yield ""
    seen: dict[str, type[Any]] = {}
    for title, root in (
        ("In the mail (`newsletter.mjml`, `newsletter.txt`)", TemplateContext),
        ("In the archive (`archive/*.html`)", ArchiveContext),
    ):
        yield f"## {title}"
        yield ""
        for name, description in _members(root, seen):
            if name not in _NOT_IN_TEMPLATES:
                yield f"- `{name}`: {description}"
        yield ""
    seen.pop("InlineImage", None)
    yield 'Beside these: `theme` (theme.toml), `t("word")` (texts.de.toml, texts.en.toml), and in the text part'
    yield "the filters `wrap` and `underline`."
    yield ""
    yield "### Kinds"
    yield ""
    done: set[str] = set()
    while pending := [name for name in seen if name not in done]:
        name = pending[0]
        done.add(name)
        description = " ".join((inspect.getdoc(seen[name]) or "").split("\n\n")[0].split())
        yield f"- **{name}**: {description}"
        for member, kind in _members(seen[name], seen):
            yield f"    - `{member}`: {kind}"
    yield ""


def _members(view: type[Any], seen: dict[str, type[Any]]) -> Iterator[tuple[str, str]]:
    hints = get_type_hints(view)
    for field in fields(view):
        yield field.name, _describe(hints[field.name], seen)


def _describe(hint: Any, seen: dict[str, type[Any]]) -> str:
    arguments = [argument for argument in get_args(hint) if argument is not Ellipsis]
    if type(None) in arguments:
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return f"{_describe(inner, seen)}?"
    if arguments and isinstance(arguments[0], str):
        return " or ".join(f"`{argument}`" for argument in arguments)
    if arguments:
        return f"{_describe(arguments[0], seen)}[]"
    if is_dataclass(hint):
        seen[hint.__name__] = hint  # type: ignore[assignment]
        return str(hint.__name__)
    return _PLAIN.get(hint.__name__, hint.__name__)

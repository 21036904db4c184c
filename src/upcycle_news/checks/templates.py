"""Checks templates without rendering them: unknown variables and missing strings.

Rendering finds these too, but only in the branches that an issue happens to take.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import jinja2
from jinja2 import meta, nodes

from upcycle_news.archive_site.pages import FOLDER, VIEWS
from upcycle_news.archive_site.view_models import ArchiveContext
from upcycle_news.checks.findings import error
from upcycle_news.errors import TemplateError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Finding
from upcycle_news.rendering.render import HTML_TEMPLATE, STYLE_TEMPLATE, TEXT_TEMPLATE
from upcycle_news.rendering.template_strings import TemplateStrings, read_toml
from upcycle_news.rendering.view_models import TemplateContext

_REFERENCES = (nodes.Include, nodes.Extends, nodes.Import)
_BUILT_IN = frozenset({"loop", "range", "dict", "lipsum", "cycler", "joiner", "namespace", "super",
                       "caller", "self", "varargs", "kwargs"})  # fmt: skip


_MAIL = (HTML_TEMPLATE, TEXT_TEMPLATE, STYLE_TEMPLATE)
_ARCHIVE = tuple(f"{FOLDER}/{view}.html" for view in VIEWS)
_ENTRY = f"{FOLDER}/entry.html"


def check_templates(templates: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return the findings about the templates of newsletter and archive, theme and strings."""
    try:
        theme = read_toml(templates, "theme.toml")
        catalogues = {
            name: read_toml(templates, name)
            for name in templates
            if name.startswith("texts.") and name.endswith(".toml")
        }
    except TemplateError as problem:
        return (error("template", problem.place, problem.localized_text),)
    findings: list[Finding] = []
    mail, pages = get_type_hints(TemplateContext), get_type_hints(ArchiveContext)
    entry = {name: pages[name] for name in ("essays", "related")}
    for roots, known in ((_MAIL, mail), (_ARCHIVE, pages), ((_ENTRY,), entry)):
        trees: dict[str, nodes.Template] = {}
        findings += _parse(templates, list(roots), trees)
        types = _variable_types(trees, theme, known)
        for name, tree in trees.items():
            findings += _check_variables(f"templates/{name}", tree, types)
            findings += _check_strings(f"templates/{name}", tree, catalogues)
    findings += (
        _template_error(f"templates/{name}", None, localized("template-missing"))
        for name in (*_ARCHIVE, _ENTRY, f"{FOLDER}/style.css")
        if name not in templates
    )
    return tuple(dict.fromkeys(findings))


def _template_error(where: str, line: int | None, text: LocalizedText) -> Finding:
    return error("template", where if line is None else f"{where}:{line}", text)


def _parse(
    templates: Mapping[str, str], wanted: list[str], trees: dict[str, nodes.Template]
) -> Iterator[Finding]:
    """Parse the `wanted` templates and what they include into `trees`; yields syntax errors."""
    environment = jinja2.Environment(autoescape=True)
    while wanted:
        name = wanted.pop()
        if name in trees or name not in templates:
            continue  # a missing one is reported for the template that includes it
        try:
            trees[name] = environment.parse(templates[name], name)
        except jinja2.TemplateSyntaxError as problem:
            text = localized("template-syntax", reason=str(problem.message))
            yield _template_error(f"templates/{name}", problem.lineno, text)
            continue
        for included in meta.find_referenced_templates(trees[name]):
            if included is not None and included not in templates:
                line = next(trees[name].find_all(_REFERENCES)).lineno
                text = localized("template-reference", name=included)
                yield _template_error(f"templates/{name}", line, text)
            elif included is not None:
                wanted.append(included)


def _variable_types(
    trees: Mapping[str, nodes.Template], theme: dict[str, Any], known: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the type of each variable: a class, a tuple of a class, a table, or None if unknown."""
    types: dict[str, Any] = {"t": None, "theme": theme}
    types |= {name: kind for name, kind in known.items() if name != "images"}
    # Included templates see the variables of those that include them, so all are parsed first.
    for tree in trees.values():
        for macro in tree.find_all(nodes.Macro):
            types[macro.name] = None
            types.update({argument.name: None for argument in macro.args})
        for imported in tree.find_all(nodes.Import):
            types[imported.target] = None
        for target in tree.find_all(nodes.Name):
            if target.ctx == "store":
                types.setdefault(target.name, None)
    for _ in range(3):  # loops inside loops
        for tree in trees.values():
            for loop in tree.find_all(nodes.For):
                if isinstance(loop.target, nodes.Name):
                    types[loop.target.name] = _element(_type_of(loop.iter, types))
    return types


def _type_of(node: nodes.Node, types: Mapping[str, Any]) -> Any:
    if isinstance(node, nodes.Name):
        return types.get(node.name)
    if isinstance(node, nodes.Getattr):
        return _attribute(_type_of(node.node, types), node.attr)
    return None


def _attribute(kind: Any, name: str) -> Any:
    kind = _unwrap_optional(kind)
    if isinstance(kind, dict):
        return kind.get(name)
    return get_type_hints(kind).get(name) if _is_view(kind) else None


def _unwrap_optional(kind: Any) -> Any:
    """Return ``X`` of ``X | None``; None for other unions."""
    if get_origin(kind) in (Union, UnionType):
        kinds = [member for member in get_args(kind) if member is not NoneType]
        return kinds[0] if len(kinds) == 1 else None
    return kind


def _element(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is tuple else None


def _is_view(kind: Any) -> bool:
    return isinstance(kind, type) and is_dataclass(kind) and kind is not TemplateStrings


def _check_variables(
    where: str, tree: nodes.Template, types: Mapping[str, Any]
) -> Iterator[Finding]:
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name not in types and name.name not in _BUILT_IN:
            yield _unknown(where, name.lineno, name.name, sorted(types))
    for node in tree.find_all(nodes.Getattr):
        kind = _unwrap_optional(_type_of(node.node, types))
        if isinstance(kind, dict) and node.attr not in kind:
            yield _unknown(where, node.lineno, node.attr, sorted(kind))
        elif (
            _is_view(kind)
            and node.attr not in get_type_hints(kind)
            and not hasattr(kind, node.attr)
        ):
            yield _unknown(where, node.lineno, node.attr, sorted(get_type_hints(kind)))


def _unknown(where: str, line: int, name: str, known: list[str]) -> Finding:
    text = localized("variable-unknown", name=name, known=tuple(known))
    return error("variable-unknown", f"{where}:{line}", text)


def _check_strings(
    where: str, tree: nodes.Template, catalogues: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    for call in tree.find_all(nodes.Call):
        if not (isinstance(call.node, nodes.Name) and call.node.name == "t" and call.args):
            continue
        if not isinstance(call.args[0], nodes.Const):
            continue
        key, given = call.args[0].value, {argument.key for argument in call.kwargs}
        for name, catalogue in sorted(catalogues.items()):
            location = f"{where}:{call.lineno}"
            if key not in catalogue:
                yield error(
                    "words-missing", location, localized("words-missing", name=name, key=key)
                )
            elif missing := _placeholders(str(catalogue[key])) - given:
                wanted = f"{{{min(missing)}}}"
                text = localized("words-missing-value", key=key, name=name, wanted=wanted)
                yield error("words-missing", location, text)


def _placeholders(text: str) -> set[str]:
    """Return the names of the ``{placeholders}`` of a string; ``?`` when they are malformed."""
    try:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
    except ValueError:
        return {"?"}

"""Checks templates without rendering them: unknown variables and missing strings.

Rendering finds these too, but only in the branches that an issue happens to take.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import jinja2
from jinja2 import nodes

from upcycle_news.archive_site.pages import FOLDER, VIEWS
from upcycle_news.archive_site.view_models import ArchiveContext
from upcycle_news.checks.extra_names import Names
from upcycle_news.checks.findings import error, warning
from upcycle_news.checks.theme import check_colours
from upcycle_news.checks.theme_values import check_theme_values
from upcycle_news.errors import TemplateError
from upcycle_news.fileio import did_you_mean
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Finding
from upcycle_news.rendering.essay_fields import ExtraFields
from upcycle_news.rendering.pieces import MAIL_PIECES, PAGE_PIECES
from upcycle_news.rendering.render import HTML_TEMPLATE, STYLE_TEMPLATES, TEXT_TEMPLATE
from upcycle_news.rendering.template_strings import TemplateStrings, read_toml
from upcycle_news.rendering.theme import THEME, read_theme
from upcycle_news.rendering.view_models import TemplateContext
from upcycle_news.text.markdown.fenced_blocks import KINDS

_BUILT_IN = frozenset({"loop", "range", "dict", "lipsum", "cycler", "joiner", "namespace", "super",
                       "caller", "self", "varargs", "kwargs"})  # fmt: skip


_MAIL = (HTML_TEMPLATE, TEXT_TEMPLATE, *STYLE_TEMPLATES, MAIL_PIECES)
# Mails to a single reader: the bundled one stands for a missing one (services/subscribers/mail_templates.py).
_TRANSACTIONAL = tuple(
    f"{name}.{part}"
    for name in ("confirm", "list_confirm", "address_confirm", "address_changed")
    for part in ("mjml", "txt")
)
_ARCHIVE = tuple(f"{FOLDER}/{view}.html" for view in VIEWS)
_PIECES = frozenset(KINDS.values())
_ENTRY = f"{FOLDER}/entry.html"


def check_templates(
    templates: Mapping[str, str], extra: Names | None = MappingProxyType({})
) -> tuple[Finding, ...]:
    """Return the findings about the templates of newsletter and archive, theme and strings.

    `extra` are the names that essays have in their tables of own fields, None if they are not known.
    """
    try:
        theme = read_theme(templates)
        catalogues = {
            name: read_toml(templates, name)
            for name in templates
            if name.startswith("texts.") and name.endswith(".toml")
        }
    except TemplateError as problem:
        return (error("template", problem.place, problem.localized_text),)
    findings = [*check_theme_values(theme, templates[THEME]), *check_colours(templates)]
    mail, pages = get_type_hints(TemplateContext), get_type_hints(ArchiveContext)
    entry = {name: pages[name] for name in ("essays", "related")}
    for roots, known in ((_MAIL, mail), ((*_ARCHIVE, PAGE_PIECES), pages), ((_ENTRY,), entry)):
        trees: dict[str, nodes.Template] = {}
        findings += _parse(templates, theme, list(roots), trees)
        types = _VariableTypes(trees, theme, known, extra)
        for name, tree in trees.items():
            findings += types.unknown_names(f"templates/{name}", tree)
            findings += _check_strings(f"templates/{name}", tree, catalogues)
            if name in (MAIL_PIECES, PAGE_PIECES):
                findings += _missing_macros(f"templates/{name}", tree)
    findings += (
        _template_error(f"templates/{name}", None, localized("template-missing"))
        for name in (*_ARCHIVE, _ENTRY, f"{FOLDER}/style.css")
        if name not in templates
    )
    findings += (
        warning("template", f"templates/{name}", localized("template-bundled", name=name))
        for name in _TRANSACTIONAL
        if name not in templates
    )
    return tuple(dict.fromkeys(findings))


def _missing_macros(where: str, tree: nodes.Template) -> Iterator[Finding]:
    """Yield an error for each kind of block in essays that no macro shows."""
    for name in sorted(_PIECES - {macro.name for macro in tree.find_all(nodes.Macro)}):
        yield _template_error(where, None, localized("macro-missing", name=name))


def _template_error(where: str, line: int | None, text: LocalizedText) -> Finding:
    return error("template", where if line is None else f"{where}:{line}", text)


def _parse(
    templates: Mapping[str, str],
    theme: Names,
    wanted: list[str],
    trees: dict[str, nodes.Template],
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
        for line, included in _included(trees[name], theme):
            if included in templates:
                wanted.append(included)
            else:
                text = localized("template-reference", name=included)
                yield _template_error(f"templates/{name}", line, text)


def _included(tree: nodes.Template, theme: Names) -> Iterator[tuple[int, str]]:
    """Yield line and name of each template that this one includes, extends or imports.

    A name may be put together from a list of the theme: ``for section in theme.mail.sections``.
    """
    lists = {
        loop.target.name: _theme_list(loop.iter, theme)
        for loop in tree.find_all(nodes.For)
        if isinstance(loop.target, nodes.Name)
    }
    for line, expression in _template_expressions(tree):
        parts = expression.nodes if isinstance(expression, nodes.Concat) else [expression]
        variables = [part.name for part in parts if isinstance(part, nodes.Name)]
        values = lists.get(variables[0], []) if len(variables) == 1 else [""]
        for value in values:
            pieces = [
                value if isinstance(part, nodes.Name) else part.value
                for part in parts
                if isinstance(part, nodes.Name | nodes.Const)
            ]
            if len(pieces) == len(parts) and all(isinstance(piece, str) for piece in pieces):
                yield line, "".join(pieces)


def _template_expressions(tree: nodes.Template) -> Iterator[tuple[int, nodes.Expr]]:
    """Yield line and expression of each template's name; a list of names is several."""
    referring = (nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)
    for node in tree.find_all(referring):
        assert isinstance(node, referring)
        if isinstance(node, nodes.Include) and node.ignore_missing:
            continue
        named = node.template
        items = named.items if isinstance(named, nodes.List | nodes.Tuple) else [named]
        yield from ((node.lineno, item) for item in items)


def _theme_list(node: nodes.Node, theme: Names) -> list[str]:
    """Return the list of the theme that an expression such as ``theme.mail.sections`` names."""
    path: list[str] = []
    while isinstance(node, nodes.Getattr):
        path.insert(0, node.attr)
        node = node.node
    value: Any = theme if isinstance(node, nodes.Name) and node.name == "theme" else None
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


Kinds = tuple[Any, ...]
"""What a name may stand for: views, tables with known names, typing constructs; () is unknown."""


class _VariableTypes:
    """The kinds of the variables of some templates, and the names that none of them knows."""

    def __init__(
        self, trees: Mapping[str, nodes.Template], theme: Names, known: Names, extra: Names | None
    ) -> None:
        self._extra = extra
        self._kinds: dict[str, Kinds] = {"t": (), "theme": (theme,)}
        for name, kind in known.items():
            if name != "images":
                self._kinds[name] = self._alternatives(kind)
        # Included templates see the variables of those that include them, so all are parsed first.
        for tree in trees.values():
            self._add_names(tree)
        for _ in range(3):  # loops inside loops
            for tree in trees.values():
                self._follow_loops(tree)

    def _add_names(self, tree: nodes.Template) -> None:
        for macro in tree.find_all(nodes.Macro):
            self._kinds[macro.name] = ()
            self._kinds.update({argument.name: () for argument in macro.args})
        for imported in tree.find_all(nodes.Import):
            self._kinds[imported.target] = ()
        for target in tree.find_all(nodes.Name):
            if target.ctx == "store":
                self._kinds.setdefault(target.name, ())

    def _follow_loops(self, tree: nodes.Template) -> None:
        """Add what loops give their variables; the same name may loop over several lists."""
        for loop in tree.find_all(nodes.For):
            if isinstance(loop.target, nodes.Name):
                name = loop.target.name
                elements = (
                    kind
                    for whole in self._kinds_of(loop.iter)
                    for kind in self._alternatives(_element(whole))
                )
                self._kinds[name] = _without_repeats([*self._kinds[name], *elements])

    def _kinds_of(self, node: nodes.Node) -> Kinds:
        if isinstance(node, nodes.Name):
            return self._kinds.get(node.name, ())
        if isinstance(node, nodes.Getattr):
            kinds = [
                inner
                for kind in self._kinds_of(node.node)
                for inner in self._alternatives(_members(kind).get(node.attr))
            ]
            if node.attr == "extra" and not kinds:  # of a macro's argument, which may be any essay
                return self._alternatives(ExtraFields)
            return _without_repeats(kinds)
        return ()

    def _alternatives(self, kind: Any) -> Kinds:
        """Return ``X`` and ``Y`` of ``X | Y | None``; the known names for a table of own fields."""
        if kind is None or kind is NoneType:
            return ()
        if get_origin(kind) in (Union, UnionType):
            return tuple(part for member in get_args(kind) for part in self._alternatives(member))
        if kind is ExtraFields:
            return () if self._extra is None else (self._extra,)
        return (kind,)

    def unknown_names(self, where: str, tree: nodes.Template) -> Iterator[Finding]:
        """Yield an error for each name of a template that nothing stands behind."""
        for name in tree.find_all(nodes.Name):
            if name.ctx == "load" and name.name not in self._kinds and name.name not in _BUILT_IN:
                yield _unknown(where, name.lineno, name.name, self._kinds)
        for node in tree.find_all(nodes.Getattr):
            kinds = self._kinds_of(node.node)
            if not kinds or any(not _has_known_names(kind) for kind in kinds):
                continue
            if any(node.attr in _members(kind) or _offers(kind, node.attr) for kind in kinds):
                continue
            known = {name for kind in kinds for name in _members(kind)}
            if any(kind is self._extra for kind in kinds):
                yield _unknown_extra(where, node.lineno, node.attr, known)
            else:
                yield _unknown(where, node.lineno, node.attr, known)


def _members(kind: Any) -> Mapping[str, Any]:
    """Return the names below a value of this kind, with their kinds."""
    if isinstance(kind, Mapping):
        return kind
    return get_type_hints(kind) if _is_view(kind) else {}


def _has_known_names(kind: Any) -> bool:
    return isinstance(kind, Mapping) or _is_view(kind)


def _offers(kind: Any, name: str) -> bool:
    """Return whether a view has a property or method of this name."""
    return _is_view(kind) and hasattr(kind, name)


def _element(kind: Any) -> Any:
    """Return the kind of a list's items: of ``tuple[X, ...]``, and of a list in own fields."""
    if isinstance(kind, tuple):
        return kind[0]
    return get_args(kind)[0] if get_origin(kind) is tuple else None


def _without_repeats(kinds: Iterable[Any]) -> Kinds:
    unique: list[Any] = []
    for kind in kinds:
        if not any(kind is other for other in unique):
            unique.append(kind)
    return tuple(unique)


def _is_view(kind: Any) -> bool:
    return isinstance(kind, type) and is_dataclass(kind) and kind is not TemplateStrings


def _unknown(where: str, line: int, name: str, known: Iterable[str]) -> Finding:
    text = localized("variable-unknown", name=name, known=tuple(sorted(known)))
    return error("variable-unknown", f"{where}:{line}", text)


def _unknown_extra(where: str, line: int, name: str, known: Collection[str]) -> Finding:
    hint = did_you_mean(name, known) if known else ""
    text = localized("extra-unknown", name=name, hint=hint)
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


def extra_names_shown(templates: Mapping[str, str]) -> set[str]:
    """Return the names that templates read from essays' own fields, without those of inner tables."""
    environment = jinja2.Environment(autoescape=True)
    names: set[str] = set()
    for text in templates.values():
        try:
            tree = environment.parse(text)
        except jinja2.TemplateSyntaxError:
            continue  # reported elsewhere
        names |= {
            node.attr
            for node in tree.find_all(nodes.Getattr)
            if isinstance(node.node, nodes.Getattr) and node.node.attr == "extra"
        }
    return names


def _placeholders(text: str) -> set[str]:
    """Return the names of the ``{placeholders}`` of a string; ``?`` when they are malformed."""
    try:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
    except ValueError:
        return {"?"}

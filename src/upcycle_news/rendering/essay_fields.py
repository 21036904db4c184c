"""The fields of an essay that every view of it has, because `models.content` declares them for templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, TypeVar, get_type_hints

import jinja2

from upcycle_news.models import Essay
from upcycle_news.models.front_matter import front_matter_keys
from upcycle_news.rendering.template_strings import TemplateStrings
from upcycle_news.rendering.typesetter import Typesetter
from upcycle_news.text.typography import one_line

View = TypeVar("View")

_SHOWN = tuple(name for name, key in front_matter_keys(Essay).items() if key.in_templates)


class ExtraFields:
    """A table of the publication's own fields, read by attribute: ``essay.extra.series``.

    A field that this essay does not have is empty and undefined: it prints nothing, and templates
    may ask for it (``if``, ``default``). Names that no essay has are found by the check.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any], language: str, typesetter: Typesetter) -> None:
        """Typeset the texts among `values`, which are in `language`."""
        self._values = {
            name: _typeset(value, language, typesetter) for name, value in values.items()
        }

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._values:
            return self._values[name]
        return jinja2.ChainableUndefined(name=name)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __bool__(self) -> bool:
        return bool(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExtraFields) and self._values == other._values

    def __hash__(self) -> int:
        return hash(tuple(self._values))


def values_of(table: ExtraFields) -> Mapping[str, Any]:
    """Return the typeset values of a table by name; a method would hide a field of its name."""
    return table._values


def table_of(values: Mapping[str, Any]) -> ExtraFields:
    """Return a table of values that are typeset already; nested ones are tables, too."""
    table = ExtraFields({}, "", Typesetter({}))
    table._values = dict(values)
    return table


def with_essay_fields(view: type[View]) -> type[View]:
    """Add the declared fields of an essay to a view model; stands below its ``@dataclass``."""
    kinds = get_type_hints(Essay)
    view.__annotations__ |= {name: _shown_kind(kinds[name]) for name in _SHOWN}
    return view


def essay_fields(essay: Essay, strings: TemplateStrings, typesetter: Typesetter) -> dict[str, Any]:
    """Return the values of the declared fields as templates print them."""
    return {
        name: _shown(getattr(essay, name), essay.language, strings, typesetter) for name in _SHOWN
    }


def _shown_kind(kind: Any) -> Any:
    if getattr(kind, "__origin__", None) is Mapping:
        return ExtraFields
    return str if kind is date else kind


def _shown(value: Any, language: str, strings: TemplateStrings, typesetter: Typesetter) -> Any:
    if isinstance(value, date):
        return strings.long_date(value)
    if isinstance(value, tuple):
        return tuple(_typeset(item, language, typesetter) for item in value)
    return _typeset(value, language, typesetter)


def _typeset(value: Any, language: str, typesetter: Typesetter) -> Any:
    """Set texts as titles are set; addresses stay as they were written."""
    if isinstance(value, str):
        return one_line(value) if "://" in value else typesetter(value, language)
    if isinstance(value, Mapping):
        return ExtraFields(value, language, typesetter)
    if isinstance(value, list):
        return [_typeset(item, language, typesetter) for item in value]
    return value

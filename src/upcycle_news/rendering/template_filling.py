"""Fills the templates of a publication with Jinja2; an error names the template and its line."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.bccache import Bucket
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import LRUCache

from upcycle_news.errors import TemplateError
from upcycle_news.i18n.messages import localized
from upcycle_news.rendering import plaintext


def fill_template(templates: Mapping[str, str], name: str, variables: Mapping[str, Any]) -> str:
    """Render one template; any failure becomes a `TemplateError` at the template's line."""
    with _template_errors(name):
        return _environment(frozenset(templates.items())).get_template(name).render(variables)


def call_macro(
    templates: Mapping[str, str],
    name: str,
    macro: str,
    variables: Mapping[str, Any],
    arguments: Mapping[str, Any],
) -> str:
    """Return what a macro of a template prints; `variables` are those that its text may name.

    Raises `TemplateError`, as `fill_template` does.
    """
    if name not in templates:
        raise TemplateError(f"templates/{name}", None, localized("template-missing"))
    with _template_errors(name):
        template = _environment(frozenset(templates.items())).get_template(name)
        function = getattr(template.make_module(dict(variables)), macro, None)
        if function is None:
            raise TemplateError(f"templates/{name}", None, localized("macro-missing", name=macro))
        return str(function(**arguments))


@contextmanager
def _template_errors(name: str) -> Iterator[None]:
    """Turn whatever goes wrong in a template into a `TemplateError` at its line."""
    try:
        yield
    except jinja2.TemplateSyntaxError as error:
        where = f"templates/{error.name or name}"
        raise TemplateError(
            where, error.lineno, localized("template-syntax", reason=str(error.message))
        ) from error
    except jinja2.TemplateNotFound as error:
        where, line = _template_location(error, name)
        raise TemplateError(
            where, line, localized("template-reference", name=str(error.message))
        ) from error
    except jinja2.UndefinedError as error:
        where, line = _template_location(error, name)
        raise TemplateError(
            where, line, localized("template-undefined", reason=str(error.message))
        ) from error
    except (
        jinja2.TemplateError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        where, line = _template_location(error, name)
        reason = f"{type(error).__name__}: {error}"
        raise TemplateError(where, line, localized("template-fails", reason=reason)) from error


class _CompiledTemplates(jinja2.BytecodeCache):
    """The code of the templates compiled last, by name and text: sets of templates differ in few of them."""

    def __init__(self, most: int) -> None:
        self._codes = LRUCache(most)

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _CompiledTemplates(most=256)


@lru_cache(maxsize=4)
def _environment(templates: frozenset[tuple[str, str]]) -> jinja2.Environment:
    """Return an environment of compiled templates, cached by their content."""
    sources = dict(templates)

    def load(name: str) -> tuple[str, str, None] | None:
        # Tracebacks show this file name, and so do our errors.
        return (sources[name], f"templates/{name}", None) if name in sources else None

    # Our own predicate: select_autoescape() does not know .mjml. Sandboxed, as a pull request renders
    # the templates of whoever sends it.
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(load),
        autoescape=_is_markup,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        bytecode_cache=_COMPILED,
    )
    environment.filters["wrap"] = _text_filter(plaintext.wrap)
    environment.filters["underline"] = _text_filter(plaintext.underline)
    return environment


def _text_filter(function: Callable[..., str]) -> Callable[..., str]:
    """Return a filter of texts that takes numbers and fields that an essay lacks, too."""

    def text_filter(value: object, *arguments: Any, **named: Any) -> str:
        return function(str(value), *arguments, **named)

    return text_filter


def _is_markup(name: str | None) -> bool:
    """Return whether a template is escaped: plain text, style sheets and TOML are not."""
    return name is None or not name.endswith((".txt", ".css", ".toml"))


def _template_location(error: BaseException, name: str) -> tuple[str, int | None]:
    """Return file and line of the innermost template frame of a traceback."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith("templates/"):
            return frame.filename, frame.lineno
    return f"templates/{name}", None

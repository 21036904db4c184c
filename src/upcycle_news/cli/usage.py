"""Errors of usage in the publication's language: Typer's own messages are English."""

from __future__ import annotations

from typing import Any

import typer

from upcycle_news.cli.output import language
from upcycle_news.i18n.messages import FALLBACK, LocalizedText, localized, supported_language

# Typer brings a click of its own, whose base classes have no public name.
UsageError, CommandError = typer.BadParameter.__mro__[1:3]


def show_usage_error(error: Any) -> None:
    """Print what is wrong with a command line and where help is, on standard error."""
    is_usage: bool = isinstance(error, UsageError)
    if supported_language(language()) == FALLBACK or not is_usage:
        error.show()
        return
    lines = [_what(error)]
    if error.ctx is not None:
        path = error.ctx.command_path
        usage = " ".join([path, *error.ctx.command.collect_usage_pieces(error.ctx)])
        lines = [localized("usage-line", command=usage), *lines]
        lines.append(localized("usage-help", command=f"{path} -h"))
    for line in lines:
        typer.echo(line.in_language(language()), err=True)


def _what(error: Any) -> LocalizedText:
    match type(error).__name__:
        case "NoSuchOption":
            return localized("usage-no-option", name=error.option_name)
        case "MissingParameter":
            return localized("usage-missing", name=_name(error))
        case "BadParameter" if error.param is None:  # one of ours
            return localized("untranslated", text=error.message)
        case "BadParameter":
            return localized("usage-value", name=_name(error), why=error.message.rstrip("."))
    if error.message.startswith("No such command "):
        return localized("usage-no-command", name=error.message.split("'")[1])
    return localized("usage-other", why=error.message)


def _name(error: Any) -> str:
    if error.param is None:
        return str(error.param_hint or "")
    if error.param.param_type_name == "option":
        return str(error.param.opts[0])
    return str(error.param.get_error_hint()).strip("'")

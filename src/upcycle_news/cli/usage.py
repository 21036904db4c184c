"""Errors of usage in the publication's language: Typer's own messages are English."""

from __future__ import annotations

import re
from typing import Any

import typer

from upcycle_news.cli.output import language
from upcycle_news.i18n.messages import FALLBACK, LocalizedText, localized, supported_language

# Typer brings a click of its own, whose base classes have no public name.
UsageError, CommandError = typer.BadParameter.__mro__[1:3]

_EXTRA = "Got unexpected extra argument"
_COMMAND = re.compile(r"No such command '([^']*)'")
_OPTION = re.compile(r"Option '([^']*)' (requires an argument|does not take a value)")
_LIMIT = re.compile(r"Input should be (greater|less) than or equal to (-?\d+)$")


def show_usage_error(error: Any) -> None:
    """Print what is wrong with a command line and where help is, on standard error."""
    is_usage: bool = isinstance(error, UsageError)
    is_english = supported_language(language()) == FALLBACK
    if not is_usage or (is_english and not _may_repeat_an_address(error)):
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


def _may_repeat_an_address(error: Any) -> bool:
    """Return whether Typer's message repeats what may be an address, which stands in no error."""
    return "@" in error.message


def _what(error: Any) -> LocalizedText:
    match type(error).__name__:
        case "NoSuchOption":
            return localized("usage-no-option", name=error.option_name)
        case "MissingParameter":
            return localized("usage-missing", name=_name(error))
        case "BadParameter" if error.param is None:  # one of ours
            return localized("untranslated", text=error.message)
        case "BadParameter":
            return localized("usage-value", name=_name(error), why=_why(error.message))
    if error.message.startswith(_EXTRA):
        return localized("usage-extra")
    if command := _COMMAND.match(error.message):
        if "@" in command[1]:
            return localized("usage-command")
        return localized("usage-no-command", name=command[1])
    if option := _OPTION.match(error.message):
        if option[2].startswith("requires"):
            return localized("usage-no-value", name=option[1])
        return localized("usage-takes-no-value", name=option[1])
    return localized("usage-other", why=error.message)


def _why(message: str) -> LocalizedText:
    """Return what is wrong with a value; words of Typer's for which there are none of ours are quoted."""
    if message.startswith("Input should be a valid integer"):
        return localized("usage-integer")
    if limit := _LIMIT.match(message):
        number = limit[2]
        if limit[1] == "greater":
            return localized("usage-at-least", limit=number)
        return localized("usage-at-most", limit=number)
    return localized("usage-quoted", why=message.rstrip("."))


def _name(error: Any) -> str:
    if error.param is None:
        return str(error.param_hint or "")
    if error.param.param_type_name == "option":
        return str(error.param.opts[0])
    return str(error.param.get_error_hint()).strip("'")

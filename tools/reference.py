"""Generate the reference pages from the code: commands, settings, states, template variables, the API.

`python tools/reference.py` writes them; a test compares them, so nothing stays undocumented.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from reference_api import api_reference
from reference_http import http_reference
from reference_templates import variables

from upcycle_news.cli.app import commands
from upcycle_news.config.settings import PREFIX, Settings
from upcycle_news.models import DeliveryState, Essay, IssueFile, IssueState, SubscriberStatus
from upcycle_news.models.front_matter import front_matter_keys
from upcycle_news.services.content.gallery_pieces import PIECES
from upcycle_news.web.http_api.openapi import openapi_document

PLACES = {"essay": "In an essay", "front matter": "In the front matter of an essay"}
DOCS = Path(__file__).resolve().parents[1] / "docs"
# docs/api.md is a guide by hand; what stands below this line is made from the code.
API_MARK = "<!-- Made from the code by `python tools/reference.py`; do not edit below. -->"
MADE = "Made from the code by `python tools/reference.py`; do not edit."

# One table for each enum: equal members of two StrEnums would be the same key of one dict.
DELIVERY_STATES = {
    DeliveryState.QUEUED: "waits to be sent",
    DeliveryState.SENDING: "is being sent by one worker",
    DeliveryState.DEFERRED: "was deferred by the relay and is tried again later",
    DeliveryState.SENT: "the relay accepted it",
    DeliveryState.REJECTED: "the relay refused it, or it was given up",
    DeliveryState.UNKNOWN: "the relay's reply was lost; not sent again until an operator decides",
    DeliveryState.SUPPRESSED: "the address was suppressed before it was sent",
    DeliveryState.CANCELLED: "the subscriber unsubscribed, or the issue was cancelled, before it was sent",
}
ISSUE_STATES = {
    IssueState.OPEN: "may still change: previews make revisions",
    IssueState.AWAITING_APPROVAL: "a flow run asks whether its newest revision may be sent",
    IssueState.APPROVED: "its newest revision may be sent; another revision opens it again",
    IssueState.SENDING: "is frozen; its deliveries are sent",
    IssueState.PAUSED: "was paused by an operator; `issue resume` continues",
    IssueState.STOPPED: "the relay refused the sender or the message; `issue resume` continues once that is corrected",
    IssueState.CLOSED: "all deliveries are accounted for; `issue resend` reopens it",
    IssueState.CANCELLED: "deliveries that were not sent will not be sent",
}
SUBSCRIBER_STATES = {
    SubscriberStatus.PENDING: "has not confirmed yet and gets nothing",
    SubscriberStatus.CONFIRMED: "gets the newsletter",
    SubscriberStatus.UNSUBSCRIBED: "has unsubscribed; only the subscriber can subscribe again",
}
EXIT_CODES = {
    0: "done",
    1: "refused or failed, with a sentence on standard error",
    2: "wrong usage",
    3: "nothing new to send",
}


def reference_pages() -> dict[Path, str]:
    """Return the text of each page, by its path."""
    guide = (DOCS / "api.md").read_text(encoding="utf-8").partition(API_MARK)[0]
    return {
        DOCS / "reference.md": _page("Reference", _overview()),
        DOCS / "reference/commands.md": _page("Commands", _command_page()),
        DOCS / "reference/settings.md": _page("Settings", _settings()),
        DOCS / "reference/templates.md": _page(
            "Front matter and template variables", _essays_and_variables()
        ),
        DOCS / "reference/pieces.md": _page("Pieces of mails and pages", _pieces()),
        DOCS / "reference/http-api.md": _page("Operations of the HTTP API", http_reference()),
        DOCS / "reference/openapi.json": json.dumps(
            openapi_document(), indent=2, ensure_ascii=False
        )
        + "\n",
        DOCS / "api.md": "\n".join([guide.rstrip(), "", API_MARK, "", *api_reference()]),
    }


def _page(title: str, lines: Iterator[str]) -> str:
    return "\n".join([f"# {title}", "", MADE, "", *lines])


def _overview() -> Iterator[str]:
    yield "- [Commands](reference/commands.md) of the command line, each with an example"
    yield "- [Settings](reference/settings.md): the keys of newsletter.toml and their variables"
    yield "- [Front matter and template variables](reference/templates.md): the keys of an essay, and what templates may name"
    yield "- [Pieces of mails and pages](reference/pieces.md), each with the lines that make it"
    yield "- [The API](api.md): a guide, and every verb"
    yield "- [Operations of the HTTP API](reference/http-api.md) with scopes and problems, and its "
    yield "  [OpenAPI document](reference/openapi.json)"
    yield "- [Codes of checks](checks.md)"
    yield ""
    yield "## Exit codes"
    yield ""
    yield from (f"- `{code}`: {description}" for code, description in EXIT_CODES.items())
    yield ""
    yield "## States"
    yield ""
    yield from _states("A delivery (one issue to one subscriber)", DeliveryState, DELIVERY_STATES)
    yield from _states("An issue", IssueState, ISSUE_STATES)
    yield from _states("A subscriber", SubscriberStatus, SUBSCRIBER_STATES)


def _essays_and_variables() -> Iterator[str]:
    """Yield both: a key of the front matter may become a variable, and then one page changes."""
    yield "## Front matter"
    yield ""
    yield from _front_matter()
    yield "## The file of an issue"
    yield ""
    yield "The keys of `content/issues/2026-11-26.md`, whose name is the issue. All of them may be left out; below"
    yield "the front matter stands the greeting, in Markdown."
    yield ""
    yield from _key_table(IssueFile)
    yield "## What templates may name"
    yield ""
    yield from variables()


def _pieces() -> Iterator[str]:
    yield "Each piece with the lines that make it, as the bundled templates show it in a mail, light and dark."
    yield "`upcycle-news templates gallery` shows the same with your own templates, the text part and the archive's"
    yield "pages beside it. [Change the look](../templates.md#the-pieces) says what belongs to each."
    yield ""
    for piece in PIECES:
        yield f"## {piece.title.in_language('en')}"
        yield ""
        lines = list(dict.fromkeys((piece.lines["en"], piece.lines["de"])))
        for text, language in zip(lines, ("English", "German"), strict=False):
            words = f", with the {language} words" if len(lines) > 1 else ""
            yield f"{PLACES.get(piece.file, f'In `{piece.file}`')}{words}:"
            yield ""
            yield f"```{'toml' if piece.file.endswith('.toml') else 'yaml' if 'matter' in piece.file else 'markdown'}"
            yield text
            yield "```"
            yield ""
        name = piece.name
        title = piece.title.in_language("en")
        yield f"![{title}, light](../images/pieces/{name}-light.png)"
        yield f"![{title}, dark](../images/pieces/{name}-dark.png)"
        yield ""


def _command_page() -> Iterator[str]:
    """Yield a table of contents by section as `--help` has them, then every command."""
    sections = typer.main.get_command(commands).sections
    for title, members in sections.items():
        links = " · ".join(f"[{member.name}](#{member.name})" for member in members)
        yield f"- {title}: {links}"
    yield ""
    for members in sections.values():
        for member in members:
            yield f"## {member.name}"
            yield ""
            yield from _commands(member, f"upcycle-news {member.name}")


def _commands(command: Any, name: str) -> Iterator[str]:
    if isinstance(command, click.Group) or hasattr(command, "commands"):
        for child, subcommand in command.commands.items():
            yield from _commands(subcommand, f"{name} {child}")
        return
    command = command.load()
    usage = [name]
    options = []
    for parameter in command.params:
        if parameter.name == "help":
            continue
        if parameter.param_type_name == "argument":
            usage.append(parameter.metavar or parameter.name.upper())
        else:
            options.append(
                f"- `{', '.join([*parameter.opts, *parameter.secondary_opts])}`: {parameter.help or ''}".rstrip(
                    ": "
                )
            )
    yield f"### `{' '.join(usage)}`"
    yield ""
    description, _, example = (command.help or "").partition("Example: ")
    yield " ".join(description.split())
    yield ""
    if example:
        yield f"Example: `{' '.join(example.split())}`"
        yield ""
    if options:
        yield from options
        yield ""


def _settings() -> Iterator[str]:
    """Yield a table for each table of newsletter.toml."""
    yield "In `newsletter.toml`, or as an environment variable, which wins; a variable with"
    yield "`_FILE` behind its name reads the value from that file."
    yield ""
    tables: dict[str, list[str]] = {}
    for table, row in _rows(Settings, ()):
        tables.setdefault(table, []).append(row)
    for table, rows in tables.items():
        yield f"## `[{table}]`" if table else "## Places"
        yield ""
        yield "| key | variable | default | meaning |"
        yield "|---|---|---|---|"
        yield from rows
        yield ""


def _rows(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the table a setting stands in, and its row."""
    for name, field in model.model_fields.items():
        nested = _nested(field)
        if nested is not None and name in ("sources", "channels", "authors"):
            for own, inner in nested.model_fields.items():
                what = _default(inner)
                variable = f"`{PREFIX}{name.upper()}`, all tables as JSON"
                yield f"[{name}]", f"| `{own}` | {variable} | {what} | {inner.description} |"
            continue
        if nested is not None:
            tables = ("relays", "events", "webhooks", "languages", "topics")
            key = (*path, name, "NAME") if name in tables else (*path, name)
            yield from _rows(nested, key)
            continue
        dotted = ".".join((*path, name)) if name != "home" else "–"
        variable = PREFIX + "__".join((*path, name)).upper()
        row = f"| `{dotted}` | `{variable}` | {_default(field)} | {field.description} |"
        yield (".".join(path), row)


def _nested(field: FieldInfo) -> type[BaseModel] | None:
    annotation = field.annotation
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, SecretStr) or value in ("", (), {}):
        return "empty"
    return f"`{value}`"


def _front_matter() -> Iterator[str]:
    yield "The keys of an essay's file. Those marked * give every view of an essay in a template a value of"
    yield "the same name ([below](#what-templates-may-name))."
    yield ""
    yield from _key_table(Essay)


def _key_table(model: Any) -> Iterator[str]:
    yield "| key | meaning | such as |"
    yield "|---|---|---|"
    for name, key in front_matter_keys(model).items():
        names = ", ".join(f"`{part}`" for part in (name, *key.beside))
        mark = " *" if key.in_templates else ""
        must = " Must be there." if key.required else ""
        yield f"| {names}{mark} | {key.meaning}{must} | `{key.example}` |"
    yield ""


def _states(title: str, states: Any, descriptions: Mapping[Any, str]) -> Iterator[str]:
    yield f"### {title}"
    yield ""
    yield from (f"- `{state}`: {descriptions[state]}" for state in states)
    yield ""


if __name__ == "__main__":
    for path, text in reference_pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    sys.exit(0)

"""`upcycle-news webhooks …`: programs elsewhere that are told of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.output import (
    JsonOption,
    in_language,
    note,
    open_publication,
    print_json,
    say,
    usage_error,
)
from upcycle_news.i18n.messages import localized
from upcycle_news.i18n.recognition import recognise

if TYPE_CHECKING:
    from upcycle_news.api.webhooks import WebhookRun


def list_(as_json: JsonOption = False) -> None:
    """List the webhooks of the settings, what waits for them, and why one fails.

    Example: upcycle-news webhooks list
    """
    with open_publication() as app:
        found = app.webhooks.list()
        for webhook in found:
            if as_json:
                print_json(webhook.as_dict())
            else:
                say(app.webhooks.describe(webhook))
        if not found and not as_json:
            say(localized("webhooks-none"))


def test(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Post a signed message that says nothing to a webhook, and show whether it was taken.

    Example: upcycle-news webhooks test crm
    """
    with open_publication() as app:
        say(app.webhooks.test(name))


def retry(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Default: all webhooks.")
    ] = None,
    skip: Annotated[
        bool, typer.Option("--skip", help="Go without the event that waits first.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Post now what waits, also to a webhook that has stopped; exit code 1 if something still waits.

    Example: upcycle-news webhooks retry crm
    """
    if skip and name is None:
        raise usage_error(localized("webhook-skip-one"))
    with open_publication() as app:
        if skip and name is not None:
            skipped = app.webhooks.skip(name)
            note(
                localized("webhook-skipped", name=name, id=skipped)
                if skipped
                else localized("webhook-nothing-waits", name=name)
            )
        runs = app.webhooks.retry(name)
    for run in runs:
        _print_run(run, as_json)
    if not runs and not as_json:
        say(localized("webhooks-nothing-waits"))
    if any(run.reason for run in runs):
        raise typer.Exit(1)


def _print_run(run: WebhookRun, as_json: bool) -> None:
    if as_json:
        print_json({"name": run.name, "taken": run.taken, "reason": run.reason})
        return
    taken = localized("count-events", count=run.taken)
    text = localized("webhook-run", name=run.name, taken=taken)
    if run.reason:
        why = in_language(recognise(run.reason, "feeds"))
        text = localized("webhook-run-ended", name=run.name, taken=taken, why=why)
    say(text)

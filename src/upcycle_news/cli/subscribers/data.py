"""`upcycle-news subscribers forget|stats|links|snippet|tidy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.output import (
    JsonOption,
    confirm_or_abort,
    open_publication,
    print_json,
    say,
    tells_contradiction,
)
from upcycle_news.cli.subscribers.manage import show_list
from upcycle_news.i18n.messages import localized

if TYPE_CHECKING:
    from upcycle_news.api.subscribers import ListStatistics


def forget(
    address: Annotated[str, typer.Argument(metavar="ADDRESS")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Erase a subscriber; only a keyed hash stays, so that no list brings them back.

    Example: upcycle-news subscribers forget a@example.org
    """
    with open_publication() as app:
        if not yes:
            confirm_or_abort(localized("forget-question"))
        app.subscribers.forget(address)
    say(localized("forgot"))


def stats(as_json: JsonOption = False) -> None:
    """Count subscribers, suppressions, and what each issue did to the list.

    Example: upcycle-news subscribers stats --json
    """
    with open_publication() as app:
        language, statistics = app.language, app.subscribers.statistics()
        contradicted = tells_contradiction(app)
    if as_json:
        print_json(statistics.as_dict())
    else:
        _print_statistics(statistics, language)
    if contradicted:
        raise typer.Exit(1)


def _print_statistics(statistics: ListStatistics, language: str) -> None:
    for status, count in statistics.counts.by_status.items():
        typer.echo(f"{status:<14} {count}")
    for topic, count in statistics.counts.by_topic.items():
        say(localized("stats-topic", topic=topic, readers=count))
    if rhythms := statistics.counts.by_rhythm:
        say(
            localized("stats-rhythms", every_issue=rhythms["every_issue"], digest=rhythms["digest"])
        )
    for reason, count in statistics.counts.suppressions.items():
        text = localized("stats-suppressed", reason=reason, addresses=count)
        typer.echo(text.in_language(language))
    for issue in statistics.issues:
        typer.echo(issue.sentence().in_language(language))
        for alert in issue.alerts:
            typer.echo(f"  ALARM: {alert.in_language(language)}")


def links(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", help="Default: standard output.")
    ] = None,
    leave: Annotated[
        Path | None, typer.Option(help="Links or tokens of those who left, one a line.")
    ] = None,
) -> None:
    """Write each subscriber's own links as CSV, or with --leave unsubscribe those who used theirs.

    For an install without a public address: a page elsewhere collects the tokens.
    Example: upcycle-news subscribers links --leave left.txt
    """
    with open_publication() as app:
        if leave is None:
            show_list(app.subscribers.links_csv(file), file, app.language)
            return
        language, counts = app.language, app.subscribers.unsubscribe_by_links(leave)
    text = localized("links-followed", valid=counts.valid, foreign=counts.foreign)
    typer.echo(text.in_language(language))


def snippet(
    language: Annotated[
        str | None, typer.Option(metavar="LANGUAGE", help="de or en; default: the publication's.")
    ] = None,
) -> None:
    """Print the sign-up form as HTML for another site; it works without JavaScript, too.

    Where `web.signup_origins` names the site, the form stays on its page.
    Example: upcycle-news subscribers snippet --language en
    """
    with open_publication() as app:
        typer.echo(app.subscribers.form_for_other_sites(language or ""), nl=False)


def tidy(as_json: JsonOption = False) -> None:
    """Delete unconfirmed sign-ups, old reports and who left long ago; send confirmations, pack deliveries.

    Example: upcycle-news subscribers tidy
    """
    with open_publication() as app:
        language, report = app.language, app.subscribers.tidy()
    if as_json:
        print_json(report.as_dict())
    else:
        typer.echo(report.sentence().in_language(language))

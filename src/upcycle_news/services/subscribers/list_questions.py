"""Lists without proof of consent: whoever is on them is asked once, and nobody is taken unasked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import LANGUAGES, localized
from upcycle_news.scaffold.sample_settings import is_sample_address, is_sample_url
from upcycle_news.services.journal.consistency import raise_if_contradicted
from upcycle_news.services.subscribers.lists import (
    ImportReport,
    Progress,
    import_report,
    no_progress,
    parse_list,
    with_offered_rhythms,
)
from upcycle_news.services.subscribers.subscriptions import consent_wording
from upcycle_news.storage import asked_addresses


def ask_list(
    context: AppContext,
    file: Path,
    *,
    origin: str = "",
    columns: Mapping[str, str] | Iterable[str] = (),
    ignore: Collection[str] = (),
    take: Collection[str] = (),
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> ImportReport:
    """Take the people of a CSV file as pending and queue the mail that asks each of them, all or none.

    `origin` says where the list comes from (default: the file's name); the other arguments and what is
    raised are those of `import_list`. Raises `UpcycleError` where no confirmation mail could be sent, or
    one with a link that leads nowhere: nobody is asked a second time.
    """
    _raise_unless_possible(context)
    raise_if_contradicted(context, context.store)
    parsed = parse_list(file, columns, ignore, take)
    with progress("adding", parsed.line_count) as advance:
        report = asked_addresses.ask_all(
            context.store,
            with_offered_rhythms(context, parsed),
            source=f"list: {' '.join(origin.split()) or file.name}",
            wording={
                language: consent_wording(context, language, of_list=True) for language in LANGUAGES
            },
            language=context.language,
            now=context.clock(),
            dry_run=dry_run,
            progress=advance,
        )
    return replace(import_report(context, parsed, report.skipped), asked=report.asked)


def _raise_unless_possible(context: AppContext) -> None:
    settings = context.settings
    url, sender = settings.publication.public_url, settings.sender.address
    if not url or not sender:
        raise UpcycleError(localized("ask-impossible"))
    if context.configured_relay is None:
        return  # the mails wait for one
    for name, is_sample in (
        ("publication.public_url", is_sample_url(url)),
        ("sender.address", is_sample_address(sender)),
    ):
        if is_sample:
            raise UpcycleError(localized("ask-sample", name=name))

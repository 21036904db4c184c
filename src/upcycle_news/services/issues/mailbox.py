"""Issues in the embedded mailbox: no reader has them, and what is said about that."""

from __future__ import annotations

from upcycle_news.app.context import MAIN_RELAY, AppContext
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import MAILBOX, IssueId
from upcycle_news.storage import issue_relays


def relay_name(context: AppContext) -> str:
    """Return the name of the relay that is queued for now: the main relay, or the mailbox."""
    return MAILBOX if context.configured_relay is None else MAIN_RELAY


def is_unsent(context: AppContext, issue: IssueId) -> bool:
    """Return whether an issue lies in the mailbox only, and a relay is set now that can send it."""
    return context.configured_relay is not None and issue_relays.is_in_mailbox(context.store, issue)


def mailbox_text(context: AppContext, issue: IssueId) -> LocalizedText | None:
    """Return that an issue lies in the mailbox, and how readers get it; None for any other issue."""
    if not issue_relays.is_in_mailbox(context.store, issue):
        return None
    folder = mailbox_path(context)
    if context.configured_relay is None:
        return localized("mailbox-issue", issue=str(issue), folder=folder)
    return localized("mailbox-issue-relay", issue=str(issue), folder=folder)


def mailbox_path(context: AppContext) -> str:
    """Return the folder with the mails of the mailbox, relative to the publication if it is below it."""
    folder, home = context.mailbox_folder.absolute() / "new", context.settings.home.absolute()
    return str(folder.relative_to(home) if folder.is_relative_to(home) else folder)

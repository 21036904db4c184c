"""The words of an alarm: its title with publication and issue, and what Prefect says about a failed run."""

from __future__ import annotations

import re
from collections.abc import Mapping

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import IssueId
from upcycle_news.storage import issues

_TITLES: Mapping[str, LocalizedText] = {
    "upcycle-news.issue.refused": localized("alarm-refused"),
    "upcycle-news.issue.late": localized("alarm-late"),
    "upcycle-news.issue.stalled": localized("alarm-stalled"),
    "upcycle-news.relay.slow": localized("alarm-relay-slow"),
    "upcycle-news.feed.dead": localized("alarm-feed-dead"),
    "upcycle-news.bounces.high": localized("alarm-bounces"),
    "upcycle-news.suppressions.pending": localized("alarm-suppressions"),
    "upcycle-news.signups.limited": localized("alarm-signups"),
    "upcycle-news.webhook.failing": localized("alarm-webhook"),
    "upcycle-news.leave.unread": localized("alarm-unread"),
    "upcycle-news.doctor.red": localized("alarm-doctor"),
    "prefect.flow-run.Failed": localized("alarm-run-failed"),
    "prefect.flow-run.Crashed": localized("alarm-run-crashed"),
}
_ISSUE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?:-\d{1,2})?(?!\d)")
_RUN_EVENT = "prefect.flow-run."
# How the states begin that Prefect writes itself; ours are sentences in the publication's language.
_PREFECTS_WORDS = re.compile(r"(Flow|Task) run |Finished in state|\d+/\d+ states")


def alarm_title(context: AppContext, event: str, message: str) -> str:
    """Return the subject of an alarm: the publication, the issue that it is about if any, and what happened."""
    title = _TITLES.get(event) or localized("alarm-other", event=event)
    publication = context.settings.publication.name
    if issue := issue_in(context, message):
        text = localized("alarm-title-issue", publication=publication, issue=issue, title=title)
    else:
        text = localized("alarm-title", publication=publication, title=title)
    return text.in_language(context.language)


def issue_in(context: AppContext, message: str) -> str:
    """Return the first issue of the store that a sentence names; empty without one."""
    for name in _ISSUE.findall(message):
        try:
            issue = IssueId.parse(name)
        except UpcycleError:  # a day that no calendar has
            continue
        if issues.get(context.store, issue) is not None:
            return str(issue)
    return ""


def alarm_text(context: AppContext, event: str, message: str, run: str) -> str:
    """Return the text of an alarm with the address of its run; what Prefect itself says is quoted."""
    if event.startswith(_RUN_EVENT):
        name, _, said = message.partition(": ")
        if not said or event.endswith("Crashed") or _PREFECTS_WORDS.match(said):
            text = localized("alarm-run-quoted", name=name, said=said or name)
            message = text.in_language(context.language)
    if not run:
        return message
    return f"{message}\n\n{localized('alarm-run', run=run).in_language(context.language)}"

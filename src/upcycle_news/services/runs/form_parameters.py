"""Prefect's form of a custom run: each parameter described in the publication's language.

Topics, groups of subscribers and essays that are ready are suggested, never demanded: a closed list would
refuse what was written after the form was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.services.content.files import load_publication_essays
from upcycle_news.storage import issues, subscribers

DESCRIPTIONS: Mapping[str, Mapping[str, LocalizedText]] = {
    "publish-issue": {
        "issue_date": localized("parameter-issue-date"),
        "essays": localized("parameter-essays"),
        "leave_out": localized("parameter-leave-out"),
        "topics": localized("parameter-topics"),
        "test_group": localized("parameter-test-group"),
        "dry_run": localized("parameter-dry-run"),
        "approve": localized("parameter-approve"),
        "max_lateness_hours": localized("parameter-max-lateness-hours"),
        "senders": localized("parameter-senders"),
    },
    "deliver-pending": {"max_lateness_hours": localized("parameter-max-approval-hours")},
    "watch": {"stay_minutes": localized("parameter-stay-minutes")},
    "deliver-issue": {"issue": localized("parameter-issue")},
    "notify": {
        "event": localized("parameter-event"),
        "message": localized("parameter-message"),
        "run": localized("parameter-run"),
    },
}
"""By the name of a flow, then of its parameter. In English the docstrings of the flows say the same."""

MAX_SUGGESTIONS = 20  # more would be no help to choose


def describe_parameters(
    context: AppContext, flow: str, properties: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the properties of a flow's parameter schema with descriptions and suggestions.

    `flow` is its name, such as ``publish-issue``. Parameters that are not ours are returned as they are.
    """
    texts = DESCRIPTIONS.get(flow, {})
    suggestions = _suggestions(context) if flow == "publish-issue" else {}
    described: dict[str, dict[str, Any]] = {}
    for name, given in properties.items():
        described[name] = dict(given)
        if (text := texts.get(name)) is None:
            continue
        values = suggestions.get(name, ())
        if values:
            text = localized("parameter-suggestions", description=text, values=", ".join(values))
            described[name]["examples"] = list(values)
        described[name]["description"] = text.in_language(context.language)
    return described


def _suggestions(context: AppContext) -> dict[str, Sequence[str]]:
    """Return what can be chosen, by parameter; without the essays while one of them cannot be read."""
    groups = subscribers.group_names(context.store)
    try:
        essays = load_publication_essays(context)
    except UpcycleError:
        return {"test_group": groups[:MAX_SUGGESTIONS]}
    published = issues.published_essays(context.store, [essay.slug for essay in essays])
    ready = [essay for essay in essays if essay.status == "ready" and essay.slug not in published]
    ready.sort(key=lambda essay: (-essay.date.toordinal(), essay.slug))
    slugs = [essay.slug for essay in ready][:MAX_SUGGESTIONS]
    topics = sorted({topic for essay in ready for topic in essay.topics})
    return {
        "essays": slugs,
        "leave_out": slugs,
        "topics": topics[:MAX_SUGGESTIONS],
        "test_group": groups[:MAX_SUGGESTIONS],
    }

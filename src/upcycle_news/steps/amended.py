"""An issue as it was sent, and what editors decided about it since: pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from zoneinfo import ZoneInfo

from upcycle_news.press.archive_views import Correction, SentIssue
from upcycle_news.store.amendments import Amendment, AmendmentKind


def amended(sent: SentIssue, decided: Iterable[Amendment], zone: ZoneInfo) -> SentIssue:
    """An issue with what was decided about it since, in the order in which it was decided."""
    for one in decided:
        told = Correction(one.at.astimezone(zone).date(), one.note)
        sent = replace(_applied(sent, one, told), changed_at=one.at)
    return sent


def _applied(sent: SentIssue, one: Amendment, told: Correction) -> SentIssue:
    if one.kind is AmendmentKind.CORRECTION and one.corrected is not None:
        issue = sent.manifest.issue
        essays = tuple(
            one.corrected if essay.slug == one.essay else essay for essay in issue.essays
        )
        manifest = replace(
            sent.manifest,
            issue=replace(issue, essays=essays),
            images={**sent.manifest.images, **one.images},
        )
        notes = (*sent.corrections.get(one.essay, ()), told)
        return replace(sent, manifest=manifest, corrections={**sent.corrections, one.essay: notes})
    if not one.essay:
        return replace(sent, gone=told if one.kind is AmendmentKind.WITHDRAWAL else None)
    withdrawn = {slug: why for slug, why in sent.withdrawn.items() if slug != one.essay}
    if one.kind is AmendmentKind.WITHDRAWAL:
        withdrawn[one.essay] = told
    return replace(sent, withdrawn=withdrawn)

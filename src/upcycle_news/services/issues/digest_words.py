"""The words of a digest, from the publication's templates: subject, preheader and what stands before the essays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from upcycle_news.models import Issue, Publication
from upcycle_news.models.digest import DigestPeriod, interval_of
from upcycle_news.rendering.template_strings import TemplateStrings, read_template_strings
from upcycle_news.text.escaped_markdown import escape_markdown

TITLES = 3
"""Essays that the preheader names."""

WORDS = (
    "until",
    "digest_month",
    "digest_quarter",
    "digest_days",
    "digest_day",
    "digest_late_subject",
    "digest_preheader",
    "digest_text",
    "digest_late_text",
)
"""The strings that a digest takes from the catalogues of the templates."""


def with_words(
    digest: Issue,
    period: DigestPeriod,
    publication: Publication,
    templates: Mapping[str, str],
    *,
    late: bool = False,
) -> Issue:
    """Return a digest in one language with its words; raises `TemplateError` where the catalogue lacks one.

    It says which topics it is for, where it is not for all, as another one of the period may be for others;
    `late`: its readers had a digest of the period before.
    """
    strings = read_template_strings(templates, digest.language)
    name = publication.in_language(digest.language).name
    subject = _subject(strings, name, period)
    if publication.readers_of:
        labels = (publication.topic_label(one, digest.language) for one in publication.readers_of)
        subject = f"{subject}: {', '.join(labels)}"
    if late:
        subject = strings("digest_late_subject", subject=subject)
    titles = [essay.title for essay in digest.essays]
    titles = titles or [one.story.lead.title for one in digest.related]
    said = strings("digest_late_text" if late else "digest_text")
    return replace(
        digest,
        subject=subject,
        preheader=strings("digest_preheader", titles=" · ".join(titles[:TITLES])),
        greeting=f"**{escape_markdown(subject)}**\n\n{said}",
    )


def _subject(strings: TemplateStrings, publication: str, period: DigestPeriod) -> str:
    """Return the publication's name and the period: a month or quarter by its name, else by its days."""
    first, last = period.start, period.end - timedelta(days=1)
    if period == interval_of(first, "monthly"):
        return strings("digest_month", publication=publication, month=strings.month(first))
    if period == interval_of(first, "quarterly"):
        quarter = (first.month + 2) // 3
        return strings("digest_quarter", publication=publication, quarter=quarter, year=first.year)
    if first == last:
        return strings("digest_day", publication=publication, day=strings.long_date(first))
    return strings("digest_days", publication=publication, days=strings.date_range(first, last))

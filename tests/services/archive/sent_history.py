"""Issues that were sent, written into a store without queues and mails: many of them, cheaply."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate, permutations

from sqlalchemy import text

from upcycle_news.app.context import AppContext
from upcycle_news.models import (
    Essay,
    FeedItem,
    ImageRef,
    Issue,
    IssueId,
    Manifest,
    Publication,
    Related,
    Story,
)
from upcycle_news.services.content.templates import publication_templates
from upcycle_news.storage import issues, revisions

FIRST_DAY = date(2007, 1, 4)

_NOUNS = [
    "Acker",
    "Balken",
    "Brücke",
    "Dach",
    "Decke",
    "Dorf",
    "Eisen",
    "Fabrik",
    "Fassade",
    "Fenster",
    "Garten",
    "Gasse",
    "Giebel",
    "Glas",
    "Halle",
    "Hof",
    "Holz",
    "Kanal",
    "Keller",
    "Kies",
    "Kirche",
    "Küche",
    "Laden",
    "Lager",
    "Lehm",
    "Markt",
    "Mauer",
    "Mühle",
    "Museum",
    "Nagel",
    "Ofen",
    "Papier",
    "Pfosten",
    "Platte",
    "Rampe",
    "Regal",
    "Rinne",
    "Sand",
    "Schiene",
    "Schule",
    "Speicher",
    "Stein",
    "Stube",
    "Tor",
    "Treppe",
    "Turm",
    "Ufer",
    "Wagen",
    "Wald",
    "Wand",
    "Weg",
    "Werkzeug",
    "Wiese",
    "Zaun",
    "Ziegel",
    "Zimmer",
]
_SMALL = [
    "der",
    "die",
    "das",
    "und",
    "mit",
    "auf",
    "für",
    "von",
    "aus",
    "ist",
    "wird",
    "hat",
    "nicht",
    "auch",
    "bei",
    "ein",
    "eine",
    "im",
    "am",
    "zum",
]
_VERBS = [
    "bauen",
    "heben",
    "kaufen",
    "legen",
    "messen",
    "pflegen",
    "prüfen",
    "sägen",
    "sammeln",
    "schleifen",
    "tragen",
]
_WORDS = [
    *_SMALL,
    *_VERBS,
    *_NOUNS,
    *(f"{one}{other.lower()}" for one, other in permutations(_NOUNS, 2)),
]
_WEIGHTS = list(accumulate(1 / (rank + 4) for rank in range(len(_WORDS))))


def day_of(number: int) -> date:
    """Return the day of an issue of the history, counted from 0: one a week."""
    return FIRST_DAY + timedelta(weeks=number)


def sent_at(day: date) -> datetime:
    """Return the time when the issue of a day is queued."""
    return datetime.combine(day, time(6, 30), UTC)


def essay(number: int, place: int, *, words: int, language: str = "de", folder: str = "") -> Essay:
    """Return an essay of an issue with a text of so many words, always the same."""
    chance = random.Random(f"{number}/{place}")

    def sentence(length: int) -> str:
        return " ".join(chance.choices(_WORDS, cum_weights=_WEIGHTS, k=length)).capitalize() + "."

    # Every text has a few words that no other one has.
    own = f"Nur{chance.choice(_NOUNS).lower()}{number}x{place}, {chance.choice(_NOUNS)}{chance.choice(_VERBS)}."
    paragraphs = [" ".join(sentence(12) for _ in range(5)) for _ in range(max(1, words // 60))]
    return Essay(
        slug=f"essay-{number}-{place}",
        source=f"content/essays/essay-{number}-{place}.md",
        title=f"{chance.choice(_NOUNS)} und {chance.choice(_WORDS)} {number}",
        author="Mathilde Übersee",
        date=day_of(number),
        language=language,
        summary=sentence(10),
        body="\n\n".join((own, *paragraphs)) + "\n",
        topics=("bauen",),
        folder=folder,
    )


def item(number: int, place: int) -> Related:
    """Return a related item of an issue."""
    link = f"https://feeds.example.org/{number}/{place}"
    return Related(
        Story(
            (
                FeedItem(
                    key=link, feed="Stadtanzeiger", link=link, canonical=link,
                    title=f"{_NOUNS[place]} Nummer {number}", summary="Im Ort wird umgebaut.",
                    date=sent_at(day_of(number)), date_source="feed", language="de",
                ),
            )
        ),
        1.0,
    )  # fmt: skip


def manifest(
    number: int,
    publication: Publication,
    templates: Mapping[str, str],
    *,
    essays: int = 3,
    words: int = 700,
    further: Sequence[str] = (),
    images: Mapping[str, bytes] = {},
    picture: bool = False,
) -> Manifest:
    """Return the manifest of an issue with so many essays, all but the last one in `further` languages, too.

    With `picture` its first essay shows the first of `images`.
    """
    written = tuple(essay(number, place, words=words) for place in range(essays))
    if picture and written:
        shown = ImageRef(next(iter(images)), "Ein Haus")
        written = (replace(written[0], image=shown), *written[1:])
    issue = Issue(
        id=IssueId.parse(str(day_of(number))),
        language=publication.language,
        subject=written[0].title if written else f"Ausgabe {number}",
        preheader=written[0].summary if written else "",
        essays=written,
        related=tuple(item(number, place) for place in range(3)),
    )
    others = tuple(
        replace(
            issue,
            language=language,
            folder=language,
            subject=f"Issue {number}",
            essays=tuple(
                replace(one, title=f"On {one.title}", language=language, folder=language,
                        body=f"{one.body}\nRepairing repairs the repaired number {number}.\n")
                if place < len(written) - 1 else one
                for place, one in enumerate(written)
            ),
        )
        for language in further
    )  # fmt: skip
    return Manifest(replace(issue, translations=others), publication, templates, images)


def digest_of(told: Sequence[Manifest]) -> Manifest:
    """Return the manifest of a digest of issues, which is of the day after the last one."""
    newest = told[-1]
    day = newest.issue.id.day + timedelta(days=1)

    def in_language(issues: Sequence[Issue], like: Issue) -> Issue:
        return replace(
            like,
            id=IssueId(day, digest=1),
            subject=f"Digest vom {day}",
            essays=tuple(essay for one in issues for essay in one.essays),
            related=(),
            translations=(),
        )

    others = tuple(
        in_language([one for made in told for one in made.issue.translations], like)
        for like in newest.issue.translations
    )
    issue = in_language([made.issue for made in told], newest.issue)
    ids = tuple(str(made.issue.id) for made in told)
    images = {path: data for made in told for path, data in made.images.items()}
    return replace(newest, issue=replace(issue, digest_of=ids, translations=others), images=images)


def add_sent_issue(context: AppContext, made: Manifest) -> None:
    """Store an issue as one that was sent and is closed."""
    issue = str(made.issue.id)
    at = sent_at(made.issue.id.day)
    revision = revisions.save_revision(context.store, made, git_commit="", now=at)
    values = {"id": issue, "revision": revision.revision_id, "at": f"{at:%Y-%m-%d %H:%M:%S.%f}"}
    with context.store.writing() as connection:
        connection.execute(
            text(
                "UPDATE issues SET state = 'closed', revision_id = :revision, enqueued_at = :at,"
                " closed_at = :at, audience = 1, sent = 1, rejected = 0, unknown = 0,"
                " suppressed = 0, cancelled = 0 WHERE id = :id"
            ),
            values,
        )
        issues.record_used_content(connection, made)


def add_history(context: AppContext, numbers: range, *, words: int = 700) -> None:
    """Store issues of three essays each."""
    templates = publication_templates(context)
    for number in numbers:
        add_sent_issue(context, manifest(number, context.publication, templates, words=words))

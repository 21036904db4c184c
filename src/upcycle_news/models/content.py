"""Contents of an issue: essays, feeds, feed items and stories."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal, Self, get_args

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models.front_matter import front_matter

# A language tag in essays and feeds.toml: `de`, `de-AT`.
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Z]{2})?")


def base_of(language: str) -> str:
    """Return a language without its region: ``de`` of ``de-AT``."""
    return language.partition("-")[0]


@dataclass(frozen=True, order=True)
class IssueId:
    """One mailing: ``2026-11-26``, and ``2026-11-26-2`` for the second one of that day.

    ``2026-11-26-c1`` is the first `correction` of ``2026-11-26`` that goes to those who got that issue.
    ``2026-12-01-d1`` is the first `digest` of the period that ends with the day before.
    """

    day: date
    ordinal: int = 1
    correction: int = 0
    digest: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an issue id; raises `UpcycleError` with the form that is expected."""
        match = re.fullmatch(
            r"(\d{4}-\d{2}-\d{2})(?:(?:-([1-9]\d?))?(?:-c([1-9]))?|-d([1-9]))",
            text.strip(),
            re.ASCII,
        )
        try:
            if match is None:
                raise ValueError(text)
            day = date.fromisoformat(match[1])
        except ValueError:
            raise UpcycleError(localized("issue-id-bad", text=text[:40])) from None
        return cls(day, int(match[2] or 1), int(match[3] or 0), int(match[4] or 0))

    def __str__(self) -> str:
        number = f"-{self.ordinal}" if self.ordinal > 1 else ""
        correction = f"-c{self.correction}" if self.correction else ""
        digest = f"-d{self.digest}" if self.digest else ""
        return f"{self.day.isoformat()}{number}{correction}{digest}"

    @property
    def original(self) -> IssueId:
        """The issue that this one corrects; itself unless it is a correction."""
        return replace(self, correction=0)

    @property
    def is_regular(self) -> bool:
        """Whether it tells something new: corrections and digests tell again what issues told."""
        return not self.correction and not self.digest


@dataclass(frozen=True)
class ImageRef:
    """An image of an essay: its path below content/images, and its alternative text.

    `caption` and `credit` stand below it; the credit names who made it (in Germany § 13 UrhG).
    """

    path: str
    alt: str
    caption: str = ""
    credit: str = ""


Length = Literal["full", "teaser", "auto"]
"""How much of the leading essay a mail shows; `auto`: all of it as long as the mail stays small."""

LENGTHS: tuple[Length, ...] = get_args(Length)


@dataclass(frozen=True)
class Essay:
    """An essay as read from its Markdown file. `source` is relative to the publication's root.

    A field with `front_matter` is a key of the file's front matter; its type says how it is read.
    `length` is None where the publication's setting decides; `extra` holds fields of the
    publication's own: texts, whole numbers, true or false, and lists and tables of these.
    `translations` are the same essay in other languages, under the same slug, and without any in an
    issue, which has an issue for each language. `folder` is that of its page in the archive: empty, or a language's.
    """

    slug: str
    source: str
    title: str = field(metadata=front_matter("The title.", 'title: "…"', required=True))
    author: str = field(metadata=front_matter("Who wrote it.", 'author: "Mathilde Übersee"'))
    date: date = field(
        metadata=front_matter(
            "Its day: the first issue on or after it takes the essay.",
            "date: 2026-11-26",
            required=True,
        )
    )
    language: str = field(
        metadata=front_matter("Where it is not the publication's language.", "language: en")
    )
    summary: str = field(
        metadata=front_matter("The teaser; without it, the first sentences.", 'summary: "…"')
    )
    body: str
    topics: tuple[str, ...] = field(
        default=(),
        metadata=front_matter(
            "Topics, which feed items are chosen by.",
            "topics: [Bauen, Kleinstadt]",
            in_templates=True,
        ),
    )
    image: ImageRef | None = field(
        default=None,
        metadata=front_matter(
            "A picture below content/images, what it shows, and the lines below it.",
            "image: bahnhof.jpg",
            beside=("image_alt", "image_caption", "image_credit"),
        ),
    )
    status: Literal["draft", "ready"] = field(
        default="ready",
        metadata=front_matter("A draft is in no issue.", "status: draft"),
    )
    pin: tuple[str, ...] = field(
        default=(),
        metadata=front_matter(
            "Links of feed items that must be in.", "pin: [https://example.org/item]"
        ),
    )
    ban: tuple[str, ...] = field(
        default=(),
        metadata=front_matter(
            "Links or words of feed items that must stay out.",
            "ban: [https://example.org/item, Wort]",
        ),
    )
    body_line: int = 1
    length: Length | None = field(
        default=None,
        metadata=front_matter("How much of it a mail shows when it leads.", "length: teaser"),
    )
    kicker: str = field(
        default="",
        metadata=front_matter(
            "A few words above the title.", 'kicker: "Werkstattbericht"', in_templates=True
        ),
    )
    extra: Mapping[str, Any] = field(
        default_factory=dict,
        hash=False,
        metadata=front_matter(
            "A table of fields of your own, for your templates: `essay.extra.series`.",
            "extra: {series: Umbau}",
            in_templates=True,
        ),
    )
    canonical: str = field(
        default="",
        metadata=front_matter(
            "Where it was published first: its page in the archive names that one as the original.",
            "canonical: https://example.org/essay",
        ),
    )
    translations: tuple[Essay, ...] = ()
    folder: str = ""

    def in_language(self, language: str) -> Essay | None:
        """Return the essay, or the translation of it, whose language is this one, whatever its region.

        None where there is none, and for a translation that is a draft.
        """
        for essay in (self, *self.translations):
            if base_of(essay.language) == base_of(language):
                return essay if essay is self or essay.status == "ready" else None
        return None


@dataclass(frozen=True)
class Feed:
    """An entry of feeds.toml. `limit` is the maximum number of its items in one issue."""

    name: str
    url: str
    topics: tuple[str, ...] = ()
    weight: float = 1.0
    language: str = "de"
    limit: int | None = None
    active: bool = True


DateSource = Literal["feed", "german", "first seen", "archive"]
"""Where the date of an item is from. `archive`: it has none and was there when its feed was first read."""


@dataclass(frozen=True)
class FeedItem:
    """One item of a feed, as plain text: titles and summaries carry no markup at all.

    `key` identifies it within its feed, `canonical` is the link without tracking parameters: an
    item with either of them in an earlier issue is not used again. Where several items of a feed share
    a page, it identifies none of them, and `canonical` has a fragment of the item's own. `guid` is what
    the feed calls it; `date_reason` says why a date was read so that can be read in two ways,
    `own_language` that the language is the item's, not the feed's.
    """

    key: str
    feed: str
    link: str
    canonical: str
    title: str
    summary: str
    date: datetime
    date_source: DateSource
    language: str = "de"
    topics: tuple[str, ...] = ()
    guid: str = ""
    date_reason: str = ""
    own_language: bool = False

    @property
    def page(self) -> str:
        """The canonical link of the item's page, whether it identifies the item or not."""
        return self.canonical.partition("#item-")[0]


@dataclass(frozen=True)
class Story:
    """Feed items that report the same event; `items[0]` is the one that is shown."""

    items: tuple[FeedItem, ...]

    @property
    def lead(self) -> FeedItem:
        """The item that represents the story."""
        return self.items[0]


@dataclass(frozen=True)
class Related:
    """A story chosen for an issue, with its score (0 upwards) and the matching words as reasons.

    `essay` is the slug of the essay it belongs to, empty in an issue without essays.
    """

    story: Story
    score: float
    reasons: tuple[str, ...] = ()
    essay: str = ""


@dataclass(frozen=True)
class EssayPlace:
    """An essay that the file of an issue names, by slug; `length` is None where the essay decides."""

    slug: str
    length: Length | None = None


@dataclass(frozen=True)
class Question:
    """What an issue asks its readers, and the answers that they choose from; these are counted from 1."""

    text: str
    answers: tuple[str, ...]


MAX_ANSWERS = 5


@dataclass(frozen=True)
class IssueFile:
    """What editors wrote for one issue in ``content/issues/2026-11-26.md``; empty where they did not.

    A field with `front_matter` is a key of the file. `greeting` is Markdown; mostly it is the text below
    the front matter, which begins in line `body_line`.
    """

    source: str
    subject: str = field(
        default="",
        metadata=front_matter(
            "The subject; without it, the leading essay's title.", 'subject: "…"'
        ),
    )
    preheader: str = field(
        default="",
        metadata=front_matter(
            "What inboxes show beside the subject; without it, the leading essay's summary.",
            'preheader: "…"',
        ),
    )
    greeting: str = field(
        default="",
        metadata=front_matter(
            "What you say to the readers before the essays; longer ones stand below the front matter.",
            'greeting: "…"',
        ),
    )
    closing_note: str = field(
        default="",
        metadata=front_matter(
            "The sentence at the end, in place of the one in newsletter.toml.", 'closing_note: "…"'
        ),
    )
    essays: tuple[EssayPlace, ...] = field(
        default=(),
        metadata=front_matter(
            "The essays of the issue in their order, by the name of the file without its date; the "
            "first one leads, and may have a length: full, teaser or auto.",
            "essays: [{lob-der-schraube: full}, die-rolltreppe-steht]",
        ),
    )
    leave_out: tuple[str, ...] = field(
        default=(),
        metadata=front_matter(
            "Essays (names) and feed items (links) that stay out of this issue.",
            "leave_out: [lob-der-schraube, https://example.org/item]",
        ),
    )
    pin: tuple[str, ...] = field(
        default=(),
        metadata=front_matter(
            "Links of feed items that must be in this issue.", "pin: [https://example.org/item]"
        ),
    )
    feeds_title: str = field(
        default="",
        metadata=front_matter("The heading above the feed items.", 'feeds_title: "…"'),
    )
    question: str = field(
        default="",
        metadata=front_matter(
            "A question to the readers, with `answers`; they answer it on a page, without a name.",
            'question: "…"',
        ),
    )
    answers: tuple[str, ...] = field(
        default=(),
        metadata=front_matter(
            "What they choose from: two to five answers.",
            'answers: ["Ja, sofort", "Nein, lieber nicht"]',
        ),
    )
    not_before: datetime | None = field(
        default=None,
        metadata=front_matter(
            "The time of its day before which nothing is sent, on the publication's clock.",
            'not_before: "07:30"',
        ),
    )
    body_line: int = 1


@dataclass(frozen=True)
class Told:
    """A correction that readers are told of: an essay's slug, when it was made, and the editors' note.

    `notes` are pairs of a further language and the note in it.
    """

    essay: str
    at: datetime
    note: str
    notes: tuple[tuple[str, str], ...] = ()

    def note_in(self, language: str) -> str:
        """Return the note in a language; as it was written first where it was not translated."""
        return dict(self.notes).get(base_of(language), self.note)


@dataclass(frozen=True)
class Issue:
    """The contents of one mailing. `essays[0]` leads and is shown in full.

    `greeting` is what the editors say to the readers before the essays, as Markdown; mostly empty. `file`
    is the file of the issue that the contents follow, and `overruled` are its keys that a run, a command
    or Prefect's form overruled. `told` are the corrections that a correction tells its readers of,
    `digest_of` the ids of the issues that a digest tells.
    `translations` are the same issue in other languages, each whole and without any of its own; `folder`
    is that of its pages in the archive, empty for the main one and the language for a translation.
    """

    id: IssueId
    language: str
    subject: str
    preheader: str
    essays: tuple[Essay, ...]
    related: tuple[Related, ...] = ()
    topics: tuple[str, ...] = ()
    greeting: str = ""
    file: IssueFile | None = None
    overruled: tuple[str, ...] = ()
    told: tuple[Told, ...] = ()
    digest_of: tuple[str, ...] = ()
    translations: tuple[Issue, ...] = ()
    folder: str = ""

    @property
    def in_languages(self) -> tuple[Issue, ...]:
        """The issue in each of its languages, the main one first; none of them has translations."""
        return (replace(self, translations=()), *self.translations)

    @property
    def all_essays(self) -> tuple[Essay, ...]:
        """The essays of all languages, each slug once, in the first language that has it."""
        essays: dict[str, Essay] = {}
        for issue in self.in_languages:
            for essay in issue.essays:
                essays.setdefault(essay.slug, essay)
        return tuple(essays.values())

    @property
    def all_related(self) -> tuple[Related, ...]:
        """The stories of all languages, each once; their places are the numbers that editors see."""
        stories: dict[str, Related] = {}
        for issue in self.in_languages:
            for related in issue.related:
                stories.setdefault(related.story.lead.canonical, related)
        return tuple(stories.values())

    def in_language(self, language: str) -> Issue | None:
        """Return the issue in a language, whatever its region; None where there is no such issue."""
        for issue in self.in_languages:
            if base_of(issue.language) == base_of(language):
                return issue
        return None

    @property
    def question(self) -> Question | None:
        """What the issue asks its readers; None without one, and in corrections and digests, which ask none."""
        if self.file is None or not self.file.question or not self.id.is_regular:
            return None
        return Question(self.file.question, self.file.answers)

    @property
    def greeting_essay(self) -> Essay | None:
        """The greeting as what parses, checks and shows essays takes; None without one."""
        if not self.greeting:
            return None
        file = None if "greeting" in self.overruled else self.file
        return Essay(
            slug="",
            source=file.source if file else "greeting",
            title="",
            author="",
            date=self.id.day,
            language=self.language,
            summary="",
            body=self.greeting,
            body_line=file.body_line if file else 1,
        )

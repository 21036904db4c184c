"""A specimen of everything that readers see, made of a publication's templates: each piece occurs once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from upcycle_news.archive_site.builder import build_archive
from upcycle_news.archive_site.view_models import EditorNote, SentIssue, SiteConfig
from upcycle_news.errors import UpcycleError
from upcycle_news.models import (
    Author,
    Channel,
    Essay,
    FeedItem,
    Issue,
    IssueFile,
    IssueId,
    Manifest,
    Publication,
    Related,
    Story,
)
from upcycle_news.models.archive_paths import STYLE
from upcycle_news.models.digest import ReaderRhythm, Rhythm, RhythmOutlook
from upcycle_news.rendering.render import render, render_transactional
from upcycle_news.rendering.subscriber_pages import PageRenderer

_DAY = date(2026, 1, 15)
_AT = datetime(2026, 1, 15, 6, tzinfo=UTC)
_BODY = """\
Text mit [Verweis](https://example.org/a), `Wort` und ==Marke==.[^1]

## Zwischentitel

### Darunter

- Liste mit [Verweis](https://example.org/b)

> Zitat

> [!note] Hinweis
> Text mit [Verweis](https://example.org/c).

| Kopf | Zahl |
|---|---|
| [Verweis](https://example.org/d) | 1 |

```
Programm
```

::: box Kasten
Text mit [Verweis](https://example.org/e).
:::

::: button
[Knopf](https://example.org/f)
:::

::: quote
by: Wer

Gesagt.
:::

::: event Treffen
date: 2026-02-01
time: 18:00
place: Laden
link: [Anmeldung](https://example.org/g)
:::

[^1]: Fußnote mit [Verweis](https://example.org/h).
"""


@dataclass(frozen=True)
class SeenPage:
    """A mail or page as HTML, and the style sheet that it loads, empty if it has all in itself."""

    name: str
    html: str
    style: str = ""


def specimen(templates: Mapping[str, str], language: str) -> Iterator[SeenPage]:
    """Yield the mails and pages; what the templates cannot make is left out, as other checks say why."""
    manifest = _manifest(templates, language)
    for make in (_mails, _archive, _pages):
        try:
            yield from make(manifest)
        except UpcycleError:
            continue


def _manifest(templates: Mapping[str, str], language: str) -> Manifest:
    lead = Essay(
        slug="muster", source="muster.md", title="Muster", author="Wer", date=_DAY,
        language=language, summary="Kurz.", body=_BODY, kicker="Reihe",
    )  # fmt: skip
    item = FeedItem(
        key="fund", feed="Quelle", link="https://example.org/fund",
        canonical="https://example.org/fund", title="Fund", summary="Auszug.", date=_AT,
        date_source="feed", language=language,
    )  # fmt: skip
    other = replace(item, link="https://example.com/fund", feed="Andere")
    publication = Publication(
        name="Muster", tagline="Über Muster", language=language, timezone="Europe/Berlin",
        public_url="https://news.example.org", imprint=("Muster e. V.",), closing_note="Schluss.",
        reply_to="post@example.org", imprint_url="https://example.org/i",
        channels=(Channel("Kanal", "https://example.org/k"),), authors=(Author("Wer", "Schreibt."),),
    )  # fmt: skip
    issue = Issue(
        id=IssueId(_DAY), language=language, subject="Muster", preheader="Kurz.",
        essays=(lead, *(replace(lead, slug=f"weiteres-{n}", title=f"Weiteres {n}") for n in range(5))),
        file=IssueFile("muster.md", question="Frage?", answers=("Ja", "Nein")),
        greeting="Gruß mit [Verweis](https://example.org/g).", related=(Related(Story((item, other)), 1.0),),
    )  # fmt: skip
    return Manifest(issue, publication, templates)


def _mails(manifest: Manifest) -> Iterator[SeenPage]:
    yield SeenPage("mail", render(manifest).html)
    # Without an essay the newsletter's name is the mail's title.
    yield SeenPage("mail", render(replace(manifest, issue=replace(manifest.issue, essays=()))).html)
    for name in ("confirm", "list_confirm", "address_confirm", "address_changed"):
        if f"{name}.mjml" in manifest.templates:
            values = {"link": "https://news.example.org/x", "days": 7, "consent": "Messe"}
            mail = render_transactional(
                manifest.templates, name, publication=manifest.publication,
                language=manifest.issue.language, values=values,
            )  # fmt: skip
            yield SeenPage("mail", mail.html)


def _archive(manifest: Manifest) -> Iterator[SeenPage]:
    note = {"muster": (EditorNote(_DAY, "Berichtigt."),)}
    sent = SentIssue(manifest, _AT, _AT, corrections=note)
    config = SiteConfig(
        manifest.publication, manifest.templates, "tag:example.org,2026:feed", subscribe="subscribe"
    )
    files = build_archive([sent], config).files
    style = files[STYLE].decode()
    for path, data in files.items():
        if path.endswith(".html"):
            yield SeenPage("archive", data.decode(), style)


_RHYTHM = RhythmOutlook(
    ReaderRhythm(Rhythm.EVERY_ISSUE, Rhythm.DIGEST, date(2026, 12, 1)),
    "monthly",
    next_digest=date(2027, 1, 1),
    choice_begins=date(2026, 12, 1),
)


def _pages(manifest: Manifest) -> Iterator[SeenPage]:
    renderer, language = (
        PageRenderer(manifest.templates, manifest.publication),
        manifest.issue.language,
    )
    values = {
        "action": "/x", "preferences": "/x", "topics": ("Bauen",),
        "chosen": ("Bauen",), "days": 7,
        "rhythm": _RHYTHM, "interval": _RHYTHM.interval, "chosen_rhythm": _RHYTHM.rhythm.chosen,
        "change_waiting": True, "saved": True, "error": "page_bad_address",
    }  # fmt: skip
    values |= {
        "question": "Frage?", "answers": ("Ja", "Nein"), "open": True, "closes": "heute", "least": 5, "total": 5,
        "sums": ({"answer": "Ja", "count": 5, "percent": 100},), "date": "heute", "issue": "2026-11-26",
    }  # fmt: skip
    for view in ("subscribe", "asked", "unsubscribe", "preferences", "question"):
        yield SeenPage("pages", renderer.render(view, language, **values))

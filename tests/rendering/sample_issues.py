"""Very different issues, the demo's own in each look among them, for tests of rendered pages."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import load_settings
from upcycle_news.demo.feed_server import DemoSite
from upcycle_news.models import (
    Essay,
    ImageRef,
    IssueId,
    Manifest,
    Related,
    Story,
)
from upcycle_news.scaffold.looks import templates_with_look
from upcycle_news.services.feeds.collect import collect_feeds
from upcycle_news.services.issues.compose import compose_manifest

from . import sample_manifest
from .sample_manifest import (
    ISSUE,
    LEAD,
    PUBLICATION,
    TEASERS,
    TEMPLATES,
    item,
)

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)

ENGLISH_BODY = """\
The bakery kept its sign when the baker left. "It reads *Brot*, and nobody is fooled", says the \
woman who now repairs radios behind the counter. She pays what the oven used to cost in gas.[^rent]

## What a small shop can do

Three things, in her order:

1. be open when the train comes in;
2. lend out what people need once a year;
3. know who can do the rest.

> A street is not a supply of goods. It is a supply of neighbours.

| Tool | Loans | Repairs |
|---|---|---|
| Drill | 212 | 9 |
| Ladder | 180 | 2 |

The council calls it a "pilot". It has been one for [eleven years](https://bakery.example/years).

[^rent]: The rent was settled over coffee; see the [minutes](https://bakery.example/minutes).
"""


def english() -> Manifest:
    """An English issue with one German item."""
    lead = Essay(
        slug="the-bakery-that-mends-radios",
        source="content/essays/bakery.md",
        title='The bakery that mends "radios"',
        author="Ada Example",
        date=LEAD.date,
        language="en",
        summary="A shop that stayed open by changing what it sells.",
        body=ENGLISH_BODY,
        image=ImageRef("giebel.png", "Gables in a row, the widest one with a green roof"),
    )
    teaser = replace(
        TEASERS[0],
        title="Mending is not doing without",
        language="en",
        summary="It is a skill, and it makes a region richer.",
    )
    return Manifest(
        replace(
            ISSUE,
            language="en",
            subject=lead.title,
            preheader=lead.summary,
            essays=(lead, teaser),
            related=(
                Related(
                    Story(
                        (
                            item(
                                1,
                                language="en",
                                title="A tool library opens",
                                feed="Town",
                                summary="Drills and ladders, a minute from the station.",
                            ),
                        )
                    ),
                    2,
                ),
                Related(Story((item(2),)), 1),
            ),
        ),
        replace(
            PUBLICATION,
            language="en",
            tagline="Essays about what is already there",
            closing_note="Seen something that belongs here? Just answer this mail.",
        ),
        TEMPLATES,
        {"giebel.png": sample_manifest.png()},
    )


def without_picture() -> Manifest:
    """The sample issue: all of Markdown, and no image."""
    return sample_manifest.manifest()


def ten_items() -> Manifest:
    """A short essay and ten stories, one of them in English."""
    stories = [
        Related(Story((item(n), item(n + 20, feed="Kreisbote")) if n % 3 == 0 else (item(n),)), 1)
        for n in range(1, 10)
    ]
    lead = replace(LEAD, body="Kurz gesagt: Es ist alles da.")
    return sample_manifest.manifest(essays=(lead,), related=(*stories, sample_manifest.RELATED[1]))


def one_item() -> Manifest:
    """No essay at all, one item."""
    return sample_manifest.manifest(
        essays=(), related=sample_manifest.RELATED[:1], subject="Ein Fund der Woche"
    )


def long_words() -> Manifest:
    """Words and titles that fit into no column."""
    word = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"
    lead = replace(
        LEAD,
        title="Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung",
        author="Wilhelmina Katharina Freifrau von und zu Hinterobermutschelbach",
        body=f"Ein {word * 2}.\n\n## {word}\n\n- {word}\n\n> {word}\n\n"
        "| Kreislaufwirtschaftsgesetz | Grundstücksverkehrsgenehmigung | Zuständigkeit |\n"
        "|---|---|---|\n| ja | nein | vielleicht |\n\n"
        f"[{word}](https://{'a' * 60}.example/{'b' * 120})\n\n"
        f"    einzeiliger_code = {'x' * 120}\n",
    )
    teaser = replace(TEASERS[0], title=f"{word} und andere Überschriften", summary=f"{word}. " * 3)
    story = Related(Story((item(1, title=f"{word}: {word}", feed=word, summary=word * 3),)), 1)
    return sample_manifest.manifest(essays=(lead, teaser), related=(story,), subject=lead.title)


@cache
def demo() -> Manifest:
    """The demo's issue on 26 November 2026, from the project's own content and its sample feeds."""
    with tempfile.TemporaryDirectory() as state, DemoSite(NOW) as site:
        feeds = Path(state) / "feeds.toml"
        feeds.write_text(site.feeds_toml(), encoding="utf-8")
        loaded = load_settings(ROOT)
        settings = loaded.model_copy(
            update={
                "state": Path(state),
                "store": "",
                "feeds": loaded.feeds.model_copy(
                    update={"file": str(feeds), "allow_private": True, "git_pull": False}
                ),
            }
        )
        with AppContext(settings, clock=lambda: NOW) as context:
            collect_feeds(context)
            return compose_manifest(context, IssueId.parse("2026-11-26"))


def with_look(manifest: Manifest, look: str) -> Manifest:
    """The same issue in another look that comes with the program."""
    return replace(manifest, templates=templates_with_look(ROOT / "no templates of its own", look))


LOOKS: Mapping[str, Callable[[], Manifest]] = {
    "letter": demo,
    "bulletin": lambda: with_look(demo(), "bulletin"),
    "magazine": lambda: with_look(demo(), "magazine"),
}
"""The demo's issue in each look."""

ISSUES: Mapping[str, Callable[[], Manifest]] = {
    "demo": demo,
    "bulletin": LOOKS["bulletin"],
    "magazine": LOOKS["magazine"],
    "no-picture": without_picture,
    "ten-items": ten_items,
    "one-item": one_item,
    "english": english,
    "long-words": long_words,
}

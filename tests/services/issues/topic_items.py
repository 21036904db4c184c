"""A publication whose readers choose topics: an essay, and a pinned item of a feed for each topic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, FeedItem
from upcycle_news.storage import subscribers
from upcycle_news.storage.feeds import FeedState, record
from upcycle_news.storage.subscribers import NewSubscriber

from ...publications import Publication

TOPICS = ("Bestand", "Energie", "Kleinstadt")


def offer(publication: Publication, offered: Sequence[str] = TOPICS, **settings: str) -> None:
    """Let readers choose among these topics, and list a feed for each."""
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    names = ", ".join(f'"{topic}"' for topic in offered)
    publication.change_setting(
        "[browser]",
        f"[audience]\ntopics = [{names}]\n\n[issue]\nitems = 20\nper_section = 20\n{lines}\n[browser]",
    )
    listed = "".join(
        f'[[feeds]]\nname = "Blatt {topic}"\nurl = "{address(topic)}"\ntopics = ["{topic}"]\n\n'
        for topic in offered
    )
    (publication.home / "content/feeds.toml").write_text(listed, encoding="utf-8")


def address(topic: str) -> str:
    return f"https://{topic.casefold().replace(' ', '-')}.example/feed"


def link(topic: str, number: int = 1) -> str:
    return f"https://{topic.casefold().replace(' ', '-')}.example/artikel/{number}"


def publish(context: AppContext, topics: Iterable[str] = TOPICS, number: int = 1) -> list[str]:
    """Store an item of each topic's feed; returns their links, which an essay may pin."""
    links = []
    for topic in topics:
        item = FeedItem(
            key=link(topic, number),
            feed=f"Blatt {topic}",
            link=link(topic, number),
            canonical=link(topic, number),
            title=f"Meldung {number} aus {topic}",
            summary=f"Was die Woche {number} zu {topic} sagt, steht nur hier.",
            date=context.clock() - timedelta(hours=5),
            date_source="feed",
        )
        state = FeedState(address(topic), f"Blatt {topic}")
        record(context.store, state, [item], now=context.clock())
        links.append(item.link)
    return links


def write_essay_with(publication: Publication, links: Sequence[str], title: str = "", **front: str) -> str:  # fmt: skip
    """Write an essay that pins these items."""
    return publication.write_essay(
        title or "Was vom Bahnhof bleibt", pin=f"[{', '.join(links)}]", **front
    )


def add_readers(publication: Publication, **topics: Sequence[str]) -> dict[str, int]:
    """Add a reader for each name with their topics; returns their ids."""
    publication.add_subscribers(
        *(
            NewSubscriber(EmailAddress(f"{name}@example.org"), topics=tuple(chosen))
            for name, chosen in topics.items()
        )
    )
    known = subscribers.all_subscribers(publication.context().store)
    return {one.email.address.partition("@")[0]: one.id for one in known}


def choose(context: AppContext, number: int, *topics: str) -> None:
    """Let a reader choose other topics."""
    reader = subscribers.by_id(context.store, number)
    assert reader is not None
    subscribers.set_preferences(
        context.store, reader, language=reader.language, topics=topics, now=context.clock()
    )

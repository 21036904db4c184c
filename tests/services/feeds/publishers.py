"""Publishers as they are: they edit, rename, reorder, repeat, withdraw and move what they publish."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

SYLLABLES = "ba be bo da de do fa fe ga go ha ho ka ke ko la le lo ma mo na no pa po ra ro sa so ta to wa wo".split()  # noqa: SIM905
STYLES = ("guid", "permalink", "link", "fresh guids", "podcast", "front page", "undated", "series")
WINDOW = 9  # items that a feed shows


@dataclass(frozen=True)
class Article:
    """An article. `mark` is a word of its text that no other has and no edit takes away."""

    mark: str
    number: int
    title: str
    sentences: tuple[str, ...]
    date: datetime
    slug: str
    host: str
    parameter: str = ""

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


@dataclass
class Publisher:
    """A feed in one of the styles, with the articles that it shows, newest first."""

    number: int
    style: str
    random: random.Random
    name: str = ""
    path: str = ""
    host: str = ""
    shown: list[Article] = field(default_factory=list)
    count: int = 0
    fetches: int = 0
    repeated: str = ""
    shuffled: bool = False

    def __post_init__(self) -> None:
        self.name = self.name or f"Quelle {self.number}"
        self.path = f"/feed{self.number}.xml"
        self.host = f"https://quelle{self.number}.example.org"

    # --- what happens to a feed ---

    def publish(self, now: datetime) -> Article:
        """Publish an article a few hours before `now`; each is younger than those before."""
        self.count += 1
        mark = f"Marke{self.number}x{self.count}"
        title = "Aus dem Rathaus" if self.style == "series" else self._words(4).capitalize()
        article = Article(
            mark=mark,
            number=self.count,
            title=title,
            sentences=(
                f"{self._words(5).capitalize()}.",
                f"{self._words(4).capitalize()} {mark} {self._words(2)}.",
                f"{self._words(5).capitalize()}.",
            ),
            date=now - timedelta(hours=20) + timedelta(minutes=self.count),
            slug=self._words(3).replace(" ", "-"),
            host=self.host,
        )
        self.shown = [article, *self.shown][:WINDOW]
        return article

    def edit_headline(self) -> None:
        """Rewrite a headline; where a guid or nothing else identifies it, its address changes with it."""
        if self.style == "series" or not self.shown:
            return
        article = self._any()
        title = f"{article.title} {self._words(2)}"
        changes: dict[str, Any] = {"title": title}
        if self.style in ("guid", "permalink"):
            changes["slug"] = self._words(3).replace(" ", "-")
        self._change(article, **changes)

    def edit_text(self) -> None:
        """Rewrite a sentence; the one with the mark stays."""
        if self.style == "front page" or not self.shown:
            return
        article = self._any()
        _, marked, last = article.sentences
        self._change(article, sentences=(f"{self._words(8).capitalize()}.", marked, last))

    def correct_slugs(self) -> None:
        """Change the addresses of all articles; title and text stay."""
        if self.style in ("guid", "permalink", "fresh guids"):
            self.shown = [replace(article, slug=f"{article.slug}-neu") for article in self.shown]

    def move_site(self) -> None:
        """Move all articles to another host."""
        self.host = f"https://quelle{self.number}-neu.example.com"
        if self.style not in ("podcast", "front page"):
            self.shown = [replace(article, host=self.host) for article in self.shown]

    def mark_links(self) -> None:
        """Put a parameter of the day into all links."""
        if self.style not in ("podcast", "front page"):
            value = f"?ref=tag-{self.random.randrange(10**6)}"
            self.shown = [replace(article, parameter=value) for article in self.shown]

    def reorder(self) -> None:
        """Show the articles in another order."""
        self.shuffled = True

    def repeat(self) -> None:
        """List an article a second time, as if in another section."""
        if self.shown and self.style in ("guid", "permalink"):
            self.repeated = self._any().mark

    def rename(self) -> None:
        self.name = f"Quelle {self.number} ({self._words(1)})"

    def move_feed(self) -> None:
        self.path = f"/feed{self.number}-{self.random.randrange(10**6)}.xml"

    def withdraw(self) -> Article | None:
        """Take an article out that has neighbours on both sides; return it."""
        if len(self.shown) < 4 or self.style == "undated":
            return None
        return self.shown.pop(1)

    # --- what its address answers ---

    def items(self) -> list[dict[str, Any]]:
        """Return the items of the feed as it is fetched now."""
        self.fetches += 1
        items = [self._item(article) for article in self.shown]
        for article in self.shown:
            if article.mark == self.repeated:
                again = self._item(article, section="ort")
                items.insert(min(2, len(items)), again)
        if self.shuffled:
            self.random.shuffle(items)
            self.shuffled = False
        return items

    def _item(self, article: Article, section: str = "artikel") -> dict[str, Any]:
        link = f"{article.host}/{section}/{article.slug}{article.parameter}"
        guid: str | None = f"q{self.number}-{article.number}"
        if self.style in ("podcast", "front page"):
            link = f"{self.host}/sendungen/"
        if self.style == "permalink":
            guid = link
        elif self.style in ("link", "front page", "undated"):
            guid = None
        elif self.style == "fresh guids":
            guid = f"{self.fetches}-{self.random.randrange(10**9)}"
        if section != "artikel" and self.style == "guid":
            guid = f"{guid}-ort"
        return {
            "title": article.title, "link": link, "guid": guid, "text": article.text,
            "date": None if self.style == "undated" else article.date,
        }  # fmt: skip

    def _any(self) -> Article:
        return self.random.choice(self.shown)

    def _change(self, article: Article, **changes: Any) -> None:
        index = self.shown.index(article)
        self.shown[index] = replace(article, **changes)

    def _words(self, count: int) -> str:
        return " ".join(
            "".join(self.random.choices(SYLLABLES, k=self.random.randint(2, 4)))
            for _ in range(count)
        )

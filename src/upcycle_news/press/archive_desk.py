"""Essays and stories as the archive's pages and its feed show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from markdown_it.token import Token
from markupsafe import Markup

from upcycle_news.model import Essay, Manifest
from upcycle_news.press import markdown
from upcycle_news.press.context import Desk
from upcycle_news.press.images import Picture, look_at
from upcycle_news.press.places import HOME, INDEX, essay_path, image_path
from upcycle_news.press.words import Words


@dataclass(frozen=True)
class Way:
    """How one page of the archive leads to others.

    `up` stands before every path: ``../../`` on a page two folders down, or a whole address.
    With `index_html` links name the file, for folders that are read from disk.
    """

    up: str = ""
    index_html: bool = False

    def to(self, path: str) -> str:
        """The link to a path of the archive, as an attribute wants it before escaping."""
        if self.index_html and (path == HOME or path.endswith("/")):
            path += INDEX
        return f"{self.up}{quote(path)}" or "./"


@dataclass(frozen=True)
class WebPicture(Picture):
    """A picture of a web page, in pixels of its file: the style sheet makes it fit.

    It is loaded when it comes into view.
    """

    def tag(self, alt: str) -> str:
        """The ``img`` element."""
        return (
            f'<img src="{escape(self.src)}" alt="{escape(alt)}" width="{self.width}" '
            f'height="{self.height}" loading="lazy" decoding="async">'
        )


class ArchiveDesk(Desk):
    """Makes views whose links and pictures lie in the archive.

    `language` is the page's; without `anchors` (in the feed) notes are numbers as in the mail.
    """

    def __init__(
        self, manifest: Manifest, words: Words, way: Way, *, language: str, anchors: bool = True
    ) -> None:
        super().__init__(manifest, words)
        self.language = language
        self.way, self.anchors = way, anchors

    def html(self, essay: Essay, tokens: Sequence[Token]) -> Markup:
        """What was read of the essay as HTML."""
        called = (self.words("note"), self.words("note_back")) if self.anchors else None
        pictures = self.pictures(essay)
        written = markdown.to_html(tokens, pictures, essay.language, note_words=called)
        return Markup(written)  # noqa: S704  markdown-it escaped it, html is off

    def essay_url(self, slug: str) -> str:
        """The essay's page in the archive."""
        return self.way.to(essay_path(slug))

    def picture(self, source: str, line: int | None, path: str) -> Picture:
        """The picture as a file of the archive; `images` collects those that were shown."""
        _, image = self.read(source, line, path)
        self.images.setdefault(image.cid, image)
        _, width, height = look_at(path, image.data)
        return WebPicture(self.way.to(image_path(image)), width, height)

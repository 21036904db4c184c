"""A site on loopback whose feed is as WordPress or Ghost writes it, made from a few posts."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

from PIL import Image


@dataclass(frozen=True)
class SitePost:
    """A post as its site knows it; without `whole` the feed has its summary only."""

    title: str = "Was vom Laden bleibt"
    html: str = "<p>Der Laden in der Langen Straße ist wieder offen. Es riecht nach Holz.</p>"
    slug: str = "laden"
    number: int = 7
    author: str = "Mathilde Übersee"
    categories: tuple[str, ...] = ("Bauen",)
    at: datetime = datetime(2026, 11, 24, 8, tzinfo=UTC)
    summary: str = "Der Laden in der Langen Straße […]"
    image: str = ""
    whole: bool = True


@dataclass
class PostSite:
    """The site: what lies at which path, and what was asked for."""

    address: str
    pages: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)  # paths that answer 503

    def wordpress(self, *posts: SitePost, path: str = "/feed/") -> str:
        """Serve the posts as feed-rss2.php does (RSS 2.0 with content:encoded); return the address."""
        items = "".join(
            f"<item><title>{escape(post.title)}</title><link>{self.address}/{post.slug}/</link>"
            f"<dc:creator><![CDATA[{post.author}]]></dc:creator>"
            f"<pubDate>{format_datetime(post.at)}</pubDate>"
            + "".join(f"<category><![CDATA[{name}]]></category>" for name in post.categories)
            + f'<guid isPermaLink="false">{self.address}/?p={post.number}</guid>'
            f"<description><![CDATA[<p>{post.summary}</p>]]></description>"
            + (f"<content:encoded><![CDATA[{post.html}]]></content:encoded>" if post.whole else "")
            + "<slash:comments>0</slash:comments></item>"
            for post in posts
        )
        return self._serve(path, (
            '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"'
            ' xmlns:content="http://purl.org/rss/1.0/modules/content/"'
            ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom"'
            ' xmlns:slash="http://purl.org/rss/1.0/modules/slash/"><channel><title>Umbau e. V.</title>'
            f'<atom:link href="{self.address}{path}" rel="self" type="application/rss+xml" />'
            f"<link>{self.address}</link><language>de</language>"
            f"<generator>https://wordpress.org/?v=6.8</generator>{items}</channel></rss>"
        ))  # fmt: skip

    def ghost(self, *posts: SitePost, path: str = "/rss/") -> str:
        """Serve the posts as Ghost's RSS does: CDATA everywhere, the title picture as media:content."""
        items = "".join(
            f"<item><title><![CDATA[{post.title}]]></title>"
            f"<description><![CDATA[{post.summary}]]></description><link>{self.address}/{post.slug}/</link>"
            f'<guid isPermaLink="false">66f0{post.number:020d}</guid>'
            + "".join(f"<category><![CDATA[{name}]]></category>" for name in post.categories)
            + f"<dc:creator><![CDATA[{post.author}]]></dc:creator>"
            f"<pubDate>{format_datetime(post.at, usegmt=True)}</pubDate>"
            + (f'<media:content url="{post.image}" medium="image"/>' if post.image else "")
            + f"<content:encoded><![CDATA[{post.html}]]></content:encoded></item>"
            for post in posts
        )
        return self._serve(path, (
            '<?xml version="1.0" encoding="UTF-8"?><rss xmlns:dc="http://purl.org/dc/elements/1.1/"'
            ' xmlns:content="http://purl.org/rss/1.0/modules/content/" version="2.0"'
            ' xmlns:media="http://search.yahoo.com/mrss/"><channel><title><![CDATA[Werkhof]]></title>'
            f"<link>{self.address}/</link><generator>Ghost 5.96</generator><ttl>60</ttl>{items}"
            "</channel></rss>"
        ))  # fmt: skip

    def picture(self, path: str, color: str = "red") -> str:
        """Serve a picture and return its address."""
        stream = BytesIO()
        Image.new("RGB", (640, 480), color).save(stream, "JPEG")
        self.pages[path] = stream.getvalue()
        return f"{self.address}{path}"

    def _serve(self, path: str, text: str) -> str:
        self.pages[path] = text.encode()
        return f"{self.address}{path}"


@contextmanager
def post_site() -> Iterator[PostSite]:
    """Run a site until the end of the `with`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.requests.append(self.path)
            body = b"" if self.path in site.broken else site.pages.get(self.path)
            status = 503 if self.path in site.broken else 404 if body is None else 200
            self.send_response(status)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = PostSite(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sources(*addresses: str, more: Sequence[str] = (), private: bool = True) -> str:
    """Return the settings of sources A, B, … with these feeds."""
    lines = ['[feeds]\nallow_private = ["127.0.0.1"]\n'] if private else []
    for letter, address in zip("ABCD", addresses, strict=False):
        lines += [f'[[sources]]\nname = "{letter}"\nurl = "{address}"', *more, ""]
    return "\n".join(lines)

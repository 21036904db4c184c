"""A small feed site on loopback, so that the demo has news to read without the internet.

The feeds in ``feeds/`` are Jinja2 templates: their dates are written relative to the day on which
they are served. They know the day, not the hour, so a feed has the same bytes and the same ETag
from midnight to midnight, and a second visit is answered with 304.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from socketserver import TCPServer
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")
MONTHS = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni"),
    *("Juli", "August", "September", "Oktober", "November", "Dezember"),
)


@dataclass(frozen=True)
class SampleFeed:
    """A feed of the demo: its file below ``feeds/`` and its entry in feeds.toml."""

    file: str
    content_type: str
    name: str
    topics: tuple[str, ...]
    weight: float = 1.0


SAMPLE_FEEDS = (
    SampleFeed(
        "rss.xml", "application/rss+xml; charset=utf-8", "Stadtbaublatt", ("kleinstadt", "bestand")
    ),
    SampleFeed("atom.xml", "application/atom+xml; charset=utf-8", "Kreislaufbote", ("kreislauf",)),
    SampleFeed(
        "feed.json", "application/feed+json; charset=utf-8", "Klimanotizen", ("bestand",), 0.8
    ),
    SampleFeed(
        "broken.xml",
        "application/rss+xml; charset=utf-8",
        "Die Baustoffbörse",
        ("bestand", "kreislauf"),
    ),
    SampleFeed(
        "german-dates.xml", "application/rss+xml; charset=utf-8", "Kommunal kurz", ("kleinstadt",)
    ),
)


def render_feed(file: str, today: date) -> bytes:
    """Return the feed `file` as it is on the day `today` (in Germany)."""
    source = (files("upcycle_news.demo") / "feeds" / file).read_text(encoding="utf-8")
    # XML and JSON, not HTML: the files carry their own escapes, and the dates need none.
    environment = Environment(
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.from_string(source).render(_dates(today)).encode()


def _dates(today: date) -> Mapping[str, Callable[..., str]]:
    """Return the template functions for dates; each takes days ago and mostly a time of day."""

    def moment(days: int, at: str) -> datetime:
        return datetime.combine(today - timedelta(days=days), time.fromisoformat(at), BERLIN)

    def rfc822(days: int, at: str = "10:15") -> str:
        return format_datetime(moment(days, at))

    def iso(days: int, at: str = "10:15") -> str:
        return moment(days, at).isoformat()

    def german_short(days: int, at: str = "10:15") -> str:
        day = moment(days, at)
        return f"{DAYS[day.weekday()]}, {day:%d} {MONTHS[day.month - 1][:3]} {day:%Y %H:%M:%S %z}"

    def german_long(days: int) -> str:
        day = today - timedelta(days=days)
        return f"{day.day}. {MONTHS[day.month - 1]} {day.year}"

    def german_numeric(days: int) -> str:
        return f"{today - timedelta(days=days):%d.%m.%Y}"

    def german_clock(days: int, at: str = "10:15") -> str:
        day = moment(days, at)
        return f"{DAYS[day.weekday()]}, {day:%d.%m.%Y - %H:%M}"

    return {
        function.__name__: function
        for function in (rfc822, iso, german_short, german_long, german_numeric, german_clock)
    }


@dataclass(frozen=True)
class _Page:
    """The response of one path."""

    body: bytes
    content_type: str
    etag: str
    modified: datetime

    @classmethod
    def of(cls, body: bytes, content_type: str, modified: datetime) -> Self:
        """Return a page whose strong ETag is the hash of its bytes (RFC 9110, section 8.8.3)."""
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return cls(body, content_type, etag, modified)

    def is_known(self, none_match: str | None, modified_since: str | None) -> bool:
        """Return True if the client has these bytes; If-None-Match takes precedence (RFC 9110, 13.2.2)."""
        if none_match is not None:
            tags = [tag.strip().removeprefix("W/") for tag in none_match.split(",")]
            return self.etag in tags or "*" in tags
        try:
            return modified_since is not None and self.modified <= parsedate_to_datetime(
                modified_since
            )
        except (TypeError, ValueError):  # not a date, or one without a zone: send the page
            return False


class _Server(ThreadingHTTPServer):
    """A loopback server for given pages, which makes no DNS query about itself."""

    def __init__(self, pages: Mapping[str, _Page]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages = pages

    def server_bind(self) -> None:
        # HTTPServer's own would look up the host name, which can wait on DNS.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD from the server's pages, without logging."""

    server: _Server

    def do_GET(self) -> None:
        """Send a page, 304 if the client has it, or 404."""
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        known = page.is_known(self.headers["If-None-Match"], self.headers["If-Modified-Since"])
        self.send_response(HTTPStatus.NOT_MODIFIED if known else HTTPStatus.OK)
        self.send_header("ETag", page.etag)
        self.send_header("Last-Modified", format_datetime(page.modified, usegmt=True))
        if not known:
            self.send_header("Content-Type", page.content_type)
            self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if not known and self.command != "HEAD":
            self.wfile.write(page.body)

    do_HEAD = do_GET  # noqa: N815  http.server's names

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the demo's own report is the only output."""


class DemoSite:
    """The sample feeds over HTTP on a free port of 127.0.0.1, for as long as the context lasts.

    `now` must be aware; the feeds are dated relative to its day in Germany.
    """

    def __init__(self, now: datetime) -> None:
        """Render the feeds; nothing listens before the context is entered."""
        today = now.astimezone(BERLIN).date()
        midnight = datetime.combine(today, time(), BERLIN).astimezone(UTC)
        self._pages = {
            f"/{feed.file}": _Page.of(render_feed(feed.file, today), feed.content_type, midnight)
            for feed in SAMPLE_FEEDS
        }
        self._pages["/"] = _Page.of(_index().encode(), "text/html; charset=utf-8", midnight)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The URL of the site, without final slash."""
        if self._server is None:
            raise RuntimeError("the demo site has an address only inside its with block")
        return f"http://127.0.0.1:{self._server.server_port}"

    def feeds_toml(self) -> str:
        """Return a feeds.toml that lists the sample feeds at this site's URL."""
        tables = (
            "[[feeds]]\n"
            f"name = {_toml(feed.name)}\n"
            f"url = {_toml(f'{self.url}/{feed.file}')}\n"
            f"topics = {_toml(feed.topics)}\n"
            f"weight = {feed.weight}\n"
            'language = "de"\n'
            for feed in SAMPLE_FEEDS
        )
        return "# The demo's sample feeds, served on loopback while it runs.\n\n" + "\n".join(
            tables
        )

    def __enter__(self) -> Self:
        self._server = _Server(self._pages)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="demo-site", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
        self._server = self._thread = None


def _toml(value: str | tuple[str, ...]) -> str:
    """Return a string or a list of strings in TOML, whose syntax for them is JSON's."""
    return json.dumps(value, ensure_ascii=False)


def _index() -> str:
    """Return a page that lists the feeds. The names are constants and need no escaping."""
    links = "\n".join(f'<li><a href="/{feed.file}">{feed.name}</a></li>' for feed in SAMPLE_FEEDS)
    return (
        '<!doctype html>\n<html lang="de">\n<meta charset="utf-8">\n'
        "<title>Erfundene Quellen für die Vorführung</title>\n"
        f"<h1>Erfundene Quellen für die Vorführung</h1>\n<ul>\n{links}\n</ul>\n</html>\n"
    )

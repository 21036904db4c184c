"""A normal Thursday after a thousand issues: collect, preview, approve, send, close, archive, look.

    .venv/bin/python bench/thursday.py [--issues 1000] [--past-readers 1000] [--readers 100000]
                                       [--feeds 20] [--items-a-week 3] [--steps "feeds collect,…"]
                                       [--store postgres]

Two publications have the same readers, feeds and essay of the day; one has sent an issue in each of so many
weeks before, each with an essay and items of its own, deliveries to some of the readers, bounces,
unsubscribes and reports, and its feeds have brought so many items a week. Before the day begins both are
tidied, their archive is built and their files are checked, as in the weeks before. Each step is a command in
a process of its own, and the mails go to Postfix's smtp-sink. Prints CPU seconds (the command with its
processes, without Postgres) and seconds of both.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.flows.delivery_counts import configure_relay
from tests.growth.grown import add_history, essay_text, texts_of_items
from tests.postgres_server import DebianPostgres
from tests.processes import smtp_sink
from tests.publications import Publication, create_publication, today

from upcycle_news.app.context import AppContext
from upcycle_news.models import FeedItem
from upcycle_news.services.feeds.item_recognition import marking
from upcycle_news.storage import feeds
from upcycle_news.storage.feeds import FeedState

ENTRIES = 30
BEFORE = (("subscribers", "tidy"), ("archive", "build"), ("check",))
STEPS = (
    ("feeds", "collect"),
    ("essay", "list"),
    ("issue", "plan"),
    ("issue", "preview"),
    ("issue", "approve"),
    ("issue", "send", "--yes"),
    ("archive", "build"),
    ("issue", "status"),
    ("subscribers", "stats"),
    ("metrics",),
    ("check",),
    ("doctor", "--offline"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--issues", type=int, default=1000)
    parser.add_argument("--past-readers", type=int, default=1000)
    parser.add_argument("--readers", type=int, default=100_000)
    parser.add_argument("--feeds", type=int, default=20)
    parser.add_argument(
        "--items-a-week", type=int, default=3, help="of each feed, in the weeks before"
    )
    parser.add_argument(
        "--steps", default=",".join(map(" ".join, STEPS)), help="some of them, in their order"
    )
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    options = parser.parse_args()
    steps = [tuple(step.split()) for step in options.steps.split(",")]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        port = stack.enter_context(smtp_sink())
        server = stack.enter_context(DebianPostgres()) if options.store == "postgres" else None
        site = Path(folder) / "site"
        site.mkdir()
        url = stack.enter_context(served(site))
        write_feeds(site, options.feeds)
        figures = []
        for name, issues in (("empty", 0), ("grown", options.issues)):
            if server is not None:
                database = server.database(name).replace("postgresql://", "postgresql+psycopg://")
                os.environ["UPCYCLE_NEWS_STORE"] = database
            began = time.monotonic()
            publication = made(Path(folder) / name, url, port, options, issues)
            print(f"{name}: made in {time.monotonic() - began:.0f} s", flush=True)
            figures.append([told(publication, command) for command in steps])
    print(
        f"\n| step, {options.readers:,} readers | CPU s, no issue before | {options.issues:,} | ratio"
        " | s, no issue before | s | ratio |\n|---|--:|--:|--:|--:|--:|--:|"
    )
    for command, few, many in zip(steps, *figures, strict=True):
        cells = " | ".join(
            f"{a:.2f} | {b:.2f} | {b / max(a, 0.01):.2f}" for a, b in zip(few, many, strict=True)
        )
        print(f"| `{' '.join(command)}` | {cells} |")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the files of a folder on loopback."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def write_feeds(site: Path, count: int) -> None:
    texts, now = texts_of_items(), datetime.now(UTC)
    for number in range(count):
        entries = []
        for each in range(ENTRIES):
            title, summary = next(texts)
            at = (now - timedelta(hours=20 * each + number)).isoformat()
            entries.append(
                f"<entry><id>urn:{number}:{each}</id><title>{title}</title><summary>{summary}</summary>"
                f'<link href="https://seite{number}.example/{each}"/><updated>{at}</updated></entry>'
            )
        (site / f"{number}.xml").write_text(
            f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Feed {number}</title>'
            f"{''.join(entries)}</feed>",
            encoding="utf-8",
        )


def made(home: Path, url: str, port: int, options: argparse.Namespace, issues: int) -> Publication:
    """Return a publication with its readers, the issues before today and the essay of the day."""
    day = date.fromisoformat(today())
    publication = Publication(create_publication(home), lambda: datetime.now(UTC))
    configure_relay(publication, port)
    os.environ["UPCYCLE_NEWS_FEEDS__ALLOW_PRIVATE"] = '["127.0.0.1"]'
    listed = "\n".join(
        f'[[feeds]]\nname = "Feed {number}"\nurl = "{url}/{number}.xml"\n'
        for number in range(options.feeds)
    )
    (home / "content/feeds.toml").write_text(listed, encoding="utf-8")
    context = publication.context()
    past = min(options.past_readers, options.readers)
    add_readers(publication, 0, past)
    if issues:
        add_history(publication, issues, before=day)
        add_past_items(context, url, options, issues, day)
    add_readers(publication, past, options.readers)
    for command in BEFORE:
        step(publication, command)
    publication.write_essay(text=essay_text())
    return publication


def add_readers(publication: Publication, first: int, last: int) -> None:
    publication.add_subscribers(*(f"reader{number}@example.org" for number in range(first, last)))


def add_past_items(
    context: AppContext, url: str, options: argparse.Namespace, weeks: int, day: date
) -> None:
    """Store what each feed brought in the weeks before; its newest items come when it is collected."""
    texts = texts_of_items()
    for number in range(options.feeds):
        items = []
        for week in range(4, weeks):
            at = datetime.combine(day, datetime.min.time(), UTC) - timedelta(weeks=week)
            for each in range(options.items_a_week):
                title, summary = next(texts)
                link = f"https://seite{number}.example/{week}/{each}"
                items.append(
                    FeedItem(
                        key=link,
                        feed=f"Feed {number}",
                        link=link,
                        canonical=link,
                        title=title,
                        summary=summary,
                        date=at,
                        date_source="feed",
                        guid=link,
                    )
                )
        state = FeedState(f"{url}/{number}.xml", f"Feed {number}")
        feeds.record(context.store, state, items, now=context.clock(), marking=marking())
    with context.store.writing() as connection:  # their last body was this week's, not all of them
        connection.execute(text("UPDATE feed_bodies SET item_keys = '[]'"))


def told(publication: Publication, command: tuple[str, ...]) -> tuple[float, float]:
    """Do as `step` does, and print the figures at once: with many issues the whole takes a while."""
    cpu, seconds = step(publication, command)
    print(f"  {' '.join(command)}: {cpu:.2f} CPU s, {seconds:.2f} s", flush=True)
    return cpu, seconds


def step(publication: Publication, command: tuple[str, ...]) -> tuple[float, float]:
    """Run a command; returns its CPU seconds, with its processes', and its seconds."""
    before, began = children_cpu(), time.monotonic()
    program = "from upcycle_news.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *command],
        cwd=publication.home,
        env={**os.environ, "UPCYCLE_NEWS_HOME": str(publication.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode and command[0] not in ("check", "doctor"):
        raise SystemExit(f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return children_cpu() - before, seconds


def children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()

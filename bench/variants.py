"""What variants cost: an issue by 8 topics in 2 languages, beside the same issue for everybody.

    .venv/bin/python bench/variants.py [--readers 50000] [--connections 8] [--store URL] [--rounds 1]

Both issues go to the same readers through the same smtp-sink, in turn; told are messages a second, CPU
seconds of all our processes for a thousand messages, and what preview and queueing took. Compare ratios
within one run only. On a machine that others use, too, the ratio of CPU seconds is the one to trust.
Needs smtp-sink (apt-get install postfix). A Postgres store must be empty: its tables are dropped.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.processes import smtp_sink

from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import load_settings
from upcycle_news.models import EmailAddress, FeedItem, IssueId
from upcycle_news.scaffold.layout import init_publication
from upcycle_news.services.delivery import send
from upcycle_news.services.issues import approval, compose, render
from upcycle_news.storage import subscribers
from upcycle_news.storage.feeds import FeedState, record
from upcycle_news.storage.subscribers import NewSubscriber

ISSUE = IssueId(date(2026, 11, 26))
TOPICS = tuple(f"Thema{number}" for number in range(8))
SETTINGS = """\
[publication]
name = "Umbaupost"
public_url = "https://umbaupost.example.net"
[sender]
address = "post@umbaupost.example.net"
[imprint]
lines = ["Umbau e. V., Lange Straße 1, 12345 Musterstadt"]
[issue]
items = 8
per_section = 8
length = "full"
variants = BOUND
"""
BY_CHOICE = f"""\
foreign_items = "show"
[audience]
topics = {json.dumps(list(TOPICS))}
[languages.en]
"""
WORDS = "Der Bestand ist gebaut, bezahlt und vertraut; wer ihn umbaut, fängt nicht bei null an. "


@dataclass
class Measured:
    """Seconds of a preview, of queueing and of sending; `cpu` are those of all processes that send."""

    preview: float
    variants: int
    queueing: float
    sending: float
    cpu: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=50_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--bound", type=int, default=512, help="issue.variants; its default is 256")
    parser.add_argument("--store", default="", help="postgresql+psycopg://…; default: SQLite")
    options = parser.parse_args()
    if shutil.which("smtp-sink") is None:
        print("smtp-sink is missing: apt-get install postfix")
        return 1
    ratios, costs = [], []
    for number in range(options.rounds):
        results = {}
        # In turn, and each first once: caches and neighbours favour nobody.
        for by_choice in (False, True) if number % 2 == 0 else (True, False):
            results[by_choice] = measure(options, by_choice)
            tell(by_choice, options.readers, results[by_choice])
        ratios.append(results[False].sending / results[True].sending)
        costs.append(results[False].cpu / results[True].cpu)
    print(f"rate with variants : without = {statistics.median(ratios):.3f}")
    print(f"CPU without : with variants = {statistics.median(costs):.3f}")
    return 0


def tell(by_choice: bool, readers: int, result: Measured) -> None:
    name = f"{result.variants} variants" if by_choice else "one for all"
    print(
        f"{name:14} {readers / result.sending:6.0f} a second  "
        f"{1000 * result.cpu / readers:5.2f} CPU s/1000  preview {result.preview:5.1f} s  "
        f"queueing {result.queueing:5.2f} s",
        flush=True,
    )


def measure(options: argparse.Namespace, by_choice: bool) -> Measured:
    """Prepare, preview, queue and send one issue."""
    with tempfile.TemporaryDirectory() as folder, smtp_sink() as port:
        home = Path(folder) / "publication"
        environment = {
            "UPCYCLE_NEWS_HOME": str(home),
            "UPCYCLE_NEWS_RELAYS__MAIN__HOST": "127.0.0.1",
            "UPCYCLE_NEWS_RELAYS__MAIN__PORT": str(port),
            "UPCYCLE_NEWS_RELAYS__MAIN__SECURITY": "none",
            "UPCYCLE_NEWS_RELAYS__MAIN__CONNECTIONS": str(options.connections),
        }
        if options.store:
            environment["UPCYCLE_NEWS_STORE"] = options.store
            empty(options.store)
        inside, outside = os.pipe()
        if os.fork() == 0:  # so that its memory and time do not count as sending
            prepared = prepare(home, options.readers, environment, by_choice, options.bound)
            os.write(outside, json.dumps(prepared).encode())
            os._exit(0)
        os.close(outside)
        with os.fdopen(inside) as answer:
            preview, variants, queueing = json.loads(answer.read())
        os.wait()
        command = [str(Path(sys.executable).parent / "upcycle-news"), "issue", "resume", str(ISSUE)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.monotonic()
        done = subprocess.run(
            [*command, "--json"], env={**os.environ, **environment}, capture_output=True, text=True
        )
        seconds = time.monotonic() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode or json.loads(done.stdout)["sent"] != options.readers:
            raise SystemExit(done.stdout + done.stderr)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Measured(preview, variants, queueing, seconds, cpu)


def empty(store: str) -> None:
    """Drop what a run before left in a Postgres store."""
    import psycopg

    url = store.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def prepare(
    home: Path, readers: int, environment: dict[str, str], by_choice: bool, bound: int
) -> tuple[float, int, float]:
    """Create a publication with a queued issue; returns seconds of the preview, variants, seconds of queueing."""
    init_publication(home, name="Umbaupost", today=date(2026, 11, 1))
    settings = SETTINGS.replace("BOUND", str(bound)) + (BY_CHOICE if by_choice else "")
    (home / "newsletter.toml").write_text(settings, encoding="utf-8")
    for sample in (home / "content/essays").glob("*.md"):
        sample.unlink()
    listed = "".join(
        f'[[feeds]]\nname = "Blatt {topic}"\nurl = "https://{topic.lower()}.example/feed"\n'
        f'topics = ["{topic}"]\n'
        for topic in TOPICS
    )
    (home / "content/feeds.toml").write_text(listed, encoding="utf-8")
    links = ", ".join(f"https://{topic}.example/artikel".lower() for topic in TOPICS)
    text = (WORDS * 6 + "\n\n") * 80
    for language in ("de", "en") if by_choice else ("de",):
        path = home / f"content/essays/2026-11-26-bestand.{language}.md"
        path.write_text(
            f'---\ntitle: "Bestand {language}"\nauthor: Redaktion\ndate: 2026-11-26\n'
            f"pin: [{links}]\nstatus: ready\n---\n\n{text}",
            encoding="utf-8",
        )
    with patch.dict(os.environ, environment), AppContext(load_settings(home)) as context:
        subscribers.add_subscribers(
            context.store, people(readers), source="bench", now=context.clock(), dry_run=False
        )
        for topic in TOPICS:
            link = f"https://{topic}.example/artikel".lower()
            item = FeedItem(
                link, f"Blatt {topic}", link, link, f"Meldung aus {topic}", WORDS,
                datetime(2026, 11, 25, 9, tzinfo=UTC), "feed",
            )  # fmt: skip
            record(context.store, FeedState(f"https://{topic.lower()}.example/feed", topic), [item],
                   now=context.clock())  # fmt: skip
        begun = time.monotonic()
        rendered = render.render_revision(context, compose.compose_issue(context, ISSUE))
        preview = time.monotonic() - begun
        approval.approve(context, rendered, by="bench", composed_now=True)
        begun = time.monotonic()
        send.enqueue(context, rendered)
        queueing = time.monotonic() - begun
        return preview, len(rendered.revision.manifest.variants.all) or 1, queueing


def people(count: int) -> Iterator[NewSubscriber]:
    """Yield readers of both languages with every set of topics, the same ones in each run."""
    chance = random.Random(1)
    for number in range(count):
        topics = tuple(topic for topic in TOPICS if chance.random() < 0.5)
        yield NewSubscriber(
            EmailAddress(f"reader{number}@example.org"),
            language=chance.choice(("de", "en")),
            topics=topics,
        )


if __name__ == "__main__":
    sys.exit(main())

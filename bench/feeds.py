"""Collecting 200 feeds on loopback, beside the package `reader` doing the same.

    python bench/feeds.py              about four minutes
    python bench/feeds.py --feeds 40   a quick look

Each feed is a host of its own (127.0.x.y). Measured in a process for each: first collection,
unchanged collection (the median of five), the same with one host that takes 3 s to answer, and with
one that sends its body a byte a second for a minute. Time is the wall clock of the collection alone;
memory is the peak of the whole program with its children (PSS, every 50 ms). `reader` (PyPI) lives in an
environment of its own under var/bench; where it cannot be installed, its lines are missing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / "var" / "bench" / "reader-venv"
READER = ("reader==3.26", "sgmllib3k==1.0.0", "feedparser==6.0.14")
ENTRIES = 30
SCENES = {"first": "", "unchanged": "", "one slow host": "slow", "one dripping host": "drip"}
UNCHANGED_RUNS = 5
SLOW_SECONDS, DRIP_SECONDS, DEADLINE = 3, 60, 10
PARAGRAPH = (
    "<p>Die Stadt hat das alte Kaufhaus am Markt gekauft und baut es mit <b>gebrauchten</b> Teilen "
    'um. Mehr dazu im <a href="/bericht">Bericht</a>, Abschnitt {n}.</p>'
)


def body_of(number: int, now: datetime) -> bytes:
    items = "".join(
        f"<item><title>Meldung {n} aus Ort {number}</title><link>http://ort{number}.example/{n}</link>"
        f"<guid>http://ort{number}.example/{n}</guid>"
        f"<pubDate>{format_datetime(now - timedelta(hours=n))}</pubDate>"
        f"<description><![CDATA[{''.join(PARAGRAPH.format(n=n) for _ in range(12))}]]></description></item>"
        for n in range(ENTRIES)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>'
        f"<title>Blatt {number}</title><link>http://ort{number}.example/</link>{items}</channel></rss>"
    ).encode()


# --- the feed site, in a process of its own ----------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Site = self.server  # type: ignore[assignment]
        name = self.path.strip("/")
        if name == "counts":
            return self.reply(200, json.dumps(server.counts).encode(), {})
        if name.startswith("scene"):
            server.scene, server.counts = name.partition("=")[2], Counter()
            return self.reply(200, b"ok", {})
        server.counts[name] += 1
        body = server.bodies[name]
        etag = f'"{sha256(body).hexdigest()[:16]}"'
        if name == "0" and server.scene == "slow":
            time.sleep(SLOW_SECONDS)
        if name == "0" and server.scene == "drip":
            return self.drip()
        if self.headers.get("If-None-Match") == etag:
            return self.reply(304, b"", {"ETag": etag})
        return self.reply(
            200, body, {"ETag": etag, "Content-Type": "application/rss+xml; charset=utf-8"}
        )

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(DRIP_SECONDS))
        self.end_headers()
        try:
            for _ in range(DRIP_SECONDS):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(1)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class Site(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    scene = ""

    def __init__(self, feeds: int) -> None:
        super().__init__(("0.0.0.0", 0), Handler)
        now = datetime.now(UTC).replace(microsecond=0)
        self.bodies = {str(number): body_of(number, now) for number in range(feeds)}
        self.counts: Counter[str] = Counter()

    def handle_error(self, *_: object) -> None:
        pass


def serve(feeds: int) -> None:
    site = Site(feeds)
    print(site.server_port, flush=True)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    sys.stdin.read()


def urls(port: int, feeds: int) -> list[str]:
    return [f"http://127.0.{1 + n // 200}.{1 + n % 200}:{port}/{n}" for n in range(feeds)]


# --- the two programs, each in a process of its own ---------------------------------------------


def run_ours(port: int, feeds: int, home: Path) -> dict[str, object]:
    import upcycle_news.feeds.fetcher  # noqa: F401  as `import reader` comes before its clock
    from upcycle_news.app.context import AppContext
    from upcycle_news.services.feeds.collect import collect_feeds

    (home / "newsletter.toml").write_text("", encoding="utf-8")
    (home / "content").mkdir(exist_ok=True)
    tables = (
        f'[[feeds]]\nname = "F{n}"\nurl = "{url}"\n' for n, url in enumerate(urls(port, feeds))
    )
    (home / "content/feeds.toml").write_text("\n".join(tables), encoding="utf-8")
    os.environ["UPCYCLE_NEWS_FEEDS__ALLOW_PRIVATE"] = "true"
    os.environ["UPCYCLE_NEWS_FEEDS__DEADLINE_SECONDS"] = str(DEADLINE)
    with AppContext.open(home) as context:
        _ = context.store
        began = time.perf_counter()
        report = collect_feeds(context, everything=True)
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "items": report.items, "failed": len(report.failed)}


READER_SCRIPT = """
import json, sys, time
import reader
port, home, workers, urls = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), json.loads(sys.stdin.read())
r = reader.make_reader(home + "/reader.sqlite")
for url in urls:
    r.add_feed(url, exist_ok=True)
began = time.perf_counter()
new = failed = 0
for result in r.update_feeds_iter(scheduled=False, workers=workers):
    if isinstance(result.value, Exception):
        failed += 1
    elif result.value is not None:
        new += result.value.new
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "items": new, "failed": failed}))
"""


def process_tree(root: int) -> list[int]:
    """Return a process id and those of all its descendants."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, rest = path.read_text().split(" (", 1)
            parents.setdefault(int(rest.rpartition(") ")[2].split()[1]), []).append(int(number))
        except (OSError, ValueError):
            continue
    pids = [root]
    for pid in pids:
        pids += parents.get(pid, [])
    return pids


def memory_mb(root: int) -> float:
    """Return the memory of a process and its descendants; shared pages count proportionally (PSS)."""
    total = 0
    for pid in process_tree(root):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next(
            (int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0
        )
    return total / 1024


def measure(command: list[str], standard_input: str = "") -> dict[str, float]:
    """Run a program and watch its memory, and that of its children, every 50 ms."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert (
            running.stdin is not None and running.stdout is not None and running.stderr is not None
        )
        running.stdin.write(standard_input)
        running.stdin.close()
        peak = 0.0
        while running.poll() is None:
            peak = max(peak, memory_mb(running.pid))
            time.sleep(0.05)
        output, errors = running.stdout.read(), running.stderr.read()
    if running.returncode:
        return {"error": 1.0, "message": errors.strip().splitlines()[-1:]}  # type: ignore[dict-item]
    return {**json.loads(output.strip().splitlines()[-1]), "peak": peak}


def reader_python() -> Path | None:
    """Return the interpreter that has `reader`; installs it once, with pip."""
    python = VENV / "bin" / "python"
    probe = [str(python), "-c", "import reader, sgmllib"]
    if python.exists() and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return python
    VENV.parent.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True, capture_output=True)
        install = [str(python), "-m", "pip", "install", "-q", *READER]
        subprocess.run(install, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"reader is left out: it cannot be installed ({type(error).__name__})")
        return None
    return python


def get(port: int, path: str) -> bytes:
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as reply:
        return reply.read()


def print_table(port: int, feeds: int, programs: dict[str, list[str]], standard_input: str) -> None:
    print("| | program | seconds | peak MB | requests per feed | new items | failed |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for scene, behaviour in SCENES.items():
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
        # The programs alternate, so that they share the machine's noise.
        for _ in range(UNCHANGED_RUNS if scene == "unchanged" else 1):
            for name, command in programs.items():
                get(port, f"scene={behaviour}")
                result = measure(command, standard_input)
                requests = sum(json.loads(get(port, "counts")).values())
                runs[name].append({**result, "requests": requests / feeds})
        for name, results in runs.items():
            if any("error" in result for result in results):
                print(f"| {scene} | {name} | failed: {results[0].get('message')} | | | | |")
                continue
            middle = {key: median(result[key] for result in results) for key in results[0]}
            print(
                f"| {scene} | {name} | {middle['seconds']:.2f} | {middle['peak']:.0f} | "
                f"{middle['requests']:.2f} | {middle['items']:.0f} | {middle['failed']:.0f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feeds", type=int, default=200)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--ours", nargs=2, metavar=("PORT", "HOME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.feeds)
    if options.ours:
        result = run_ours(int(options.ours[0]), options.feeds, Path(options.ours[1]))
        print(json.dumps(result))
        return None
    this_script = [sys.executable, str(Path(__file__).resolve()), "--feeds", str(options.feeds)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [*this_script, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as site,
    ):
        assert site.stdout is not None and site.stdin is not None
        port = int(site.stdout.readline())
        programs = {"upcycle_news": [*this_script, "--ours", str(port), f"{folder}/ours"]}
        Path(folder, "ours").mkdir()
        if python := reader_python():
            for workers in (1, 8):
                Path(folder, f"reader{workers}").mkdir()
                programs[f"reader, {workers} worker{'s' * (workers > 1)}"] = [
                    str(python), "-c", READER_SCRIPT, str(port), f"{folder}/reader{workers}", str(workers),
                ]  # fmt: skip
        print(f"{options.feeds} feeds of {ENTRIES} entries, {len(body_of(0, datetime.now(UTC))) / 1000:.0f} kB each; "
              f"{os.cpu_count()} cores, Python {sys.version.split()[0]}\n")  # fmt: skip
        print_table(port, options.feeds, programs, json.dumps(urls(port, options.feeds)))
        site.stdin.close()
    return None


if __name__ == "__main__":
    main()

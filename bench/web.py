"""The web server under load while an issue is sent from the same store; needs wrk (apt-get).

    python bench/web.py [READERS] [SECONDS]

Serves a publication in a temporary folder as a process of its own, sends an issue to READERS over
the embedded mailbox in another one, and runs wrk meanwhile. Prints requests per second, p99,
and whether any response or log mentions a locked database.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.publications import Publication, create_publication, today

from upcycle_news.subscribers.link_tokens import Purpose

PORT = 8047
URL = f"http://127.0.0.1:{PORT}"


def main(readers: int, seconds: int) -> None:
    wrk = shutil.which("wrk") or sys.exit("wrk is not here: apt-get install wrk")
    command = [str(Path(sys.executable).parent / "upcycle-news")]
    with tempfile.TemporaryDirectory() as folder:
        home = create_publication(Path(folder) / "umbaupost")
        environment = {**os.environ, "UPCYCLE_NEWS_PUBLICATION__PUBLIC_URL": URL}
        with Publication(home, lambda: datetime.now(UTC)) as publication:
            publication.add_many_subscribers(readers)
            publication.write_essay()
            tokens = [
                publication.context().link_signer.token(Purpose.UNSUBSCRIBE, number)
                for number in range(1, min(readers, 2000) + 1)
            ]
        log = (home / "web.log").open("wb")
        server = subprocess.Popen(
            [*command, "web", "--port", str(PORT)], cwd=home, env=environment, stderr=log
        )
        sender = None
        try:
            _wait()
            sender = subprocess.Popen(
                [*command, "issue", "send", today(), "--yes", "--no-collect", "--json"],
                cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True,
            )  # fmt: skip
            time.sleep(5)
            for name, script in (
                (
                    "GET /subscribe",
                    'request = function() return wrk.format("GET", "/subscribe") end',
                ),
                ("GET /unsubscribe/TOKEN", _script("GET", tokens)),
                ("POST /unsubscribe/TOKEN", _script("POST", tokens)),
            ):
                (home / "wrk.lua").write_text(script, encoding="utf-8")
                sending = sender.poll() is None
                done = subprocess.run(
                    [wrk, "-t1", "-c16", f"-d{seconds}s", "--latency", "-s", "wrk.lua", URL],
                    cwd=home, capture_output=True, text=True, check=True,
                )  # fmt: skip
                print(f"{name}: {_figures(done.stdout)}; an issue was being sent: {sending}")
            out, err = sender.communicate(timeout=600)
            print("issue:", out.strip()[-300:], err.strip()[-300:])
        finally:
            server.terminate()
            server.wait(20)
            if sender is not None and sender.poll() is None:
                sender.terminate()
            log.close()
        logs = (home / "web.log").read_text() + err
        print("mentions a lock:", "locked" in logs)


def _script(method: str, tokens: list[str]) -> str:
    listed = ",".join(f'"{token}"' for token in tokens)
    body = '"List-Unsubscribe=One-Click"' if method == "POST" else "nil"
    return (
        f"local t = {{{listed}}}\nlocal n = 0\n"
        'local h = {["Content-Type"] = "application/x-www-form-urlencoded"}\n'
        "request = function()\n  n = n % #t + 1\n"
        f'  return wrk.format("{method}", "/unsubscribe/" .. t[n], h, {body})\nend\n'
    )


def _figures(text: str) -> str:
    rate = re.search(r"Requests/sec:\s+(\S+)", text)
    p99 = re.search(r"99%\s+(\S+)", text)
    errors = re.search(r"(Non-2xx.*|Socket errors.*)", text)
    return f"{rate and rate[1]}/s, p99 {p99 and p99[1]}, {errors[1] if errors else 'no errors'}"


def _wait() -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(f"{URL}/healthz", timeout=2).read()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("the web server did not start")


if __name__ == "__main__":
    main(*(int(argument) for argument in (sys.argv[1:] or ("20000", "10"))))

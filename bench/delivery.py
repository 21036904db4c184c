"""Delivery rate of an issue, compared with other senders, into Postfix's smtp-sink.

    .venv/bin/python bench/delivery.py [--readers 10000] [--connections 8] [--profile]

Needs smtp-sink and smtp-source (apt-get install postfix) and, for nodemailer, npm. All senders of a
run meet the same sink with messages of the same size over the same number of connections; yagmail
and the loop over one connection have one, because that is how they are used. Compare ratios within
one run only: the machine is never quite the same twice.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.processes import smtp_sink

from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import load_settings
from upcycle_news.models import EmailAddress, IssueId
from upcycle_news.scaffold.layout import init_publication
from upcycle_news.services.delivery import send as send_service
from upcycle_news.services.issues import approval, compose, render
from upcycle_news.storage import revisions, subscribers
from upcycle_news.storage.subscribers import NewSubscriber

ROOT = Path(__file__).resolve().parents[1]
SIZE = 60_000
RESUME = [
    sys.executable, str(Path(sys.executable).parent / "upcycle-news"),
    "issue", "resume", "2026-11-26", "--json",
]  # fmt: skip


@dataclass
class Used:
    """What a sender needed itself, without its preparation: seconds, CPU seconds, peak MB of the largest process."""

    seconds: float
    cpu: float
    peak: float


Send = Callable[[int, int, int, bool], Used | None]
ISSUE = IssueId(date(2026, 11, 26))
SETTINGS = """\
[publication]
name = "Umbaupost"
public_url = "https://umbaupost.example.net"
[sender]
address = "post@umbaupost.example.net"
[imprint]
lines = ["Umbau e. V., Lange Straße 1, 12345 Musterstadt"]
"""
NODE = """\
const nodemailer = require('nodemailer');
const [port, count, connections, file] = process.argv.slice(2);
const html = require('fs').readFileSync(file, 'utf8');
const transport = nodemailer.createTransport({host: '127.0.0.1', port: +port, pool: true,
  maxConnections: +connections, maxMessages: Infinity, ignoreTLS: true});
(async () => {
  let next = 0;
  const work = async () => {
    while (next < +count) {
      const n = next++, link = `https://umbaupost.example.net/u/${n}-0123456789012345678901234567890`;
      await transport.sendMail({from: 'post@umbaupost.example.net', to: `reader${n}@example.org`,
        subject: 'Was vom Bahnhof bleibt', text: `Abbestellen: ${link}`,
        html: html.replace('LINK', link), headers: {'List-Unsubscribe': `<${link}>`,
        'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click'}});
    }
  };
  await Promise.all(Array.from({length: +connections}, work));
  transport.close();
})();
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--few", type=int, default=600, help="messages for the slow senders")
    parser.add_argument("--only", default="", help="names of senders, with commas")
    parser.add_argument("--profile", action="store_true", help="profile our sender")
    parser.add_argument("--enqueue", type=int, default=0, help="only enqueue this many deliveries")
    options = parser.parse_args()
    if options.enqueue:
        return enqueue(options.enqueue)
    for tool in ("smtp-sink", "smtp-source"):
        if shutil.which(tool) is None:
            print(f"{tool} is missing: apt-get install postfix")
            return 1
    senders: dict[str, tuple[int, Send]] = {
        "smtp-source": (options.readers, smtp_source),
        "upcycle-news": (options.readers, ours),
        "upcycle-news dkim": (options.readers, ours_signed),
        "upcycle-news quota": (options.readers, ours_limited),
        "nodemailer": (min(options.readers, 5 * options.few), nodemailer),
        "EmailMessage loop": (options.few, loop),
        "yagmail.send": (options.few // 4, yagmail_send),
    }
    chosen = [name for name in options.only.split(",") if name] or list(senders)
    print(f"{SIZE} bytes, {options.connections} connections, {os.cpu_count()} cores")
    print(f"{'sender':18} {'messages':>8} {'per second':>10} {'cpu s/1000':>10} {'peak MB':>8}")
    rates: dict[str, float] = {}
    for name in chosen:
        count, send = senders[name]
        with smtp_sink() as port:
            used = measured(send, port, count, options.connections, options.profile)
        rates[name] = count / used.seconds
        print(
            f"{name:18} {count:8} {rates[name]:10.0f} {1000 * used.cpu / count:10.3f} {used.peak:8.0f}",
            flush=True,
        )
    for name in ("upcycle-news", "upcycle-news dkim", "upcycle-news quota"):
        for other in (
            "smtp-source",
            "upcycle-news",
            "nodemailer",
            "EmailMessage loop",
            "yagmail.send",
        ):
            if name != other and name in rates and other in rates:
                print(f"{name} : {other} = {rates[name] / rates[other]:.2f}")
    return 0


def measured(send: Send, port: int, count: int, connections: int, profile: bool) -> Used:
    """Send in a child process, and return what that needed, or what `send` says that it needed."""
    inside, outside = os.pipe()
    child = os.fork()
    if child == 0:
        begun = time.monotonic()
        try:
            used = send(port, count, connections, profile)
            if used is None:
                whole = [resource.getrusage(who) for who in (0, resource.RUSAGE_CHILDREN)]
                used = _used(begun, *whole)
            os.write(outside, json.dumps(asdict(used)).encode())
        finally:
            os._exit(0)
    os.close(outside)
    with os.fdopen(inside) as answer:
        output = answer.read()
    os.waitpid(child, 0)
    if not output:
        raise SystemExit("the sender failed")
    return Used(**json.loads(output))


def _used(begun: float, *usages: resource.struct_rusage) -> Used:
    return Used(
        time.monotonic() - begun,
        sum(usage.ru_utime + usage.ru_stime for usage in usages),
        max(usage.ru_maxrss for usage in usages) / 1024,
    )


def in_child(work: Callable[[], None]) -> None:
    """Do `work` in a process of its own, so that its memory and time do not count as sending."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    os.waitpid(child, 0)


def environment_of(home: Path, port: int, connections: int) -> dict[str, str]:
    """Return the environment of a publication at `home` whose relay is on `port`."""
    return {
        **os.environ,
        "UPCYCLE_NEWS_HOME": str(home),
        "UPCYCLE_NEWS_RELAYS__MAIN__HOST": "127.0.0.1",
        "UPCYCLE_NEWS_RELAYS__MAIN__PORT": str(port),
        "UPCYCLE_NEWS_RELAYS__MAIN__SECURITY": "none",
        "UPCYCLE_NEWS_RELAYS__MAIN__CONNECTIONS": str(connections),
        "PYTHONPYCACHEPREFIX": str(home.parent / "bytecode"),
        "PYTHONDONTWRITEBYTECODE": "",
    }


def smtp_source(port: int, count: int, connections: int, profile: bool) -> None:
    """Send with Postfix's smtp-source, the upper bound: C, one fixed message, no ledger."""
    command = ["smtp-source", "-d", "-s", str(connections), "-m", str(count)]
    command += ["-l", str(SIZE), "-f", "a@example.org", "-t", "b@example.org"]
    subprocess.run([*command, f"127.0.0.1:{port}"], check=True)


def lay_out(home: Path) -> None:
    """Create a publication whose essay is ready."""
    init_publication(home, name="Umbaupost", today=date(2026, 11, 1))
    (home / "newsletter.toml").write_text(SETTINGS, encoding="utf-8")
    (home / "content/feeds.toml").write_text("", encoding="utf-8")
    for essay in (home / "content/essays").glob("*.md"):
        text = essay.read_text(encoding="utf-8")
        essay.write_text(text.replace("status: draft", "status: ready"), encoding="utf-8")


def publication(home: Path, readers: int, environment: dict[str, str]) -> None:
    """Create a publication with an enqueued issue of about 60 kB for `readers` subscribers."""
    lay_out(home)
    with patch.dict(os.environ, environment), AppContext(load_settings(home)) as context:
        new = (NewSubscriber(EmailAddress(f"reader{n}@example.org")) for n in range(readers))
        subscribers.add_subscribers(
            context.store, new, source="bench", now=context.clock(), dry_run=False
        )
        rendered = render.render_revision(context, compose.compose_issue(context, ISSUE))
        context.store.close()
    with patch.dict(os.environ, environment), AppContext(load_settings(home)) as context:
        # The stored rendering is what is sent: bring it to the size of the comparison.
        filler = "Der Bestand ist gebaut, bezahlt und vertraut. " * 12
        pieces = rendered.content.html.rpartition("</body>")
        missing = SIZE - len(rendered.content.html.encode()) - 3000
        text = f"<!-- {filler} -->\n" * max(0, missing // (len(filler) + 10))
        grown = replace(rendered.content, html=pieces[0] + text + pieces[1] + pieces[2])
        _replace_rendering(context, rendered.revision_id, grown.html)
        rendered = render.render_revision(context, rendered.revision)  # as it is stored now
        approval.approve(context, rendered, by="bench", composed_now=True)
        send_service.enqueue(context, rendered)


def _replace_rendering(context: AppContext, revision_id: str, html: str) -> None:
    from sqlalchemy import update

    from upcycle_news.storage.schema import renderings

    with context.store.writing() as connection:
        connection.execute(update(renderings).values(html=html))
    assert revisions.load_rendering(context.store, ISSUE, revision_id) is not None


def ours(port: int, count: int, connections: int, profile: bool, **more: str) -> Used:
    """Run `upcycle-news issue resume`: ledger, personal links, several processes."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "publication"
        environment = {**environment_of(home, port, connections), **more}
        in_child(lambda: publication(home, count, environment))
        _compile_bytecode(environment)
        command = [*RESUME]
        if profile:
            (ROOT / "var/bench").mkdir(parents=True, exist_ok=True)
            command[1:1] = ["-m", "cProfile", "-o", str(ROOT / "var/bench/profile")]
        begun = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)  # with the further processes of the run
        if status or json.loads(output)["sent"] != count:
            raise SystemExit(output)
        return _used(begun, usage)


def _compile_bytecode(environment: dict[str, str]) -> None:
    """Compile bytecode as an installation or an earlier run does; not part of the measured time."""
    program = str(Path(sys.executable).parent / "upcycle-news")
    subprocess.run(
        [program, "issue", "status", str(ISSUE), "--json"], env=environment, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    modules = "upcycle_news.services.delivery.send, upcycle_news.services.delivery.worker_process, yagmail"
    subprocess.run([sys.executable, "-c", f"import {modules}"], env=environment, check=True)


def ours_signed(port: int, count: int, connections: int, profile: bool) -> Used:
    """Send as `ours`, with an RSA-2048 DKIM signature on each mail."""
    from upcycle_news.mail.dkim import generate

    key = {
        "UPCYCLE_NEWS_DKIM__SELECTOR": "bench",
        "UPCYCLE_NEWS_DKIM__RSA_KEY": generate("rsa").pem,
    }
    return ours(port, count, connections, profile, **key)


def ours_limited(port: int, count: int, connections: int, profile: bool) -> Used:
    """Send as `ours`, with quotas that have room, a send window that is open, and a second relay."""
    limits = {
        "UPCYCLE_NEWS_RELAYS__MAIN__QUOTAS": '["1000000/h"]',
        "UPCYCLE_NEWS_QUOTAS__SENDER": '["1000000/d"]',
        "UPCYCLE_NEWS_WINDOW__START": "00:00",
        "UPCYCLE_NEWS_WINDOW__END": "23:59",
        "UPCYCLE_NEWS_RELAYS__MAIN__FAILOVER": "second",
        "UPCYCLE_NEWS_RELAYS__SECOND__HOST": "127.0.0.1",
        "UPCYCLE_NEWS_RELAYS__SECOND__PORT": str(port),
        "UPCYCLE_NEWS_RELAYS__SECOND__SECURITY": "none",
    }
    return ours(port, count, connections, profile, **limits)


def _html() -> str:
    line = (
        "<p style='margin:0'>Der Bestand ist gebaut, bezahlt und vertraut. Größe löst nichts.</p>\n"
    )
    return "<html><body><a href='LINK'>Abbestellen</a>" + line * (54_000 // len(line))


def nodemailer(port: int, count: int, connections: int, profile: bool) -> Used:
    """Send with nodemailer, pooled and personalised; npm installs it under var/bench."""
    folder = ROOT / "var/bench/node"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules/nodemailer").is_dir():
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "nodemailer"],
            cwd=folder, check=True,
        )  # fmt: skip
    (folder / "send.js").write_text(NODE, encoding="utf-8")
    (folder / "issue.html").write_text(_html(), encoding="utf-8")
    begun = time.monotonic()
    command = ["node", "send.js", str(port), str(count), str(connections), "issue.html"]
    process = subprocess.Popen(command, cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("nodemailer failed")
    return _used(begun, usage)


def loop(port: int, count: int, connections: int, profile: bool) -> None:
    """Build and serialise a message for each subscriber, over one smtplib connection."""
    html = _html()
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as smtp:
        for number in range(count):
            link = f"https://umbaupost.example.net/u/{number}"
            message = EmailMessage()
            message["From"], message["To"] = "post@umbaupost.example.net", f"r{number}@example.org"
            message["Subject"], message["Date"] = "Was vom Bahnhof bleibt", formatdate()
            message["List-Unsubscribe"] = f"<{link}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
            message.set_content(f"Abbestellen: {link}")
            message.add_alternative(html.replace("LINK", link), subtype="html")
            smtp.send_message(message)


def yagmail_send(port: int, count: int, connections: int, profile: bool) -> None:
    """Send as in yagmail's own examples, without prettifying."""
    import yagmail

    html = _html()
    client = yagmail.SMTP(
        "post@umbaupost.example.net", "", host="127.0.0.1", port=port, smtp_ssl=False,
        smtp_starttls=False, smtp_skip_login=True, local_hostname="localhost",
    )  # fmt: skip
    for number in range(count):
        client.send(f"r{number}@example.org", "Was vom Bahnhof bleibt", html, prettify_html=False)


def enqueue(count: int) -> int:
    """Measure enqueueing `count` deliveries, and leasing from them."""
    from upcycle_news.storage.ledger import Ledger
    from upcycle_news.storage.workers import register_worker

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "publication"
        lay_out(home)
        with patch.dict(os.environ, {"UPCYCLE_NEWS_HOME": str(home)}):
            context = AppContext(load_settings(home))
            new = (NewSubscriber(EmailAddress(f"reader{n}@example.org")) for n in range(count))
            subscribers.add_subscribers(
                context.store, new, source="bench", now=context.clock(), dry_run=False
            )
            rendered = render.render_revision(context, compose.compose_issue(context, ISSUE))
            approval.approve(context, rendered, by="bench", composed_now=True)
            begun = time.monotonic()
            send_service.enqueue(context, rendered)
            print(f"{count} deliveries queued in {time.monotonic() - begun:.1f} s")
            sender = register_worker(
                context.store, host="", pid=1, process_start="", now=context.clock()
            )
            leased = 0
            ledger = Ledger(context.store, ISSUE, sender)
            for skipped in (0, count // 100, count // 10, count // 2):
                while leased < skipped:
                    leased += len(ledger.lease(1000, context.clock()))
                times = []
                for _ in range(21):
                    begun = time.process_time()
                    leased += len(ledger.lease(100, context.clock()))
                    times.append(time.process_time() - begun)
                median = 1000 * sorted(times)[10]
                print(f"a lease of 100 after {skipped}: median {median:.2f} ms of CPU")
            context.store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

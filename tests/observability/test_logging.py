"""What operators read: events with ids and counts, in text or JSON, and never an address."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upcycle_news.models import IssueId
from upcycle_news.observability.logging import Format, Log, configure_logging
from upcycle_news.observability.redaction import redact, redact_value
from upcycle_news.services.delivery import send as send_service

from ..publications import (
    Publication,
    approve_issue,
    relay_variables,
    send_issue,
)
from ..transports.bad_relays import MisbehavingRelay, always

log = Log("upcycle_news.tests")


@pytest.fixture(autouse=True, scope="module")
def _a_process_without_prefect() -> Iterator[None]:
    """Another test of this process may have let Prefect set up its logging, which stays."""
    root = logging.getLogger()
    before, root.handlers[:] = list(root.handlers), []
    yield
    root.handlers[:] = before


def written(kind: Format, *events: Any, level: str = "info", secrets: tuple[str, ...] = ()) -> str:
    """Return what these calls write to standard error."""
    with redirect_stderr(io.StringIO()) as output:
        configure_logging(kind, level, secrets)
        for event in events:
            event()
    return output.getvalue()


# --- the second wall

LOCAL = st.text("abcdefghijklmnopqrstuvwxyzäöüß0123456789.!#$%&'*+/=?^_`{|}~-", min_size=1)
DOMAIN = st.from_regex(r"[a-zäö0-9-]{1,20}(\.[a-z]{2,6}){1,2}", fullmatch=True)
AT = st.sampled_from(["@", "%40", "＠", " @ ", "\t@"])
ADDRESS = st.builds(lambda local, at, domain: f"{local}{at}{domain}", LOCAL, AT, DOMAIN)
QUOTED = st.builds('"{} {}"@{}'.format, LOCAL, LOCAL, DOMAIN)
AROUND = st.sampled_from(
    ["", " ", "<", "mailto:", '"', "'", "\n", "=", "to=<", "user:", "äöü ", "("]
)


@settings(deadline=None)  # a busy machine is no failure
@given(AROUND, ADDRESS | QUOTED, AROUND, st.text())
def test_whatever_looks_like_an_address_is_redacted(
    before: str, address: str, after: str, more: str
) -> None:
    redacted = redact(f"{more} {before}{address}{after}")
    assert address.strip() not in redacted
    assert "@" not in redacted and "＠" not in redacted and "%40" not in redacted


@settings(deadline=None)
@given(st.text(), st.sampled_from(["text", "json"]), ADDRESS, st.text(max_size=50))
def test_no_line_of_the_log_holds_an_address_wherever_it_came_from(
    words: str, kind: Format, address: str, other: str
) -> None:
    def fails() -> None:
        try:
            raise ValueError(f"{other} {address}")
        except ValueError:
            logging.getLogger("a.library").exception("could not tell %s", address)

    output = written(
        kind,
        lambda: log.info(f"{words} {address}", who=address, **{"in": [{address: (address,)}]}),
        lambda: log.info("x", said=ValueError(address), raw=address.encode()),
        lambda: logging.getLogger("a.library").warning("%s %s", words, address),
        fails,
    )
    assert not {"@", "＠", "%40"} & set(output) and "%40" not in output
    if kind == "json":
        lines = [json.loads(line) for line in output.split("\n") if line]
        assert [line["level"] for line in lines] == ["info", "info", "warning", "error"]


@settings(deadline=None)
@given(st.integers(min_value=0), st.text("abcdef0123456789", min_size=64, max_size=64))
def test_ids_counts_and_hashes_stay_readable(number: int, revision_id: str) -> None:
    line = f"issue 2026-11-26: audience={number} hash {revision_id} at 2026-11-26T06:30:00+00:00"
    assert redact(line) == line
    assert redact_value({"audience": number, "ok": True, "left": None}) == {
        "audience": number, "ok": True, "left": None,
    }  # fmt: skip


def test_signed_links_tokens_and_logins_are_redacted() -> None:
    token = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE"
    assert len(token) == 43
    assert redact(f"POST /unsubscribe/{token} HTTP/1.1") == "POST /unsubscribe/… HTTP/1.1"
    assert redact("GET /preview/short.one?x=1") == "GET /preview/…"
    assert redact("GET /report/short.one?x=1") == "GET /report/…"
    assert redact(f"the word {token}, alone") == "the word …, alone"
    assert redact("postgresql://news:geheim@db/news") == "…"
    assert redact("Authorization: Basic bmV3czpnZWhlaW0=") == "Authorization: …"
    assert redact("password = geheim 12") == "password = …"
    assert "c2VjcmV0" not in redact("-----BEGIN RSA " + "PRIVATE KEY-----\nc2VjcmV0\n")


def test_secrets_of_the_settings_are_never_logged(
    publication: Publication, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from upcycle_news.app.context import AppContext

    monkeypatch.setenv("UPCYCLE_NEWS_RELAYS__MAIN__PASSWORD", "Geheim-4711")
    monkeypatch.setenv("UPCYCLE_NEWS_INBOX__PASSWORD", "Postfach-0815")
    with AppContext.open(publication.home):
        logging.getLogger("smtp").error("said Geheim-4711 and Postfach-0815 to the relay")
    output = capsys.readouterr().err
    assert "said … and … to the relay" in output


# --- the lines


def test_json_is_one_object_a_line_with_the_values_as_they_are() -> None:
    output = written("json", lambda: log.info("issue queued", issue="2026-11-26", audience=12))
    line = json.loads(output)
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "event": "issue queued", "level": "info", "logger": "upcycle_news.tests",
        "issue": "2026-11-26", "audience": 12,
    }  # fmt: skip


def test_text_is_one_line_whatever_the_values_hold() -> None:
    output = written(
        "text", lambda: log.info("a feed failed", feed="Zeitung\nERROR forged\x1b[31m")
    )
    assert output.count("\n") == 1 and "\x1b" not in output
    output = written("text", lambda: logging.getLogger("x").error("one\n2026 [info] forged"))
    assert output.count("\n") == 1


def test_events_below_the_level_are_not_written() -> None:
    output = written(
        "text", lambda: log.info("quiet"), lambda: log.warning("loud"), level="warning"
    )
    assert "quiet" not in output and "loud" in output
    output = written("text", lambda: logging.getLogger("httpx").info("GET /"), level="debug")
    assert output == ""  # libraries tell at warning and above


def test_configuring_twice_writes_each_line_once() -> None:
    configure_logging("text", "info")
    output = written("json", lambda: log.info("once"))
    assert output.count("\n") == 1


def test_prefects_handlers_stay_and_receive_the_events(capsys: pytest.CaptureFixture[str]) -> None:
    messages: list[str] = []

    class Api(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    Api.__module__ = "prefect.logging.handlers"
    prefect_handler, root, ours = Api(), logging.getLogger(), logging.getLogger("upcycle_news")
    root.addHandler(prefect_handler)  # as Prefect does it
    ours.addHandler(prefect_handler)  # PREFECT_LOGGING_EXTRA_LOGGERS
    try:
        output = written("text", lambda: log.info("issue queued", audience=3, to="a@b.example"))
    finally:
        for logger in (root, ours):
            logger.removeHandler(prefect_handler)
    assert output.count("\n") == 1
    assert messages == ["issue queued audience=3 to=…"]  # once, not again through the root


# --- what an operator learns


def test_a_send_logs_its_steps_with_ids_and_counts(
    publication: Publication, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "upcycle_news")
    publication.add_many_subscribers(3)
    publication.write_essay()
    send_issue(publication.context())
    messages = [record.getMessage() for record in caplog.records]
    assert any("issue approved issue=2026-11-26" in line for line in messages)
    assert any(
        "issue queued issue=2026-11-26" in line and "audience=3" in line for line in messages
    )
    assert "worker started worker=1 issue=2026-11-26 relay=mailbox connections=1" in messages
    assert any(
        "worker stopped" in line and "sent=3 deferred=0 rejected=0" in line for line in messages
    )
    assert "@" not in caplog.text and "example.org" not in caplog.text


def test_a_dead_relay_is_an_event_with_the_relays_name(
    publication: Publication, caplog: pytest.LogCaptureFixture
) -> None:
    publication.add_many_subscribers(1)
    publication.write_essay()
    chosen, rendered = approve_issue(publication.context())
    context = publication.context(**relay_variables(9))
    send_service.enqueue(context, rendered)
    with pytest.raises(Exception, match="relay"):
        send_service.deliver_issue(context, IssueId.parse(str(chosen)))
    assert "relay unreachable issue=2026-11-26 relay=main" in caplog.text


def test_the_settings_decide_format_and_level(publication: Publication) -> None:
    publication.add_many_subscribers(1)
    publication.write_essay()
    result = publication.run("issue", "send", "--yes", "--no-collect")
    assert (
        "worker started" not in result.err
    )  # a person at a terminal is not shown the services' lines
    publication.write_essay("Zwei")
    result = publication.run(
        "issue", "send", "--yes", "--no-collect", "--json", LOG__FORMAT="json", LOG__LEVEL="info"
    )
    assert json.loads(result.out)["closed"]  # standard output stays what it was
    events = [json.loads(line)["event"] for line in result.err.splitlines() if line[0] == "{"]
    assert "worker stopped" in events
    bad = publication.run("check", code=1, LOG__LEVEL="loud")
    assert "LOG__LEVEL" in bad.err


def test_the_reason_why_an_issue_stopped_is_printed_once(publication: Publication) -> None:
    publication.add_many_subscribers(12)
    publication.write_essay()
    send = ("issue", "send", "--yes", "--no-collect")
    with MisbehavingRelay(rcpt=always("550 5.7.1 your address is listed")) as relay:
        # By this the pauses of a relay that refuses are short, too.
        at = {**relay_variables(relay.controller.port), "RETRY__FIRST_SECONDS": "0.5"}
        result = publication.run(*send, code=1, **at)
        assert result.err.count("your address is listed") == 1, result.err
        assert " wurde angehalten: Das Relay hat 10 der letzten 10 Zustellungen" in result.err
        resume = ("issue", "resume", result.err.split()[1])
        result = publication.run(*resume, code=1, LOG__FORMAT="json", **at)
    events = [json.loads(line)["event"] for line in result.err.splitlines() if line[0] == "{"]
    assert events == ["issue stopped"]
    result = publication.run(*resume, code=1, **relay_variables(9))
    assert result.err.count("nicht erreichbar, dort") == 1, result.err


def test_a_command_that_logs_nothing_does_not_load_structlog(publication: Publication) -> None:
    program = (
        "import sys; sys.argv = ['upcycle-news', 'issue', 'status']\n"
        "from upcycle_news.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('structlog' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.prefect
def test_a_process_of_prefect_writes_each_event_once() -> None:
    """With Prefect's real set-up: its own console stays on the root, and does not repeat ours."""
    program = (
        "from prefect.logging.configuration import setup_logging; setup_logging()\n"
        "from upcycle_news.observability.logging import Log, configure_logging\n"
        "configure_logging('text', 'info')\n"
        "Log('upcycle_news.x').info('issue queued', audience=3)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("issue queued") == 1, done.stderr

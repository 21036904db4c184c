"""A run over the inbox: what Prefect keeps of it, and the log, hold neither an address nor what people wrote."""

from __future__ import annotations

import ast
import json
import logging
from pathlib import Path

import pytest

from upcycle_news.api import App
from upcycle_news.api.bounces import collection_result

from ..publications import Publication, add_confirmed_subscribers, parse_mail, send_issue
from .dmarc.report_generator import (
    DOMAIN,
    GOOGLE_LIKE,
    Record,
    bomb_zip,
    gzipped,
    report_mail,
    report_xml,
)
from .inbox_folder import make_inbox, put
from .test_replies import reply

FLOW = Path(__file__).parents[2] / "flows/collect_bounces.py"
ANNA, STRANGER = "anna@example.org", "heimlich@example.com"
WRITTEN = "Ein Geheimnis"
PRIVATE = (ANNA, "anna", STRANGER, "heimlich", WRITTEN, "@mail.example.org")


@pytest.mark.parametrize("language", ["de", "en"])
def test_neither_result_nor_message_nor_log_of_a_run_names_anybody(
    publication: Publication, caplog: pytest.LogCaptureFixture, language: str
) -> None:
    make_inbox(publication)
    context = publication.context(INBOX__MAILDIR="inbox")
    add_confirmed_subscribers(context, ANNA)
    publication.write_essay()
    assert send_issue(context).closed
    [answered] = [str(parse_mail(mail)["Message-ID"]) for mail in publication.mails()]
    named = type(GOOGLE_LIKE)(organisation=STRANGER)
    put(
        publication,
        reply(answered, sender=STRANGER, text=WRITTEN),
        reply(answered, number=2, sender=ANNA, Auto_Submitted="auto-replied"),
        reply("", number=3, sender=STRANGER, text=f"Bitte abmelden: {ANNA}"),
        reply(f"<{answered}{STRANGER}>", number=4, sender=f'"{ANNA}" <{STRANGER}>'),
        report_mail(gzipped(report_xml([Record("198.51.100.7", 5, dkim="fail")], dialect=named))),
        report_mail(gzipped(report_xml([Record(f"fe80::1%{ANNA}")], report_id=STRANGER))),
        report_mail(gzipped(report_xml(domain=f"{STRANGER}.{DOMAIN}"))),
        report_mail(bomb_zip()),
        report_mail(b"<feedback>" + STRANGER.encode()),
    )
    app = App(context)
    with caplog.at_level(logging.DEBUG):
        collected = app.bounces.collect_if_configured()
        alerts = app.bounces.alerts()
        result = collection_result(collected, alerts, language)
    assert collected is not None
    assert (collected.replies, collected.auto_replies, collected.wants_to_leave) == (1, 1, 1)
    assert collected.dmarc >= 2
    assert collected.dmarc_unread >= 2
    kept = [repr(collected), json.dumps(collected.as_dict()), *alerts, result.name, result.message]
    assert result.message
    assert caplog.text
    for text in (*kept, caplog.text):
        assert not [word for word in PRIVATE if word in text]
    assert "@" not in "".join(kept)


def test_the_flow_over_the_inbox_and_its_tasks_take_no_parameters() -> None:
    tree = ast.parse(FLOW.read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert {"collect", "collect_bounces"} <= {node.name for node in functions}
    for node in functions:
        assert not ast.unparse(node.args), node.name

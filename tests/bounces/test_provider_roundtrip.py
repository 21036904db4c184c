"""The way of a bounce, end to end: our mail over SMTP to a stand-in, which calls back as its provider does."""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.providers.provider import KEY_HEADER, KEY_NAME
from upcycle_news.models import EmailAddress, SubscriberStatus
from upcycle_news.storage import bounces, provider_activity, subscribers
from upcycle_news.transports.sns import SnsClient

from ..processes import free_port
from ..publications import Publication, add_confirmed_subscribers, send_issue
from ..web.web_server import WebServer, running_server
from .providers.posting import POSTING, SECRET, Posted, Sample, certificate, ses_record, sns_message
from .test_process import barred

ANNA, BERT, CARLA, DORA = (f"{name}@example.org" for name in ("anna", "bert", "carla", "dora"))
KINDS = {ANNA: "hard", BERT: "complaint", CARLA: "unsubscribed", DORA: "delivered"}
"""What becomes of the mail to each reader."""

TAKEN_AWAY = ("x-pm-", "x-mailgun-", "x-smtpapi", "x-mailin-", "x-mj-", "x-mailjet-", "x-ses-")
"""Headers that are for the provider: the reader's server does not get them."""


@dataclass
class StandIn:
    """Takes our mail as a provider does, rewrites it, and knows what it will post about it."""

    provider: str
    delivered: list[tuple[str, EmailMessage]] = field(default_factory=list)
    given: list[EmailMessage] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:
        """Replace Message-ID and envelope sender, take the headers for us away, and send it on."""
        mail: Any = message_from_bytes(envelope.original_content or b"", policy=policy.SMTP)
        self.given.append(message_from_bytes(envelope.original_content or b"", policy=policy.SMTP))  # type: ignore[arg-type]
        [address] = envelope.rcpt_tos
        key = returned_key(self.provider, mail)
        del mail["Message-ID"]
        mail["Message-ID"] = f"<{secrets.token_hex(8)}@provider.example>"
        for name in list(mail.keys()):
            if name.lower().startswith(TAKEN_AWAY):
                del mail[name]
        self.delivered.append((f"bounce-{secrets.token_hex(4)}@provider.example", mail))
        self.samples.append(Sample(KINDS[address], key, address, id=str(len(self.samples) + 1)))
        return "250 OK"

    def posts(self, context: AppContext) -> list[Posted]:
        """Return the requests by which the provider says what became of the mails."""
        if self.provider != "ses":
            return POSTING[self.provider].requests(self.samples, context.clock())
        requests: list[Posted] = []
        for sample, mail in zip(self.samples, self.given, strict=True):
            record = ses_record(replace(sample, key=""))  # no tags: what a mail without a set has
            record["mail"]["headers"] = [
                {"name": name, "value": str(value)} for name, value in mail.items()
            ]
            message = sns_message(context.clock(), Message=json.dumps(record))
            requests.append(({"Content-Type": "text/plain"}, json.dumps(message).encode()))
        return requests


def returned_key(provider: str, mail: EmailMessage) -> str:
    """Return what the provider hands back with its events, from where it documents to look."""
    if provider == "ses":
        tags = dict(tag.strip().split("=") for tag in str(mail["X-SES-MESSAGE-TAGS"]).split(","))
        assert tags[KEY_NAME] == mail[KEY_HEADER]
        return tags[KEY_NAME]
    if provider == "postmark":
        return str(mail[f"X-PM-Metadata-{KEY_NAME}"])
    if provider == "mailgun":
        return str(json.loads(str(mail["X-Mailgun-Variables"]))[KEY_NAME])
    if provider == "sendgrid":
        return str(json.loads(str(mail["X-SMTPAPI"]))["unique_args"][KEY_NAME])
    return str(mail[{"brevo": "X-Mailin-custom", "mailjet": "X-MJ-CustomID"}[provider]])


@contextmanager
def stand_in(provider: str) -> Iterator[tuple[StandIn, int]]:
    """Run the SMTP side on a free port of loopback."""
    handler = StandIn(provider)
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield handler, controller.port
    finally:
        controller.stop()


def call_back(server: WebServer, requests: list[Posted]) -> list[dict[str, int]]:
    """Post the requests, all at once; returns the counts of each."""
    answers: list[dict[str, int]] = []

    def post(posted: Posted) -> None:
        headers = {name.replace("-", "_"): value for name, value in posted[0].items()}
        response = server.request("POST", f"/events/here/{SECRET}", posted[1].decode(), **headers)
        assert response.status == 200, response.text
        answers.append(json.loads(response.text))

    threads = [threading.Thread(target=post, args=(posted,)) for posted in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def added(answers: list[dict[str, int]]) -> dict[str, int]:
    names = {name for answer in answers for name, number in answer.items() if number}
    return {name: sum(answer[name] for answer in answers) for name in names}


@pytest.mark.parametrize("provider", POSTING)
def test_a_mail_that_a_provider_rewrites_and_calls_back_about_ends_at_its_reader(
    publication: Publication, provider: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with stand_in(provider) as (provided, port):
        context = publication.context(
            **POSTING[provider].environment(),
            RELAYS__MAIN__HOST="127.0.0.1", RELAYS__MAIN__PORT=str(port), RELAYS__MAIN__SECURITY="none",
            RELAYS__MAIN__PROVIDER=provider,
        )  # fmt: skip
        context.__dict__["sns"] = SnsClient(lambda _: (200, certificate()))
        add_confirmed_subscribers(context, *KINDS)
        publication.write_essay()
        assert send_issue(context).closed
    assert len(provided.delivered) == 4
    for sender, mail in provided.delivered:
        assert "umbaupost" not in sender and "umbaupost" not in str(mail["Message-ID"])
        assert not [name for name in mail if name.lower().startswith(TAKEN_AWAY)]
    with running_server(context, free_port()) as server:
        requests = provided.posts(context)
        once = {"hard": 1, "complaint": 1, "unsubscribed": 1, "delivered": 1, "suppressed": 2}
        assert added(call_back(server, requests)) == once
        assert added(call_back(server, requests[::-1])) == {"known": 4}
    assert {address: barred(context, address) for address in KINDS} == {
        ANNA: "hard bounce", BERT: "complaint", CARLA: None, DORA: None,
    }  # fmt: skip
    carla = subscribers.find(context.store, EmailAddress.parse(CARLA))
    assert carla is not None and carla.status is SubscriberStatus.UNSUBSCRIBED
    assert {(one.issue, one.kind) for one in bounces.list_bounces(context.store)} == {
        ("2026-11-26", "hard"), ("2026-11-26", "complaint"),
    }  # fmt: skip
    [seen] = provider_activity.activity(context.store)
    assert sum(seen.counts.values()) == 4
    logged = "\n".join(record.getMessage() for record in caplog.records if "upcycle" in record.name)
    assert "events received" in logged
    for address in KINDS:
        assert address not in logged and address.partition("@")[0] not in logged
    assert SECRET not in caplog.text

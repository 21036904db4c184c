"""Returned mails that a mail server posts to the web pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.errors import SettingsError
from upcycle_news.models import EmailAddress, SubscriberStatus
from upcycle_news.services.bounces import event_sources
from upcycle_news.storage import bounces, subscribers
from upcycle_news.subscribers.link_tokens import Purpose

from ..processes import free_port
from ..publications import Publication, add_confirmed_subscribers, send_issue
from ..web.web_server import WebServer, running_server
from . import sample_reports
from .test_process import ANNA, BERT, barred, envelope

SECRET = "s3cret-of-the-mail-server"
BEARER = f"Bearer {SECRET}"


@pytest.fixture
def context(publication: Publication) -> AppContext:
    """Anna and Bert have had an issue; a mail server may post what comes back."""
    made = publication.context(
        SENDER__VERP="true", SENDER__ENVELOPE="bounces@umbaupost.example.net",
        BOUNCES__WEBHOOKS__MAIL=SECRET,
    )  # fmt: skip
    add_confirmed_subscribers(made, ANNA, BERT)
    publication.write_essay()
    assert send_issue(made).closed
    return made


@pytest.fixture
def server(context: AppContext) -> Iterator[WebServer]:
    with running_server(context, free_port()) as running:
        yield running


def post(server: WebServer, raw: bytes, source: str = "mail", **headers: str) -> tuple[int, str]:
    response = server.request(
        "POST", f"/bounces/{source}", raw.decode(), Content_Type="message/rfc822", **headers
    )
    return response.status, response.text


def test_a_posted_bounce_suppresses_and_counts_once(
    publication: Publication, context: AppContext, server: WebServer
) -> None:
    raw = sample_reports.postfix(envelope(publication, ANNA), ANNA)
    status, text = post(server, raw, Authorization=BEARER)
    assert status == 200
    assert '"hard":1' in text
    assert ANNA not in text
    assert barred(context, ANNA) == "hard bounce"
    assert barred(context, BERT) is None
    status, text = post(server, raw, Authorization=BEARER)
    assert '"known":1' in text
    assert len(list(bounces.list_bounces(context.store))) == 1


def test_a_posted_mail_with_a_token_leaves_and_one_without_is_counted(
    context: AppContext, server: WebServer
) -> None:
    token = context.link_signer.token(Purpose.UNSUBSCRIBE, 1, 1)
    mail = f"From: {ANNA}\r\nTo: x@example.org\r\nSubject: %s\r\n\r\n\r\n"
    status, text = post(server, (mail % token).encode(), Authorization=BEARER)
    assert (status, '"unsubscribed":1' in text) == (200, True)
    anna = subscribers.find(context.store, EmailAddress.parse(ANNA))
    assert anna is not None and anna.status is SubscriberStatus.UNSUBSCRIBED
    status, text = post(server, (mail % "Bitte abbestellen").encode(), Authorization=BEARER)
    assert '"left_alone":1' in text and '"wants_to_leave":1' in text
    assert ANNA not in text


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"Basic {SECRET}", SECRET])
def test_without_the_secret_nothing_is_counted(
    publication: Publication, context: AppContext, server: WebServer, given: str
) -> None:
    raw = sample_reports.postfix(envelope(publication, ANNA), ANNA)
    status, text = post(server, raw, Authorization=given)
    assert (status, SECRET in text) == (403, False)
    assert barred(context, ANNA) is None


def test_the_secret_is_worth_nothing_without_our_signature(
    context: AppContext, server: WebServer
) -> None:
    raw = sample_reports.postfix("bounces@umbaupost.example.net", ANNA)
    status, text = post(server, raw, Authorization=BEARER)
    assert status == 200
    assert '"unsigned":1' in text
    assert barred(context, ANNA) is None


@pytest.mark.parametrize("source", ["nobody", "MAIL", "..", "%2e%2e"])
def test_an_unknown_source_does_not_exist(server: WebServer, source: str) -> None:
    assert post(server, b"x", source, Authorization=BEARER)[0] == 404


def test_a_source_without_a_secret_does_not_exist(publication: Publication) -> None:
    context = publication.context()
    with running_server(context, free_port()) as server:
        assert post(server, b"x", Authorization="Bearer ")[0] == 404
    for secret in ({}, {"BOUNCES__WEBHOOKS__MAIL": ""}):
        app = App(publication.context(**secret))
        assert not app.bounces.admits("mail", "")
        with pytest.raises(SettingsError, match="no source of events called 'mail'"):
            app.bounces.accept("mail", {}, b"")


@pytest.mark.parametrize("name", ["mail", "nobody"])
def test_a_secret_is_compared_in_constant_time_whether_or_not_there_is_such_a_source(
    context: AppContext, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    compared = []

    def compare(given: bytes, right: bytes) -> bool:
        compared.append(given)
        return given == right

    monkeypatch.setattr(event_sources.hmac, "compare_digest", compare)
    assert not event_sources.admits(context, name, "guessed")
    assert compared == [b"guessed"]


def test_a_body_that_is_too_large_is_refused(server: WebServer) -> None:
    assert post(server, b"x" * (1024 * 1024 + 1), Authorization=BEARER)[0] == 413


def test_the_source_of_mails_is_one_of_events_too(context: AppContext, server: WebServer) -> None:
    assert server.request("POST", f"/events/mail/{SECRET}", "no report").status == 200
    assert server.request("POST", "/events/mail/another-secret", "no report").status == 404
    [activity] = App(context).bounces.sources()
    assert (activity.source, activity.counts) == ("mail", {("left_alone", "mail"): 1})


def test_a_secret_in_newsletter_toml_is_refused_with_its_line(publication: Publication) -> None:
    path = publication.home / "newsletter.toml"
    path.write_text(
        path.read_text("utf-8") + '\n[bounces.webhooks]\nmail = "pa55wort-xyz"\n', "utf-8"
    )
    error = publication.run("bounces", "list", code=1).err
    assert "newsletter.toml:" in error
    assert "UPCYCLE_NEWS_BOUNCES__WEBHOOKS__MAIL" in error
    assert "pa55wort-xyz" not in error

"""What mails carry for the provider behind a relay: switches against tracking, and the delivery's key."""

from __future__ import annotations

import json
import re
import socket
from email import message_from_bytes
from email.message import Message

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.bounces.outgoing import outgoing_for
from upcycle_news.bounces.providers import PROVIDERS
from upcycle_news.mail.dkim import generate
from upcycle_news.mail.message import MessageTemplate, relay_header_lines
from upcycle_news.models import EmailAddress, IssueId, LeasedDelivery, Relay
from upcycle_news.services.delivery import send, test_mail
from upcycle_news.services.delivery.worker_job import (
    WorkerJob,
    decode_job,
    encode_job,
    recipient_fields,
)
from upcycle_news.services.monitoring import notifications
from upcycle_news.services.subscribers import confirmation_mails, subscriptions
from upcycle_news.storage.subscribers import NewSubscriber

from ...publications import (
    Publication,
    approve_issue,
    parse_mail,
    relay_variables,
    send_issue,
)
from ...transports.bad_relays import MisbehavingRelay

OWN_HEADERS = [
    *("From", "Subject", "List-Id", "List-Unsubscribe-Post", "List-Archive", "Auto-Submitted"),
    *("Content-Language", "MIME-Version", "To", "Date", "Message-ID", "List-Unsubscribe"),
    "Content-Type",
]
OPTIONS = {"ses": {"CONFIGURATION_SET": "newsletter"}, "postmark": {"STREAM": "broadcast"}}
SWITCHES = {
    "ses": {"X-SES-CONFIGURATION-SET": "newsletter"},
    "postmark": {
        "X-PM-TrackOpens": "false",
        "X-PM-TrackLinks": "None",
        "X-PM-KeepID": "true",
        "X-PM-Message-Stream": "broadcast",
    },
    "mailgun": {
        "X-Mailgun-Track": "no",
        "X-Mailgun-Track-Clicks": "no",
        "X-Mailgun-Track-Opens": "no",
    },
    "sendgrid": {},
    "brevo": {},
    "mailjet": {"X-Mailjet-TrackOpen": "0", "X-Mailjet-TrackClick": "0"},
}
"""The headers that say what must not be done, as each provider documents them."""


def provider_variables(provider: str, relay: str = "MAIN") -> dict[str, str]:
    options = {"PROVIDER": provider, **OPTIONS.get(provider, {})}
    return {f"RELAYS__{relay}__{name}": value for name, value in options.items()}


def second_relay(port: int) -> dict[str, str]:
    named = {name.replace("MAIN", "SECOND"): value for name, value in relay_variables(port).items()}
    return named | {"RELAYS__MAIN__FAILOVER": "second"}


def own_part(mail: Message) -> list[tuple[str, str]]:
    return [(name, value) for name, value in mail.items() if name in OWN_HEADERS]


def added(mail: Message) -> dict[str, str]:
    return {name: value for name, value in mail.items() if name not in OWN_HEADERS}


def parsed(relay: MisbehavingRelay) -> list[Message]:
    return [message_from_bytes(raw) for _, raw in relay.accepted]


def prepared(publication: Publication, readers: int = 1) -> None:
    publication.write_essay()
    publication.add_many_subscribers(readers)


# --- issues


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_issue_tells_the_provider_to_track_nothing_and_names_its_delivery(
    publication: Publication, provider: str
) -> None:
    prepared(publication)
    with MisbehavingRelay() as relay:
        context = publication.context(
            **relay_variables(relay.controller.port), **provider_variables(provider)
        )
        assert send_issue(context).sent == 1
    [mail] = parsed(relay)
    headers = added(mail)
    assert headers.items() >= SWITCHES[provider].items()
    key = context.delivery_keys.key_for(1, 1)
    assert sum(key in value for value in headers.values()) == (2 if provider == "ses" else 1)
    assert [name for name, _ in own_part(mail)] == OWN_HEADERS


def test_amazon_ses_is_asked_to_leave_every_link_alone(publication: Publication) -> None:
    prepared(publication)
    with MisbehavingRelay() as relay:
        context = publication.context(
            **relay_variables(relay.controller.port), **provider_variables("ses")
        )
        send_issue(context)
    [(_, raw)] = relay.accepted
    html = parse_mail(raw).get_body(("html",))
    assert html is not None
    links = re.findall(r"<a\b[^>]*\bhref=[^>]*>", html.get_content())
    assert len(links) > 3
    assert all(link.startswith("<a ses:no-track ") for link in links)


def test_sendgrid_is_told_everything_in_one_header_of_json(publication: Publication) -> None:
    prepared(publication)
    with MisbehavingRelay() as relay:
        context = publication.context(
            **relay_variables(relay.controller.port),
            **provider_variables("sendgrid"),
            RELAYS__MAIN__TAG="umbaupost",
        )
        send_issue(context)
    [mail] = parsed(relay)
    told = json.loads(added(mail)["X-SMTPAPI"])
    assert {name: one["settings"]["enable"] for name, one in told["filters"].items()} == {
        "clicktrack": 0,
        "opentrack": 0,
        "subscriptiontrack": 0,
        "ganalytics": 0,
        "footer": 0,
    }
    assert told["unique_args"] == {"delivery_key": context.delivery_keys.key_for(1, 1)}
    assert told["category"] == "umbaupost"


def test_a_relay_without_provider_sends_what_the_embedded_mailbox_takes(
    publication: Publication,
) -> None:
    """And the embedded mailbox knows no provider: not one header, mark or byte is added."""
    prepared(publication, readers=2)
    with MisbehavingRelay() as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        issue, rendered = approve_issue(context)
        send.enqueue(context, rendered)
        send.deliver_issue(context, issue)
    assert [list(mail.keys()) for mail in parsed(relay)] == [OWN_HEADERS, OWN_HEADERS]
    assert b"ses:no-track" not in b"".join(raw for _, raw in relay.accepted)
    mailbox = publication.context()
    with mailbox.relay() as embedded, context.relay() as outside:
        for relay_used in (embedded, outside):
            fields = recipient_fields(context, issue, 1, relay_used)(
                LeasedDelivery(
                    1, 1, EmailAddress.parse(relay.recipients[0]), "", 1, context.clock()
                )
            )
            template = MessageTemplate.compose(
                rendered.content,
                context.sender_headers(context.publication),
                revision_id=rendered.revision_id,
            )
            assert template.for_recipient(fields) == relay.accepted[0][1]


@pytest.mark.parametrize("first_dies", ["at once", "in the middle"])
def test_the_failover_relays_mails_carry_its_own_headers_and_never_the_first_ones(
    publication: Publication, first_dies: str
) -> None:
    prepared(publication, readers=6)
    taken = 0 if first_dies == "at once" else 2

    def away(relay: MisbehavingRelay, address: str) -> str | None:
        if len(relay.accepted) < taken:
            return None
        relay.controller.server.close()  # nobody listens any more
        return "421 4.3.2 going down"

    with MisbehavingRelay(mail=away) as first, MisbehavingRelay() as second:
        context = publication.context(
            **relay_variables(first.controller.port if taken else nobody_listens()),
            **second_relay(second.controller.port),
            **provider_variables("postmark"),
            **provider_variables("mailgun", "SECOND"),
        )
        issue, rendered = approve_issue(context)
        send.enqueue(context, rendered)
        send.deliver_issue(context, issue)
    assert len(first.accepted) == taken
    assert len(second.accepted) == (6 if taken == 0 else 3)  # what was deferred waits for the first
    for mail in parsed(first):
        assert added(mail).items() >= SWITCHES["postmark"].items()
        assert not any(name.startswith("X-Mailgun") for name in mail)
    for mail in parsed(second):
        assert added(mail).items() >= SWITCHES["mailgun"].items()
        assert not any(name.startswith("X-PM") for name in mail)


def nobody_listens() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_failover_relay_without_provider_gets_no_headers_of_the_first(
    publication: Publication,
) -> None:
    prepared(publication, readers=2)
    with MisbehavingRelay() as second:
        context = publication.context(
            **relay_variables(nobody_listens()),
            **second_relay(second.controller.port),
            **provider_variables("ses"),
        )
        issue, rendered = approve_issue(context)
        send.enqueue(context, rendered)
        send.deliver_issue(context, issue)
    assert [added(mail) for mail in parsed(second)] == [{}, {}]
    assert b"no-track" not in second.accepted[0][1]


def test_a_further_process_is_told_the_provider_of_its_relay() -> None:
    relay = Relay(
        "main", "127.0.0.1", 25, provider="ses", configuration_set="newsletter", tag="umbaupost"
    )
    job = WorkerJob(relay, 2, wait_seconds=0.0, accepted_before=True)
    _, decoded = decode_job(encode_job(IssueId.parse("2026-11-26"), job))
    assert decoded.relay == relay


# --- other mails


def test_a_test_mail_carries_the_headers_of_its_relay(publication: Publication) -> None:
    prepared(publication)
    with MisbehavingRelay() as relay:
        context = publication.context(
            **relay_variables(relay.controller.port), **provider_variables("mailjet")
        )
        _, rendered = approve_issue(context)
        test_mail.send_test(context, rendered, [EmailAddress.parse("eva@example.org")])
    [mail] = parsed(relay)
    assert added(mail).items() >= SWITCHES["mailjet"].items()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_confirmation_mail_is_not_tracked_either_and_names_no_delivery(
    publication: Publication, provider: str
) -> None:
    with MisbehavingRelay() as relay:
        context = publication.context(
            **relay_variables(relay.controller.port), **provider_variables(provider)
        )
        subscriptions.sign_up(context, EmailAddress.parse("neu@example.org"), language="de")
        assert confirmation_mails.send_waiting(context).mailed == 1
    [mail] = parsed(relay)
    headers = added(mail)
    assert headers.items() >= SWITCHES[provider].items()
    if provider == "sendgrid":
        assert json.loads(headers["X-SMTPAPI"]).keys() == {"filters"}
    assert "delivery" not in " ".join((*headers, *headers.values())).lower()


def test_a_notice_to_editors_carries_the_switches_unfolded(publication: Publication) -> None:
    publication.add_subscribers(
        NewSubscriber(EmailAddress.parse("eva@example.org"), groups=("redaktion",))
    )
    with MisbehavingRelay() as relay:
        context = publication.context(
            **relay_variables(relay.controller.port), **provider_variables("sendgrid")
        )
        assert notifications.send_notice(context, "redaktion", "Eine Frage", "Text\n") == 1
    [mail] = parsed(relay)
    assert json.loads(mail["X-SMTPAPI"])["filters"]["opentrack"] == {"settings": {"enable": 0}}
    assert mail["Subject"] == "Eine Frage"


# --- DKIM


@pytest.mark.parametrize("provider", PROVIDERS)
def test_our_signature_survives_what_the_provider_takes_out_and_replaces(
    publication: Publication, provider: str
) -> None:
    prepared(publication)
    key = generate("ed25519")
    with MisbehavingRelay() as relay:
        context = publication.context(
            **relay_variables(relay.controller.port),
            **provider_variables(provider),
            DKIM__ED25519_SELECTOR="news",
            DKIM__ED25519_KEY=key.pem,
        )
        assert send_issue(context).sent == 1
    [(_, raw)] = relay.accepted
    assert b"no-track" not in raw  # SES takes its marks out of the body, which is signed
    for name in added(message_from_bytes(raw)):
        if name != "DKIM-Signature":
            raw = re.sub(rf"(?mi)^{name}: [^\r]*\r\n".encode(), b"", raw)
    for name in PROVIDERS[provider].replaced_headers:
        raw, count = re.subn(rf"(?mi)^{name}: ".encode(), f"{name}: <other>".encode(), raw)
        assert count == 1
    record = key.record.encode()
    assert dkim.DKIM(raw).verify(dnsfunc=lambda *_, **__: record)


# --- the headers themselves

names = st.one_of(st.just(""), st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))


@given(st.sampled_from(sorted(PROVIDERS)), names, names, names, names)
def test_all_headers_are_ascii_on_one_line_and_none_is_one_of_ours(
    provider: str, configuration_set: str, stream: str, tag: str, key: str
) -> None:
    relay = Relay(
        *("main", "127.0.0.1", 25),
        provider=provider,
        configuration_set=configuration_set,
        stream=stream,
        tag=tag,
    )
    headers = outgoing_for(relay).headers(key)
    lines = relay_header_lines(headers)
    assert lines.count(b"\r\n") == len(headers)
    assert not {name for name, _ in headers} & set(OWN_HEADERS)
    assert len({name.lower() for name, _ in headers}) == len(headers)


@given(st.lists(st.sampled_from(["<p>", "</p>", "<a href='x'>", "</a>", "<abbr title='a'>",
                                 '<a id="b" class="c" href="https://d.test/?e=1&amp;f">', "<a>",
                                 '<a name="g">', "text < a href=", "<A HREF=h>"])))  # fmt: skip
def test_marks_are_added_to_links_alone_and_nothing_else_changes(pieces: list[str]) -> None:
    html = "".join(pieces)
    marked = outgoing_for(Relay("main", "127.0.0.1", 25, provider="ses")).mark_html(html)
    assert marked.replace(" ses:no-track", "") == html
    links = sum(piece.lower().startswith("<a ") and "href" in piece.lower() for piece in pieces)
    assert marked.count(" ses:no-track") == links
    for provider in ("", "postmark", "mailgun"):
        relay = Relay("main", "127.0.0.1", 25, provider=provider)
        assert outgoing_for(relay).mark_html(html) == html

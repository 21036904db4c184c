"""A test mail that is sent over the relay and read back from the inbox, to see whether it is the same.

Providers rewrite links to count clicks, add pixels to count openings, and footers, some of them unasked.
What they do is seen only in a mail that arrived.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from html import escape

from upcycle_news.app.context import AppContext
from upcycle_news.diagnostics.mail_changes import UNCHANGED, MailChanges, PartChanges, compare_mails
from upcycle_news.diagnostics.results import CheckResult, ok, problem, text_of, warning
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import (
    EmailAddress,
    IssueId,
    LeasedDelivery,
    Placeholder,
    Relay,
    RenderedIssue,
)
from upcycle_news.text.escaped_markdown import Translator
from upcycle_news.transports.outcomes import Accepted

WAITS = (2.0, 3.0, 5.0, 10.0, 10.0, 15.0, 15.0, 20.0, 20.0, 20.0)
"""Seconds before each look into the inbox; two minutes in all."""

CHECK = "read-back"


@dataclass(frozen=True)
class ReadBackFacts:
    """What became of the test mail: `trouble` when it was not sent or the inbox not read.

    `changes` is None when it did not arrive within the time; `waited` is in seconds.
    """

    relay: str
    provider: str = ""
    trouble: LocalizedText | None = None
    changes: MailChanges | None = None
    waited: float = 0.0


def inspect_read_back(context: AppContext, address: EmailAddress) -> ReadBackFacts:
    """Send a test mail to an address that the inbox receives, and look for it there for two minutes.

    What arrives is moved to the processed folder.
    """
    from upcycle_news.services.bounces import process

    with context.relay() as relay:
        facts = ReadBackFacts(relay.name, relay.provider)
        token = secrets.token_hex(8)
        try:
            with process.open_inbox(context, context.settings.doctor.timeout):
                pass  # what cannot be read back is not sent
            sent = _send(context, relay, address, token)
            received, waited = _wait_for(context, token)
        except UpcycleError as error:
            return ReadBackFacts(relay.name, relay.provider, trouble=text_of(error))
    if received is None:
        return ReadBackFacts(facts.relay, facts.provider, waited=waited)
    changes = compare_mails(sent, received)
    return ReadBackFacts(facts.relay, facts.provider, changes=changes, waited=waited)


def _send(context: AppContext, relay: Relay, address: EmailAddress, token: str) -> bytes:
    """Send the mail as an issue would be sent; return it as it left. Raises `UpcycleError`."""
    from upcycle_news.services.delivery.test_mail import refusal_text
    from upcycle_news.services.delivery.worker_job import compose_template, recipient_fields
    from upcycle_news.transports.smtp import open_connection

    template = compose_template(
        context, _test_mail(context, token), context.publication, relay, revision_id=token
    )
    claim = LeasedDelivery(0, 0, address, "", 1, context.clock())
    fields = recipient_fields(context, f"doctor/{token}", 0, relay)(claim)
    envelope, message = template.envelope_for(address), template.for_recipient(fields)
    connection = open_connection(relay)
    try:
        outcome = connection.send(envelope, message)
    finally:
        connection.close()
    if not isinstance(outcome, Accepted):
        raise UpcycleError(localized("read-back-refused", why=refusal_text(outcome)))
    return message


def _test_mail(context: AppContext, token: str) -> RenderedIssue:
    """Return a small mail with the links of an issue; `token` is in its subject."""
    translate, publication = Translator(context.language), context.publication
    words = translate(localized("read-back-text", publication=publication.name))
    site = publication.public_url or f"https://{publication.sender_address.rpartition('@')[2]}"
    links = (
        site,
        f"{site}/?a=1&b=2#c",
        f"mailto:{publication.reply_to or publication.sender_address}",
        Placeholder.PREFERENCES,
        Placeholder.UNSUBSCRIBE,
    )
    subject = f"[doctor --read-back] {token}"
    anchors = "".join(
        f'<p><a href="{escape(link)}">{translate(localized("read-back-link", number=number))}</a></p>\n'
        for number, link in enumerate(links, start=1)
    )
    return RenderedIssue(
        issue=IssueId(context.today),
        language=context.language,
        subject=subject,
        html=f'<!doctype html>\n<html lang="{context.language}"><head><meta charset="utf-8">'
        f"<title>{subject}</title></head>\n<body>\n<p>{escape(words)}</p>\n{anchors}</body></html>\n",
        text="\n\n".join((words, *links)) + "\n",
        mjml="",
    )


def _wait_for(context: AppContext, token: str) -> tuple[bytes | None, float]:
    """Return the mail once the inbox has it, None after `WAITS`, and the seconds waited."""
    from upcycle_news.services.bounces import process

    waited = 0.0
    for seconds in WAITS:
        context.wait(seconds)
        waited += seconds
        with process.open_inbox(context, context.settings.doctor.timeout) as inbox:
            for key, raw in inbox.with_subject(token):
                inbox.done(key)
                return raw, waited
    return None, waited


def evaluate(facts: ReadBackFacts) -> list[CheckResult]:
    """Evaluate what the relay's provider did to the mail; one result for each kind of change."""
    if facts.trouble is not None:
        return [
            problem(
                CHECK,
                facts.trouble,
                impact=localized("read-back-unknown"),
                fix=localized("read-back-trouble-cure"),
                about=facts.relay,
            )
        ]
    if facts.changes is None:
        return [
            warning(
                CHECK,
                localized("read-back-missing", name=facts.relay, seconds=facts.waited),
                impact=localized("read-back-unknown"),
                fix=localized("read-back-missing-cure"),
                about=facts.relay,
            )
        ]
    if facts.changes == UNCHANGED:
        return [
            ok(
                CHECK,
                localized("read-back-unchanged", name=facts.relay, seconds=facts.waited),
                about=facts.relay,
            )
        ]
    return [
        *_tracking(facts, facts.changes),
        *_contents(facts, facts.changes),
        *_headers(facts, facts.changes),
    ]


def _tracking(facts: ReadBackFacts, changes: MailChanges) -> list[CheckResult]:
    """Return what counts clicks and openings: links that lead elsewhere, and what is loaded."""
    results = []
    hosts = ", ".join(changes.hosts) or localized("read-back-nowhere")
    links = _sum(changes, "links")
    if links:
        results.append(
            problem(
                CHECK,
                localized("read-back-links", name=facts.relay, count=links, hosts=hosts),
                impact=localized("read-back-links-mean"),
                fix=_switch_off(facts),
                about=f"{facts.relay} links",
            )
        )
    if changes.html.loaded:
        results.append(
            problem(
                CHECK,
                localized(
                    "read-back-pixel", name=facts.relay, count=changes.html.loaded, hosts=hosts
                ),
                impact=localized("read-back-pixel-means"),
                fix=_switch_off(facts),
                about=f"{facts.relay} pixel",
            )
        )
    return results


def _contents(facts: ReadBackFacts, changes: MailChanges) -> list[CheckResult]:
    """Return what was added to the texts, or taken from them."""
    results = []
    words, links = _sum(changes, "added_words"), _sum(changes, "added_links")
    if words or links:
        results.append(
            warning(
                CHECK,
                localized("read-back-footer", name=facts.relay, count=words + links),
                impact=localized("read-back-footer-means"),
                fix=_switch_off(facts),
                about=f"{facts.relay} footer",
            )
        )
    lost = _sum(changes, "lost_words")
    if lost or changes.html.reordered or changes.text.reordered:
        results.append(
            warning(
                CHECK,
                localized("read-back-words", name=facts.relay, count=max(lost, 1)),
                impact=localized("read-back-words-mean"),
                fix=_switch_off(facts),
                about=f"{facts.relay} words",
            )
        )
    missing = [
        kind
        for kind, part in (("text/html", changes.html), ("text/plain", changes.text))
        if part.missing
    ]
    if missing:
        results.append(
            warning(
                CHECK,
                localized(
                    "read-back-part",
                    name=facts.relay,
                    count=len(missing),
                    parts=" + ".join(missing),
                ),
                impact=localized("read-back-part-means"),
                fix=_switch_off(facts),
                about=f"{facts.relay} parts",
            )
        )
    return results


def _headers(facts: ReadBackFacts, changes: MailChanges) -> list[CheckResult]:
    if not changes.headers:
        return []
    names = ", ".join(changes.headers)
    return [
        problem(
            CHECK,
            localized("read-back-headers", name=facts.relay, headers=names),
            impact=localized("read-back-headers-mean"),
            fix=_switch_off(facts),
            about=f"{facts.relay} headers",
        )
    ]


def _sum(changes: MailChanges, name: str) -> int:
    parts: tuple[PartChanges, ...] = (changes.html, changes.text)
    return sum(getattr(part, name) for part in parts)


def _switch_off(facts: ReadBackFacts) -> LocalizedText:
    if facts.provider:
        return localized("read-back-provider-cure", page=f"docs/providers/{facts.provider}.md")
    return localized("read-back-cure", name=facts.relay)

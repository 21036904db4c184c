"""Test mails: an issue as it would arrive, to named addresses or to a group of editors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, RelayError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import EmailAddress, LeasedDelivery
from upcycle_news.services.delivery.worker_job import compose_template, message_composer
from upcycle_news.services.issues.render import RenderedRevision
from upcycle_news.storage import subscribers
from upcycle_news.transports.outcomes import Accepted, Refused
from upcycle_news.transports.smtp import open_connection


def send_test(
    context: AppContext, rendered: RenderedRevision, recipients: Sequence[EmailAddress]
) -> int:
    """Send a revision, marked as a test, to these addresses; nothing is recorded in the ledger.

    They get the variant that `rendered` shows, with the settings of its language in the headers.
    Returns how many were accepted; raises `RelayError` at the first that is not.
    """
    revision = rendered.revision
    test_mail = replace(rendered.content, subject=f"[Test] {rendered.content.subject}")
    # Not the issue's own Message-ID: mailboxes drop a second message with the same one, and an
    # editor who saw the test would never get the issue.
    mailing = f"{revision.issue}/test/{revision.revision_id}/{context.clock().isoformat()}"
    with context.relay() as relay:
        template = compose_template(
            context,
            test_mail,
            revision.manifest.publication.in_language(test_mail.language),
            relay,
            revision_id=revision.revision_id,
        )
        compose_message = message_composer(context, lambda _: template, mailing, 0, relay)
        connection = open_connection(relay)
        try:
            for number, address in enumerate(recipients, start=1):
                subscriber = subscribers.find(context.store, address)
                name, number_in_links = (subscriber.name, subscriber.id) if subscriber else ("", 0)
                claim = LeasedDelivery(0, number_in_links, address, name, 1, context.clock())
                outcome = connection.send(*compose_message(claim))
                if not isinstance(outcome, Accepted):
                    raise RelayError(
                        localized(
                            "test-not-accepted",
                            number=number,
                            count=len(recipients),
                            why=refusal_text(outcome),
                        )
                    )
        finally:
            connection.close()
    return len(recipients)


def refusal_text(outcome: object) -> str:
    """Return why a mail was not accepted: the relay's reply, or what became of the connection."""
    if isinstance(outcome, Refused):
        reply = outcome.reply
        return " ".join(part for part in (str(reply.code), reply.enhanced, reply.text) if part)
    return str(getattr(outcome, "reason", "the connection was lost"))


def group_addresses(context: AppContext, group: str) -> tuple[EmailAddress, ...]:
    """Return the addresses of a group's confirmed members; raises `IssueError` when it has none."""
    members = subscribers.group_members(context.store, group)
    if not members:
        raise IssueError(localized("test-group-empty", group=group))
    return tuple(member.email for member in members)

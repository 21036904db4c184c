"""Subscribers, their consent, unsubscribes, bounces, and suppressions."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from upcycle_news.storage.schema.base import LongNumber, UtcDateTime, metadata, partial_index

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", String(320), nullable=False),
    Column("email_key", String(320), nullable=False, unique=True),
    # The keys of a suppression of the whole domain, and of the erased subscriber.
    Column("domain_key", String(320), nullable=False),
    Column("hash_key", String(80), nullable=False),
    Column("name", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("topics", JSON, nullable=False),
    Column("groups", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("unsubscribed_at", UtcDateTime),
    # When the subscriber chose language and topics: from then on no imported list replaces these.
    Column("preferences_set_at", UtcDateTime),
    sqlite_autoincrement=True,  # an id is in signed links: it must never name a second subscriber
)

IN_A_GROUP = text("CAST(\"groups\" AS TEXT) <> '[]'")
"""The few in a group, such as the editors. A query needs these very words to be answered by the index."""
partial_index("ix_subscribers_in_a_group", subscribers.c.id, where=IN_A_GROUP)

consents = Table(
    "consents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column(
        "subscriber_id",
        ForeignKey("subscribers.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("purpose", String(64), nullable=False),
    Column("source", Text, nullable=False),
    Column("wording", String(64), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("ip", String(64), nullable=False),
    Column("given_at", UtcDateTime, nullable=False),
    Column("mailed_at", UtcDateTime),
    # Those of the last weeks are counted every ten minutes.
    Column("confirmed_at", UtcDateTime, index=True),
    Column("ended_at", UtcDateTime),
    # The words that were agreed to, where another program asked for the consent.
    Column("text", Text, nullable=False, server_default=""),
    # What was chosen on the form; it becomes the subscriber's with the confirmation, and no earlier:
    # anybody may enter an address. NULL: nothing was chosen, and what is known of the subscriber stays.
    Column("chosen_language", String(8)),
    Column("chosen_topics", JSON(none_as_null=True)),
    Column("chosen_rhythm", String(16)),
    # What tidying looks for: few among many that were confirmed.
    partial_index("ix_consents_unconfirmed", "given_at", where=text("confirmed_at IS NULL")),
)

# From which day on a reader gets every issue, or the digest; without a row every issue.
rhythms = Table(
    "rhythms",
    metadata,
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("from_day", Date, primary_key=True),
    Column("rhythm", String(16), nullable=False),
)

# New addresses that subscribers asked for. `new_email` is empty once the change was confirmed or has
# ended; `old_email` is kept from the confirmation until the old address was told. `old_hash` is the
# keyed hash of the address before the change, so that what comes late is not held against the new one.
address_changes = Table(
    "address_changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column(
        "subscriber_id",
        ForeignKey("subscribers.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("new_email", String(320), nullable=False),
    Column("old_email", String(320), nullable=False),
    Column("old_hash", String(80), nullable=False, index=True),
    Column("token_hash", String(64), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("mailed_at", UtcDateTime),
    Column("confirmed_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    sqlite_autoincrement=True,  # an id is in signed links
)

# The mails of sign-ups and changes of address: what waits has `next_at`, the time of the next attempt.
# `holder` is the process that is sending it, until `held_until` at the most; without a holder that is when
# the relay refused the address, the last time. `limited`: the limits made it wait. The keys are of the
# address that was entered, empty for a notice.
confirmation_mails = Table(
    "confirmation_mails",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column(
        "subscriber_id",
        ForeignKey("subscribers.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("consent_id", ForeignKey("consents.id", ondelete="CASCADE"), index=True),
    Column("change_id", ForeignKey("address_changes.id", ondelete="CASCADE"), index=True),
    Column("email_key", String(320), nullable=False),
    Column("mailbox_key", String(320), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("limited", Boolean, nullable=False),
    Column("next_at", UtcDateTime),
    Column("holder", Text, nullable=False),
    Column("held_until", UtcDateTime),
    Index("ix_confirmation_mails_next_at", "next_at"),
    Index("ix_confirmation_mails_mailbox_key", "mailbox_key"),
)

# How many addresses were entered lately, in all ("") and for one domain ("@domain"): a level that
# falls as fast as the limits let mails go. Whether an address is known makes no difference to it.
request_levels = Table(
    "request_levels",
    metadata,
    Column("scope", String(320), primary_key=True),
    Column("level", Float, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

# Proofs of the consent of those who left and were forgotten: a keyed hash stands for the address, so that
# only who names it finds them. The columns are those of `consents`.
consent_proofs = Table(
    "consent_proofs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("hash_key", String(80), nullable=False, index=True),
    Column("purpose", String(64), nullable=False),
    Column("source", Text, nullable=False),
    Column("wording", String(64), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("given_at", UtcDateTime, nullable=False),
    Column("mailed_at", UtcDateTime),
    Column("confirmed_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    # The words that were agreed to, where another program asked for the consent.
    Column("text", Text, nullable=False, server_default=""),
)

# Whom a list without proof of consent made us ask, as keyed hashes: nobody is asked a second time.
asked_addresses = Table(
    "asked_addresses",
    metadata,
    Column("hash_key", String(80), primary_key=True),
    Column("asked_at", UtcDateTime, nullable=False),
)

# `email_key` is an address in lower case, "@domain", or "#" with a keyed hash of an erased one.
suppressions = Table(
    "suppressions",
    metadata,
    Column("email_key", String(320), primary_key=True),
    Column("reason", String(32), nullable=False),
    Column("source", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    # What bounced or was refused. No foreign keys: a list or a restored backup may know neither.
    Column("issue_id", String(16), nullable=False),
    Column("delivery_id", LongNumber),
    Column("created_at", UtcDateTime, nullable=False),
)

# Suppressions that wait for a person: they came in a wave that may not be the recipients' fault. Until
# they are confirmed the subscribers get mail. The columns are those of `suppressions`.
pending_suppressions = Table(
    "pending_suppressions",
    metadata,
    Column(
        "subscriber_id",
        ForeignKey("subscribers.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("reason", String(32), nullable=False),
    Column("source", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("issue_id", String(16), nullable=False),
    Column("delivery_id", LongNumber),
    Column("created_at", UtcDateTime, nullable=False),
)

# Who unsubscribed when, by which method and with the link of which issue (0: none). No foreign key:
# the counts outlive the subscriber.
unsubscribes = Table(
    "unsubscribes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", Integer, nullable=False, index=True),
    Column("issue_number", Integer, nullable=False, index=True),
    Column("method", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
)

# Bounces and complaints. No foreign keys: the counts outlive the subscriber.
bounces = Table(
    "bounces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("report_key", String(64), nullable=False, unique=True),
    Column("delivery_id", LongNumber, nullable=False),
    Column("subscriber_id", Integer, nullable=False, index=True),
    Column("issue_id", String(16), nullable=False, index=True),
    Column("kind", String(16), nullable=False, index=True),
    Column("code", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", LargeBinary),
    Column("received_at", UtcDateTime, nullable=False, index=True),
    # Raw reports are deleted after a while: few rows have one.
    partial_index("ix_bounces_with_report", "received_at", where=text("raw IS NOT NULL")),
)

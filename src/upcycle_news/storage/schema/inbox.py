"""What the inbox tells besides bounces: sums of DMARC reports, and of replies to issues."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table

from upcycle_news.storage.schema.base import UtcDateTime, metadata

# Aggregate reports of receivers about mails in our name, each once by its key: a hash of organisation,
# report id and domain.
dmarc_reports = Table(
    "dmarc_reports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("report_key", String(64), nullable=False, unique=True),
    Column("organisation", String(100), nullable=False),
    Column("domain", String(253), nullable=False),
    Column("policy", String(16), nullable=False),
    Column("begins_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False, index=True),
    Column("received_at", UtcDateTime, nullable=False, index=True),
)

# The mails of a report by server and result. A server's address is no reader's; empty: what was summed
# up without it. `position` orders the rows of a report.
dmarc_rows = Table(
    "dmarc_rows",
    metadata,
    Column("report_id", ForeignKey("dmarc_reports.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("source", String(45), nullable=False),
    Column("disposition", String(16), nullable=False),
    Column("dkim", Boolean, nullable=False),
    Column("spf", Boolean, nullable=False),
    Column("header_from", String(253), nullable=False),
    Column("signed_by", String(253), nullable=False),
    Column("mail_from", String(253), nullable=False),
    Column("mails", Integer, nullable=False),
)

# How many replies came to an issue, of people and of absence assistants: the sums and nothing else.
issue_replies = Table(
    "issue_replies",
    metadata,
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True),
    Column("replies", Integer, nullable=False),
    Column("auto_replies", Integer, nullable=False),
)

# Keyed hashes of the Message-IDs of counted replies, so that each counts once however often it is read;
# deleted when replies to their issue are no longer counted.
reply_marks = Table(
    "reply_marks",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), nullable=False, index=True),
)

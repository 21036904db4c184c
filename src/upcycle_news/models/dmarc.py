"""DMARC aggregate reports as sums: what a receiver saw in a domain's name (RFC 7489; RFC 9990)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class DmarcRow:
    """How many mails came from one server with one result.

    `source` is the server's IP address, empty for what was summed up without it. `dkim` and `spf` say
    whether that passed and was aligned with the From address (RFC 7489, section 3.1). `disposition`:
    none, quarantine, reject, or unknown. The domains are empty where the report does not say them.
    """

    source: str
    disposition: str
    dkim: bool
    spf: bool
    header_from: str = ""
    signed_by: str = ""
    mail_from: str = ""


@dataclass(frozen=True)
class DmarcReport:
    """A report of `organisation` about mails in the name of `domain`; `rows` has the mails by row.

    `begins_at` and `ends_at` are the span it covers; `policy` is what it says the domain publishes: none,
    quarantine, reject, or empty where it says no such word.
    """

    organisation: str
    report_id: str
    domain: str
    policy: str
    begins_at: datetime
    ends_at: datetime
    rows: dict[DmarcRow, int] = field(default_factory=dict)

    def shortened(self, limit: int) -> DmarcReport:
        """Return the report with `limit` rows at the most: the largest ones, the others without source."""
        if len(self.rows) <= limit:
            return self
        largest = sorted(self.rows.items(), key=lambda item: -item[1])
        kept = limit - len(_SUMS)
        rest = summed(
            (DmarcRow("", row.disposition, row.dkim, row.spf), count)
            for row, count in largest[kept:]
        )
        return DmarcReport(
            self.organisation,
            self.report_id,
            self.domain,
            self.policy,
            self.begins_at,
            self.ends_at,
            dict(largest[:kept]) | rest,
        )


DISPOSITIONS = ("none", "quarantine", "reject", "unknown")
_SUMS = [(word, dkim, spf) for word in DISPOSITIONS for dkim in (0, 1) for spf in (0, 1)]


def summed(rows: Iterable[tuple[DmarcRow, int]]) -> dict[DmarcRow, int]:
    """Return the mails by row, equal rows added up."""
    sums: dict[DmarcRow, int] = {}
    for row, count in rows:
        sums[row] = sums.get(row, 0) + count
    return sums


@dataclass(frozen=True)
class DmarcSource:
    """What the reports of a while say about one server: mails in our name, and how many failed.

    `failed` are the mails for which neither DKIM nor SPF passed and was aligned; `let_through` are those
    of them that the receivers neither rejected nor moved to junk. `failing_since` is the begin of the
    first report of the while with such a mail. `domain` is whose signature it bears, else whose envelope.
    """

    source: str
    mails: int
    failed: int
    let_through: int
    failing_since: datetime | None
    domain: str


@dataclass(frozen=True)
class DmarcSummary:
    """What the reports of a while say. `since` is the begin of the earliest, `until` the end of the newest.

    `sources` are the servers with the most failed mails, then those with the most mails.
    """

    reports: int
    organisations: int
    since: datetime | None
    until: datetime | None
    mails: int
    failed: int
    source_count: int
    sources: tuple[DmarcSource, ...]

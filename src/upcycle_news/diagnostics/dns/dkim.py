"""DKIM (RFC 6376): check that the keys that sign our mail are published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upcycle_news.diagnostics.dns.dmarc import tags
from upcycle_news.diagnostics.dns.resolver import Answer, Answers, Query
from upcycle_news.diagnostics.results import (
    CheckResult,
    Record,
    ok,
    problem,
    skipped,
    warning,
)
from upcycle_news.i18n.messages import localized


@dataclass(frozen=True)
class Key:
    """A signing key; `record` is the TXT value to publish, empty for a key of the relay's."""

    domain: str
    selector: str
    record: str = ""

    @property
    def name(self) -> str:
        """Return the name at which the key is published."""
        return f"{self.selector}._domainkey.{self.domain}"


def queries(keys: Sequence[Key]) -> set[Query]:
    """Return the DNS queries for the keys."""
    return {(key.name.lower(), "TXT") for key in keys}


def evaluate(keys: Sequence[Key], answers: Answers, *, domain: str) -> list[CheckResult]:
    """Return a result for each key; without any key, how to find out the relay's."""
    if not keys:
        return [
            skipped(
                "dkim",
                localized("doctor-dkim-none"),
                fix=localized("doctor-dkim-none-cure", domain=domain),
            )
        ]
    return [
        _evaluate_key(
            key,
            answers.get((key.name.lower(), "TXT"), Answer(trouble=localized("doctor-not-asked"))),
        )
        for key in keys
    ]


def _evaluate_key(key: Key, answer: Answer) -> CheckResult:
    records = [Record(key.name, "TXT", key.record)] if key.record else []
    failure = localized("doctor-dkim-fails")
    if answer.trouble:
        return warning(
            "dkim",
            localized("doctor-dkim-unknown", name=key.name, trouble=answer.trouble),
            impact=localized("doctor-dkim-unknown-means"),
            fix=localized("doctor-dns-again"),
            about=key.name,
        )
    if not answer.values:
        fix = localized("doctor-publish") if key.record else localized("doctor-publish-relays")
        return problem(
            "dkim",
            localized("doctor-dkim-missing", name=key.name),
            impact=failure,
            fix=fix,
            about=key.name,
            records=records,
        )
    if len(answer.values) > 1:
        return problem(
            "dkim",
            localized("doctor-dkim-several", name=key.name, count=len(answer.values)),
            impact=localized("doctor-dkim-several-means", failure=failure),
            fix=localized("doctor-delete-all-but-one"),
            about=key.name,
            records=records,
        )
    published = tags(answer.values[0])
    public = "".join(published.get("p", "").split())
    if not public:
        return problem(
            "dkim",
            localized("doctor-dkim-revoked", name=key.name),
            impact=localized("doctor-dkim-revoked-means"),
            fix=localized("doctor-dkim-revoked-cure"),
            about=key.name,
            records=records,
        )
    if key.record and _identity(published) != _identity(tags(key.record)):
        return problem(
            "dkim",
            localized("doctor-dkim-other", name=key.name),
            impact=localized("doctor-dkim-other-means"),
            fix=localized("doctor-dkim-other-cure"),
            about=key.name,
            records=records,
        )
    if "y" in published.get("t", "").lower().split(":"):
        return warning(
            "dkim",
            localized("doctor-dkim-testing", name=key.name),
            impact=localized("doctor-dkim-testing-means"),
            fix=localized("doctor-dkim-testing-cure"),
            about=key.name,
            records=records,
        )
    owner = localized("doctor-dkim-ours") if key.record else localized("doctor-dkim-relays")
    return ok("dkim", localized("doctor-dkim-ok", name=key.name, owner=owner), about=key.name)


def _identity(record: dict[str, str]) -> tuple[str, str]:
    return record.get("k", "rsa").lower(), "".join(record.get("p", "").split())

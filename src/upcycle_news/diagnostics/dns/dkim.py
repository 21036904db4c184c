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
                "mail is not signed here; whether the relay signs it is not known, nor its selectors",
                fix="look for s=… in DKIM-Signature of a mail to yourself, with d="
                f"{domain}, and set doctor.dkim_selectors; or sign here: 'upcycle-news dkim keygen'",
            )
        ]
    return [
        _evaluate_key(
            key, answers.get((key.name.lower(), "TXT"), Answer(trouble="it was not asked"))
        )
        for key in keys
    ]


def _evaluate_key(key: Key, answer: Answer) -> CheckResult:
    records = [Record(key.name, "TXT", key.record)] if key.record else []
    failure = "receivers cannot check the signature; with DMARC they may refuse the mail"
    if answer.trouble:
        return warning(
            "dkim",
            f"the DKIM key {key.name} is not known: {answer.trouble}",
            impact="receivers that get no answer either treat the mail as unsigned",
            fix="try again; if it persists, ask who runs the domain's name servers",
            about=key.name,
        )
    if not answer.values:
        fix = "publish it" if key.record else "publish what the relay's operator gives you"
        return problem(
            "dkim",
            f"the DKIM key {key.name} is not published",
            impact=failure,
            fix=fix,
            about=key.name,
            records=records,
        )
    if len(answer.values) > 1:
        return problem(
            "dkim",
            f"{key.name} has {len(answer.values)} records",
            impact=f"which one counts is not defined: {failure}",
            fix="delete all but one",
            about=key.name,
            records=records,
        )
    published = tags(answer.values[0])
    public = "".join(published.get("p", "").split())
    if not public:
        return problem(
            "dkim",
            f"the DKIM key {key.name} is revoked (p= is empty)",
            impact="every signature with it fails",
            fix="publish the key again, or sign with another selector",
            about=key.name,
            records=records,
        )
    if key.record and _identity(published) != _identity(tags(key.record)):
        return problem(
            "dkim",
            f"{key.name} publishes another key than the one we sign with",
            impact="every signature of ours fails",
            fix="replace the record",
            about=key.name,
            records=records,
        )
    if "y" in published.get("t", "").lower().split(":"):
        return warning(
            "dkim",
            f"the DKIM key {key.name} says that it is only being tested (t=y)",
            impact="receivers treat our mail as unsigned",
            fix="remove t=y",
            about=key.name,
            records=records,
        )
    owner = "and is ours" if key.record else "(check in a test mail that the relay signs with it)"
    return ok("dkim", f"the DKIM key {key.name} is published {owner}", about=key.name)


def _identity(record: dict[str, str]) -> tuple[str, str]:
    return record.get("k", "rsa").lower(), "".join(record.get("p", "").split())

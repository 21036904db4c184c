"""DKIM (RFC 6376): whether the keys that sign our mail are published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upcycle_news.diagnostics.dns.dmarc import tags
from upcycle_news.diagnostics.dns.resolver import Answer, Answers, Question
from upcycle_news.diagnostics.results import (
    Line,
    Record,
    ok,
    problem,
    skipped,
    warning,
)


@dataclass(frozen=True)
class Key:
    """A key that signs: `record` is what must be published, empty for a key that is the relay's."""

    domain: str
    selector: str
    record: str = ""

    @property
    def name(self) -> str:
        """Where it is published."""
        return f"{self.selector}._domainkey.{self.domain}"


def questions(keys: Sequence[Key]) -> set[Question]:
    """What must be asked."""
    return {(key.name.lower(), "TXT") for key in keys}


def verdict(keys: Sequence[Key], answers: Answers, *, domain: str) -> list[Line]:
    """A line for each key; without any, what cannot be known from here."""
    if not keys:
        return [
            skipped(
                "dkim",
                "we do not sign, the relay may: its selectors are not known here",
                cure="look for s=… in DKIM-Signature of a mail to yourself, with d="
                f"{domain}, and set doctor.dkim_selectors; or sign here: 'upcycle-news dkim keygen'",
            )
        ]
    return [
        _one(key, answers.get((key.name.lower(), "TXT"), Answer(trouble="it was not asked")))
        for key in keys
    ]


def _one(key: Key, answer: Answer) -> Line:
    records = [Record(key.name, "TXT", key.record)] if key.record else []
    fails = "receivers cannot check the signature; with DMARC they may refuse the mail"
    if answer.trouble:
        return warning(
            "dkim",
            f"the DKIM key {key.name} is not known: {answer.trouble}",
            meaning="receivers that get no answer either take the mail for unsigned",
            cure="try again; if it stays so, ask who runs the domain's name servers",
            about=key.name,
        )
    if not answer.values:
        cure = "publish it" if key.record else "publish what the relay's operator gives you"
        return problem(
            "dkim",
            f"the DKIM key {key.name} is not published",
            meaning=fails,
            cure=cure,
            about=key.name,
            records=records,
        )
    if len(answer.values) > 1:
        return problem(
            "dkim",
            f"{key.name} has {len(answer.values)} records",
            meaning=f"which one counts is not defined: {fails}",
            cure="delete all but one",
            about=key.name,
            records=records,
        )
    told = tags(answer.values[0])
    public = "".join(told.get("p", "").split())
    if not public:
        return problem(
            "dkim",
            f"the DKIM key {key.name} is revoked (p= is empty)",
            meaning="every signature with it fails",
            cure="publish the key again, or sign with another selector",
            about=key.name,
            records=records,
        )
    if key.record and _identity(told) != _identity(tags(key.record)):
        return problem(
            "dkim",
            f"{key.name} publishes another key than the one we sign with",
            meaning="every signature of ours fails",
            cure="replace the record",
            about=key.name,
            records=records,
        )
    if "y" in told.get("t", "").lower().split(":"):
        return warning(
            "dkim",
            f"the DKIM key {key.name} says that it is only being tested (t=y)",
            meaning="receivers treat our mail as unsigned",
            cure="remove t=y",
            about=key.name,
            records=records,
        )
    whose = "and is ours" if key.record else "(whether the relay signs with it, a mail tells)"
    return ok("dkim", f"the DKIM key {key.name} is published {whose}", about=key.name)


def _identity(told: dict[str, str]) -> tuple[str, str]:
    return told.get("k", "rsa").lower(), "".join(told.get("p", "").split())

"""DMARC (RFC 9989): the policy of the From domain, and whether our mail aligns with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from upcycle_news.diagnostics.dns.resolver import Answer, Answers, Query
from upcycle_news.diagnostics.results import (
    CheckResult,
    Record,
    ok,
    problem,
    warning,
)
from upcycle_news.i18n.messages import LocalizedText, localized

_MAX_LABELS = 8  # of the DNS tree walk (section 4.10)


def queries(domain: str) -> set[Query]:
    """Return the DNS queries for the policy and the organizational domain of `domain`."""
    return {(f"_dmarc.{name}", "TXT") for name in _tree_walk(domain)}


def _tree_walk(domain: str) -> Iterator[str]:
    labels = domain.split(".")
    yield domain
    above = labels[1:]
    if len(above) >= _MAX_LABELS:
        above = above[-(_MAX_LABELS - 1) :]
    for start in range(len(above) - 1):  # a top-level domain alone is nobody's organisation
        yield ".".join(above[start:])


def tags(record: str) -> dict[str, str]:
    """Return the tags of a record such as ``v=DMARC1; p=none``, names in lower case; the first wins."""
    values: dict[str, str] = {}
    for part in record.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            values.setdefault(name.strip().lower(), value.strip())
    return values


def records_of(answer: Answer) -> tuple[str, ...]:
    """Return those of a name's TXT records that are DMARC records."""
    return tuple(v for v in answer.values if re.match(r"v=DMARC1\s*(;|\Z)", v))


def policy(domain: str, answers: Answers) -> tuple[str, dict[str, str]] | None:
    """Return the name that publishes the policy for `domain` and its tags, None without a policy."""
    for name in _tree_walk(domain):
        records = records_of(answers.get((f"_dmarc.{name}", "TXT"), Answer()))
        if len(records) == 1:
            return name, tags(records[0])
    return None


def organizational_domain(domain: str, answers: Answers) -> str:
    """Return the organizational domain: names below the same one align in relaxed mode (4.10.2)."""
    last = domain
    for name in _tree_walk(domain):
        records = records_of(answers.get((f"_dmarc.{name}", "TXT"), Answer()))
        if len(records) != 1:
            continue
        psd = tags(records[0]).get("psd", "u").lower()
        if psd == "n":
            return name
        if psd == "y" and name != domain:
            return last
        last = name
    return last


def aligned(domain: str, other: str, mode: str, answers: Answers) -> bool:
    """True if `other` is aligned with `domain`; in mode ``s`` they must be equal (section 4.4)."""
    if domain == other:
        return True
    if mode.lower() == "s":
        return False
    return organizational_domain(domain, answers) == organizational_domain(other, answers)


def evaluate(
    domain: str, envelope: str, signing: Sequence[str], answers: Answers, *, relay_may_sign: bool
) -> list[CheckResult]:
    """Evaluate the policy of our From `domain`, and the alignment of envelope and signatures.

    `signing` are the domains of our own signatures; `relay_may_sign`: whether the relay adds an
    aligned signature is not known here.
    """
    own = answers.get((f"_dmarc.{domain}", "TXT"), Answer(trouble=localized("doctor-not-asked")))
    if own.trouble:
        return [
            warning(
                "dmarc",
                localized("doctor-dmarc-unknown", domain=domain, trouble=own.trouble),
                impact=localized("doctor-dns-unknown-means"),
                fix=localized("doctor-dns-again"),
                about=domain,
            )
        ]
    if len(records_of(own)) > 1:
        return [_several(domain, len(records_of(own)))]
    published = policy(domain, answers)
    if published is None:
        return [_none(domain)]
    where, values = published
    wanted = values.get("p", "") if where == domain else values.get("sp", values.get("p", ""))
    if wanted.lower() not in ("none", "quarantine", "reject"):
        return [_without_policy(where)]
    by_spf = aligned(domain, envelope, values.get("aspf", "r"), answers)
    by_dkim = any(aligned(domain, signer, values.get("adkim", "r"), answers) for signer in signing)
    if not by_spf and not by_dkim:
        return [_not_aligned(domain, envelope, wanted.lower(), relay_may_sign=relay_may_sign)]
    checks = (
        (localized("doctor-the-envelope"), by_spf),
        (localized("doctor-our-signature"), by_dkim),
    )
    passing = [name for name, is_aligned in checks if is_aligned]
    at: LocalizedText | str = "" if where == domain else localized("doctor-dmarc-at", where=where)
    impact = None
    if wanted.lower() == "none":
        impact = localized("doctor-dmarc-none-policy")
    return [
        ok(
            "dmarc",
            localized(
                "doctor-dmarc-ok",
                domain=domain,
                policy=wanted.lower(),
                at=at,
                passing=passing[0]
                if len(passing) == 1
                else localized("doctor-both", first=passing[0], second=passing[1]),
            ),
            impact=impact,
            about=domain,
        )
    ]


def _none(domain: str) -> CheckResult:
    return warning(
        "dmarc",
        localized("doctor-dmarc-missing", domain=domain),
        impact=localized("doctor-dmarc-missing-means"),
        fix=localized("doctor-dmarc-missing-cure"),
        about=domain,
        records=[Record(f"_dmarc.{domain}", "TXT", "v=DMARC1; p=none")],
    )


def _several(domain: str, count: int) -> CheckResult:
    return problem(
        "dmarc",
        localized("doctor-dmarc-several", domain=domain, count=count),
        impact=localized("doctor-dmarc-several-means"),
        fix=localized("doctor-delete-all-but-one"),
        about=domain,
    )


def _without_policy(where: str) -> CheckResult:
    return warning(
        "dmarc",
        localized("doctor-dmarc-no-policy", where=where),
        impact=localized("doctor-dmarc-no-policy-means"),
        fix=localized("doctor-dmarc-no-policy-cure"),
        about=where,
        records=[Record(f"_dmarc.{where}", "TXT", "v=DMARC1; p=none")],
    )


def _not_aligned(domain: str, envelope: str, wanted: str, *, relay_may_sign: bool) -> CheckResult:
    finding = localized("doctor-dmarc-not-aligned", domain=domain, envelope=envelope)
    fix = localized("doctor-dmarc-align", domain=domain)
    if relay_may_sign:
        return warning(
            "dmarc",
            finding,
            impact=localized("doctor-dmarc-relay-signs", domain=domain, policy=wanted),
            fix=localized("doctor-dmarc-align-relay", fix=fix),
            about=domain,
        )
    make = warning if wanted == "none" else problem
    return make(
        "dmarc",
        finding,
        impact=localized("doctor-dmarc-fails", policy=wanted),
        fix=fix,
        about=domain,
    )

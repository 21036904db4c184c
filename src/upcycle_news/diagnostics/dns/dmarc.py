"""DMARC (RFC 9989): the policy of the From domain, and whether our mail fits it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from upcycle_news.diagnostics.dns.resolver import Answer, Answers, Question
from upcycle_news.diagnostics.results import (
    Line,
    Record,
    ok,
    problem,
    warning,
)

_MAX_LABELS = 8  # of the walk up the tree (section 4.10)


def questions(domain: str) -> set[Question]:
    """What must be asked to know the policy and the organisation of a domain."""
    return {(f"_dmarc.{name}", "TXT") for name in _walk_up(domain)}


def _walk_up(domain: str) -> Iterator[str]:
    labels = domain.split(".")
    yield domain
    above = labels[1:]
    if len(above) >= _MAX_LABELS:
        above = above[-(_MAX_LABELS - 1) :]
    for start in range(len(above) - 1):  # a top-level domain alone is nobody's organisation
        yield ".".join(above[start:])


def tags(record: str) -> dict[str, str]:
    """The tags of a record such as ``v=DMARC1; p=none``, in lower case, the first of a name."""
    found: dict[str, str] = {}
    for part in record.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def records_of(answer: Answer) -> tuple[str, ...]:
    """Those of a name's TXT records that are DMARC."""
    return tuple(v for v in answer.values if re.match(r"v=DMARC1\s*(;|\Z)", v))


def policy(domain: str, answers: Answers) -> tuple[str, dict[str, str]] | None:
    """Where the policy for `domain` stands and its tags, the nearest one up the tree."""
    for name in _walk_up(domain):
        records = records_of(answers.get((f"_dmarc.{name}", "TXT"), Answer()))
        if len(records) == 1:
            return name, tags(records[0])
    return None


def organisation(domain: str, answers: Answers) -> str:
    """The domain whose names all align with one another (section 4.10.2)."""
    last = domain
    for name in _walk_up(domain):
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
    """Whether `other` speaks for `domain`; mode ``s`` wants them equal (section 4.4)."""
    if domain == other:
        return True
    if mode.lower() == "s":
        return False
    return organisation(domain, answers) == organisation(other, answers)


def verdict(
    domain: str, envelope: str, signing: Sequence[str], answers: Answers, *, relay_may_sign: bool
) -> list[Line]:
    """The policy of our From `domain`, and whether envelope and signatures fit it.

    `signing` are the domains we sign for ourselves; `relay_may_sign`: what the relay adds is not
    known here.
    """
    own = answers.get((f"_dmarc.{domain}", "TXT"), Answer(trouble="it was not asked"))
    if own.trouble:
        return [
            warning(
                "dmarc",
                f"DMARC of {domain} is not known: {own.trouble}",
                meaning="receivers that get no answer either put our mail off",
                cure="try again; if it stays so, ask who runs the domain's name servers",
                about=domain,
            )
        ]
    if len(records_of(own)) > 1:
        return [_several(domain, len(records_of(own)))]
    found = policy(domain, answers)
    if found is None:
        return [_none(domain)]
    where, told = found
    wanted = told.get("p", "") if where == domain else told.get("sp", told.get("p", ""))
    if wanted.lower() not in ("none", "quarantine", "reject"):
        return [_without_policy(where)]
    by_spf = aligned(domain, envelope, told.get("aspf", "r"), answers)
    by_dkim = any(aligned(domain, one, told.get("adkim", "r"), answers) for one in signing)
    if not by_spf and not by_dkim:
        return [_strange(domain, envelope, wanted.lower(), relay_may_sign=relay_may_sign)]
    ways = [way for way, fits in (("the envelope", by_spf), ("our signature", by_dkim)) if fits]
    at = "" if where == domain else f", written at {where}"
    meaning = ""
    if wanted.lower() == "none":
        meaning = "forged mail is only counted; p=quarantine once the reports look well"
    return [
        ok(
            "dmarc",
            f"DMARC of {domain} is p={wanted.lower()}{at}; it fits {' and '.join(ways)}",
            meaning=meaning,
            about=domain,
        )
    ]


def _none(domain: str) -> Line:
    return warning(
        "dmarc",
        f"{domain} has no DMARC record",
        meaning="Gmail, Yahoo and Outlook refuse senders of 5,000 and more mails a day without "
        "one, and anybody may forge your From address",
        cure="publish one that only observes; add rua=mailto:… to get reports",
        about=domain,
        records=[Record(f"_dmarc.{domain}", "TXT", "v=DMARC1; p=none")],
    )


def _several(domain: str, count: int) -> Line:
    return problem(
        "dmarc",
        f"{domain} has {count} DMARC records",
        meaning="receivers take that for none",
        cure="delete all but one",
        about=domain,
    )


def _without_policy(where: str) -> Line:
    return warning(
        "dmarc",
        f"the DMARC record of {where} names no policy",
        meaning="receivers read it as p=none, or not at all",
        cure="write p=none, p=quarantine or p=reject behind v=DMARC1",
        about=where,
        records=[Record(f"_dmarc.{where}", "TXT", "v=DMARC1; p=none")],
    )


def _strange(domain: str, envelope: str, wanted: str, *, relay_may_sign: bool) -> Line:
    found = f"our mail does not fit DMARC of {domain} by itself: its envelope is of {envelope}"
    cure = f"set sender.envelope to an address at {domain}, or sign with d={domain}"
    if relay_may_sign:
        return warning(
            "dmarc",
            found,
            meaning=f"only a signature of the relay with d={domain} makes it pass (p={wanted})",
            cure=f"{cure} at the relay; look for dkim=pass in a mail to yourself",
            about=domain,
        )
    make = warning if wanted == "none" else problem
    return make(
        "dmarc",
        found,
        meaning=f"and neither is a signature of ours: DMARC fails, the policy is p={wanted}",
        cure=cure,
        about=domain,
    )

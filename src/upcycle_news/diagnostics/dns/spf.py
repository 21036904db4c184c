"""SPF (RFC 7208): evaluate the envelope domain's record, and propose a corrected one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import chain

from upcycle_news.diagnostics.dns.resolver import Answer, Answers, Query
from upcycle_news.diagnostics.results import (
    CheckResult,
    Record,
    ok,
    problem,
    warning,
)
from upcycle_news.i18n.messages import LocalizedText, localized

MAX_LOOKUPS = 10  # RFC 7208, section 4.6.4
MAX_VOID_LOOKUPS = 2  # likewise: look-ups of `a` and `mx` without an answer
_MAX_FOLLOWED = 40  # a record that is far beyond the limit is not followed to its end
_TERM = re.compile(
    r"(?P<sign>[+?~-])?(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)"
    r"(?:[:](?P<value>[^/\s][^\s]*?))?(?P<cidr>(?:/\d{1,3}){0,1}(?://\d{1,3})?)\Z",
    re.IGNORECASE,
)
_MODIFIER = re.compile(r"[A-Za-z][A-Za-z0-9._-]*=")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass
class SpfEvaluation:
    """The terms of a domain's SPF record, with includes followed as far as answers are there.

    `needed` are the queries that are still to be resolved; `all_sign` is the qualifier of `all`;
    `void_lookups` are those of `a` and `mx` that found nothing.
    """

    lookups: int = 0
    void_lookups: int = 0
    networks: set[Network] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    needed: set[Query] = field(default_factory=set)
    errors: list[LocalizedText] = field(default_factory=list)
    troubles: list[LocalizedText] = field(default_factory=list)
    all_sign: str = ""


def records_of(answer: Answer) -> tuple[str, ...]:
    """Return those of a name's TXT records that are SPF records (section 4.5)."""
    return tuple(v for v in answer.values if re.match(r"v=spf1(\s|\Z)", v, re.IGNORECASE))


def evaluate_record(domain: str, answers: Answers) -> SpfEvaluation:
    """Evaluate the record of `domain`; it is complete when `needed` is empty."""
    evaluation = SpfEvaluation()
    _follow(domain, answers, evaluation, (), outer=True)
    return evaluation


def _follow(
    domain: str, answers: Answers, evaluation: SpfEvaluation, above: tuple[str, ...], *, outer: bool
) -> None:
    """Read one record; `above` are the including domains, `outer`: its `all` is the final one."""
    answer = _known((domain, "TXT"), answers, evaluation)
    if answer is None:
        return
    records = records_of(answer)
    if len(records) != 1:
        if above:
            what = (
                localized("doctor-spf-included-none")
                if not records
                else localized("doctor-spf-included-several")
            )
            evaluation.errors.append(localized("doctor-spf-included", domain=domain, what=what))
        return
    redirect = ""
    ended = False
    for text in records[0].split()[1:]:
        term = _TERM.match(text)
        if term is None:
            if text.lower().startswith("redirect="):
                redirect = text.partition("=")[2].lower().rstrip(".")
            elif not _MODIFIER.match(text):
                evaluation.errors.append(
                    localized("doctor-spf-term", text=text[:60], domain=domain)
                )
            continue
        sign, name = term["sign"] or "+", term["name"].lower()
        value = (term["value"] or "").lower().rstrip(".")
        if name == "all":
            ended = True
            if outer:
                evaluation.all_sign = evaluation.all_sign or sign
        elif name in ("ip4", "ip6"):
            allows = "" if ended else sign  # checked for mistakes all the same
            _network(name, value + term["cidr"], allows, domain, evaluation)
        elif not ended:  # section 5.1: terms after `all` are ignored
            evaluation.lookups += 1
            if evaluation.lookups <= _MAX_FOLLOWED and "%" not in value:
                _lookup_term(
                    name, value or domain, term["cidr"], sign, answers, evaluation, (*above, domain)
                )
    if redirect and not ended:
        evaluation.lookups += 1
        if redirect not in above and evaluation.lookups <= _MAX_FOLLOWED and "%" not in redirect:
            _follow(redirect, answers, evaluation, (*above, domain), outer=outer)


def _lookup_term(
    name: str,
    value: str,
    cidr: str,
    sign: str,
    answers: Answers,
    evaluation: SpfEvaluation,
    above: tuple[str, ...],
) -> None:
    """Evaluate a mechanism that counts as a DNS lookup."""
    if name == "include":
        evaluation.names.add(value)
        if value in above:
            evaluation.errors.append(localized("doctor-spf-itself", name=value))
        else:
            _follow(value, answers, evaluation, above, outer=False)
        return
    if sign != "+" or name not in ("a", "mx"):
        return
    hosts = [value]
    if name == "mx":
        answer = _known((value, "MX"), answers, evaluation)
        hosts = [value.partition(" ")[2] for value in answer.values] if answer else []
        evaluation.void_lookups += answer is not None and not hosts
    else:
        evaluation.names.add(value)
        families = [_known((value, kind), answers, evaluation) for kind in ("A", "AAAA")]
        evaluation.void_lookups += all(answer and not answer.values for answer in families)
    for host in hosts:
        for kind in ("A", "AAAA"):
            answer = _known((host, kind), answers, evaluation)
            for address in answer.values if answer else ():
                widths = re.match(r"(?:/(\d+))?(?://(\d+))?\Z", cidr)
                width = widths and (widths[1] if kind == "A" else widths[2])
                _network(kind, address + (f"/{width}" if width else ""), "+", value, evaluation)


def _network(name: str, text: str, sign: str, domain: str, evaluation: SpfEvaluation) -> None:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        evaluation.errors.append(
            localized("doctor-spf-no-network", name=name, text=text[:60], domain=domain)
        )
        return
    if sign == "+":
        evaluation.networks.add(network)


def _known(query: Query, answers: Answers, evaluation: SpfEvaluation) -> Answer | None:
    answer = answers.get(query)
    if answer is None:
        evaluation.needed.add(query)
        return None
    if answer.trouble:
        evaluation.troubles.append(
            localized("doctor-dns-trouble", name=query[0], trouble=answer.trouble)
        )
        return None
    return answer


# From the documentation of the relays' operators: the suffix of the relay's host name, and the
# include: for their customers.
_PROVIDERS = (
    ("mailgun.org", "mailgun.org"),
    ("sendgrid.net", "sendgrid.net"),
    ("amazonaws.com", "amazonses.com"),
    ("postmarkapp.com", "spf.mtasv.net"),
    ("mailjet.com", "spf.mailjet.com"),
    ("brevo.com", "spf.brevo.com"),
    ("gmail.com", "_spf.google.com"),
    ("google.com", "_spf.google.com"),
    ("office365.com", "spf.protection.outlook.com"),
)


def evaluate(
    domain: str,
    answers: Answers,
    *,
    relays: Iterable[tuple[str, Collection[str]]],
    own_addresses: Collection[str],
) -> list[CheckResult]:
    """Evaluate whether the SPF record of the envelope `domain` is valid and allows our mail.

    `relays` are the relays' host names with their addresses, empty when we deliver ourselves from
    `own_addresses`.
    """
    answer = answers.get((domain, "TXT"), Answer(trouble=localized("doctor-not-asked")))
    if answer.trouble:
        return [_unknown(domain, answer.trouble)]
    relays = tuple(relays)
    terms = _terms_for(relays, own_addresses)
    records = records_of(answer)
    if len(records) != 1:
        return [_none(domain, terms) if not records else _several(domain, records)]
    evaluation = evaluate_record(domain, answers)
    results = _faults(domain, records[0], evaluation)
    if not any(result.state == "problem" for result in results):
        results += _coverage(domain, records[0], evaluation, relays, own_addresses)
    if results:
        return results
    summary = localized(
        "doctor-spf-summary",
        lookups=evaluation.lookups,
        limit=MAX_LOOKUPS,
        sign=evaluation.all_sign,
    )
    if not relays and not own_addresses:
        return [
            ok(
                "spf",
                localized("doctor-spf-formed", domain=domain, summary=summary),
                impact=localized("doctor-spf-formed-means"),
                about=domain,
            )
        ]
    allowed = localized("doctor-our-addresses") if own_addresses else localized("doctor-our-relay")
    return [
        ok(
            "spf",
            localized("doctor-spf-ok", domain=domain, allowed=allowed, summary=summary),
            about=domain,
        )
    ]


def _faults(domain: str, record: str, evaluation: SpfEvaluation) -> list[CheckResult]:
    results = []
    if evaluation.errors:
        results.append(
            problem(
                "spf",
                localized("doctor-spf-error", domain=domain, error=evaluation.errors[0]),
                impact=localized("doctor-spf-error-means"),
                fix=localized("doctor-spf-error-cure"),
                about=domain,
            )
        )
    if evaluation.lookups > MAX_LOOKUPS:
        results.append(
            problem(
                "spf",
                localized(
                    "doctor-spf-lookups",
                    domain=domain,
                    lookups=evaluation.lookups,
                    limit=MAX_LOOKUPS,
                ),
                impact=localized("doctor-spf-lookups-means"),
                fix=localized("doctor-spf-lookups-cure"),
                about=domain,
            )
        )
    if evaluation.void_lookups > MAX_VOID_LOOKUPS:
        results.append(
            problem(
                "spf",
                localized(
                    "doctor-spf-void",
                    domain=domain,
                    count=evaluation.void_lookups,
                    limit=MAX_VOID_LOOKUPS,
                ),
                impact=localized("doctor-spf-lookups-means"),
                fix=localized("doctor-spf-void-cure"),
                about=domain,
            )
        )
    if evaluation.all_sign == "+":
        results.append(
            problem(
                "spf",
                localized("doctor-spf-all", domain=domain),
                impact=localized("doctor-spf-all-means"),
                fix=localized("doctor-spf-all-cure"),
                about=domain,
                records=[Record(domain, "TXT", re.sub(r"\s\+?all\b", " ~all", record))],
            )
        )
    elif evaluation.all_sign in ("", "?") and not evaluation.errors and not evaluation.troubles:
        results.append(
            warning(
                "spf",
                localized(
                    "doctor-spf-ends",
                    domain=domain,
                    end=f"{evaluation.all_sign}all"
                    if evaluation.all_sign
                    else localized("nothing"),
                ),
                impact=localized("doctor-spf-ends-means"),
                fix=localized("doctor-spf-all-cure"),
                about=domain,
                records=[
                    Record(domain, "TXT", re.sub(r"\s\??all\b", "", record.rstrip()) + " ~all")
                ],
            )
        )
    if evaluation.troubles:
        results.append(_unknown(domain, evaluation.troubles[0]))
    return results


def _coverage(
    domain: str,
    record: str,
    evaluation: SpfEvaluation,
    relays: tuple[tuple[str, Collection[str]], ...],
    own_addresses: Collection[str],
) -> list[CheckResult]:
    missing = [address for address in own_addresses if not covers(evaluation.networks, address)]
    if missing:
        return [
            problem(
                "spf",
                localized("doctor-spf-missing", domain=domain, missing=", ".join(missing)),
                impact=localized("doctor-spf-missing-means"),
                fix=localized("doctor-spf-missing-cure"),
                about=domain,
                records=[Record(domain, "TXT", amended(record, _terms_for((), missing)))],
            )
        ]
    unnamed = [
        (host, addresses) for host, addresses in relays if not _names(evaluation, host, addresses)
    ]
    if not unnamed or own_addresses:
        return []
    terms = _terms_for(unnamed, ())
    return [
        warning(
            "spf",
            localized("doctor-spf-no-relay", domain=domain, relay=unnamed[0][0]),
            impact=localized("doctor-spf-no-relay-means"),
            fix=localized("doctor-spf-no-relay-cure"),
            about=domain,
            records=[Record(domain, "TXT", amended(record, terms))],
        )
    ]


def covers(networks: Iterable[Network], address: str) -> bool:
    """True if one of the networks contains the address."""
    known = ipaddress.ip_address(address)
    return any(known in network for network in networks if network.version == known.version)


def _names(evaluation: SpfEvaluation, host: str, addresses: Collection[str]) -> bool:
    """True if the record covers this relay: its addresses, its operator's include, or its domain."""
    family = ".".join(host.lower().split(".")[-2:])
    provider = _provider(host)
    return (
        any(covers(evaluation.networks, address) for address in addresses)
        or any(name == provider or name.endswith(f".{family}") for name in evaluation.names)
        or family in evaluation.names
    )


def _provider(host: str) -> str:
    for end, include in _PROVIDERS:
        if host.lower() == end or host.lower().endswith(f".{end}"):
            return include
    return ""


def _terms_for(
    relays: Iterable[tuple[str, Collection[str]]], own_addresses: Collection[str]
) -> list[str]:
    terms = [f"ip{ipaddress.ip_address(a).version}:{a}" for a in own_addresses]
    for host, _ in relays if not own_addresses else ():
        provider = _provider(host)
        terms.append(f"include:{provider}" if provider else f"a:{host}")
    return terms


def amended(record: str, terms: Iterable[str]) -> str:
    """Return the record with more terms before its `all` or redirect."""
    words = record.split()
    end = next(
        (n for n, word in enumerate(words) if re.match(r"[+?~-]?all\Z|redirect=", word)), None
    )
    index = len(words) if end is None else end
    return " ".join(chain(words[:index], terms, words[index:]))


def _none(domain: str, terms: list[str]) -> CheckResult:
    fix = localized("doctor-spf-none-cure")
    if not terms:  # a record that names nobody would call our own mail forged
        fix = localized("doctor-spf-none-configure")
    return problem(
        "spf",
        localized("doctor-spf-none", domain=domain),
        impact=localized("doctor-spf-none-means"),
        fix=fix,
        about=domain,
        records=[Record(domain, "TXT", " ".join(["v=spf1", *terms, "~all"]))] if terms else [],
    )


def _several(domain: str, records: tuple[str, ...]) -> CheckResult:
    terms = list(dict.fromkeys(word for record in records for word in record.split()[1:]))
    ends = [word for word in terms if re.match(r"[+?~-]?all\Z", word)]
    merged = ["v=spf1", *(word for word in terms if word not in ends), (ends or ["~all"])[-1]]
    return problem(
        "spf",
        localized("doctor-spf-several", domain=domain, count=len(records)),
        impact=localized("doctor-spf-several-means"),
        fix=localized("doctor-spf-several-cure"),
        about=domain,
        records=[Record(domain, "TXT", " ".join(merged))],
    )


def _unknown(domain: str, trouble: LocalizedText) -> CheckResult:
    return warning(
        "spf",
        localized("doctor-spf-unknown", domain=domain, trouble=trouble),
        impact=localized("doctor-dns-unknown-means"),
        fix=localized("doctor-dns-again"),
        about=domain,
    )

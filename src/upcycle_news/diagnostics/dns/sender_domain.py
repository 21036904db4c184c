"""The sender's domain in DNS: the queries it needs, and the evaluation of all records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upcycle_news.diagnostics.dns import dkim, dmarc, spf
from upcycle_news.diagnostics.dns.resolver import (
    Answer,
    Answers,
    Query,
    reverse_name,
)
from upcycle_news.diagnostics.results import (
    CheckResult,
    Record,
    ok,
    problem,
    skipped,
    warning,
)
from upcycle_news.i18n.messages import LocalizedText, localized


@dataclass(frozen=True)
class Sender:
    """What receivers see of our mail: From and envelope domain in lower case, DKIM keys, addresses.

    `relays` are the host names of external relays; `own_addresses` are those of our own server.
    """

    domain: str
    envelope: str
    keys: tuple[dkim.Key, ...] = ()
    relays: tuple[str, ...] = ()
    own_addresses: tuple[str, ...] = ()

    @property
    def domains(self) -> tuple[str, ...]:
        """Return the domains of From and envelope without a duplicate."""
        return tuple(dict.fromkeys((self.domain, self.envelope)))


def needed(sender: Sender, answers: Answers) -> set[Query]:
    """Return the queries that follow from the sender and the answers so far."""
    wanted: set[Query] = set()
    for domain in sender.domains:
        wanted |= {(domain, "MX"), (domain, "A"), (domain, "AAAA")} | dmarc.queries(domain)
        wanted |= {(host, kind) for host in _exchanges(domain, answers) for kind in ("A", "AAAA")}
    for key in sender.keys:
        wanted |= dmarc.queries(key.domain)
    wanted |= dkim.queries(sender.keys)
    wanted |= spf.evaluate_record(sender.envelope, answers).needed
    wanted |= {(host, kind) for host in sender.relays for kind in ("A", "AAAA")}
    for address in sender.own_addresses:
        query = (reverse_name(address), "PTR")
        wanted.add(query)
        for name in answers.get(query, Answer()).values:
            wanted |= {(name, "A"), (name, "AAAA")}
    return wanted


def evaluate(sender: Sender, answers: Answers) -> list[CheckResult]:
    """Evaluate SPF, DKIM, DMARC, MX and PTR of `sender`."""
    exchanges = [answers.get((domain, "MX"), Answer()) for domain in sender.domains]
    if all(answer.trouble for answer in exchanges):
        return [_no_dns(exchanges[0].trouble)]
    relays = [(host, _addresses(host, answers)) for host in sender.relays]
    ours = [key for key in sender.keys if key.record]
    return [
        *spf.evaluate(sender.envelope, answers, relays=relays, own_addresses=sender.own_addresses),
        *dkim.evaluate(sender.keys, answers, domain=sender.domain),
        *dmarc.evaluate(
            sender.domain,
            sender.envelope,
            [key.domain for key in ours],
            answers,
            relay_may_sign=not ours,
        ),
        *(_evaluate_mx(domain, sender, answers) for domain in sender.domains),
        *_evaluate_ptr(sender, answers),
    ]


def _no_dns(trouble: LocalizedText | None) -> CheckResult:
    return problem(
        "resolver",
        localized("doctor-dns-impossible", trouble=trouble),
        impact=localized("doctor-dns-impossible-means"),
        fix=localized("doctor-dns-impossible-cure"),
    )


def _exchanges(domain: str, answers: Answers) -> list[str]:
    values = sorted(
        (value.split(" ", 1) for value in answers.get((domain, "MX"), Answer()).values),
        key=lambda pair: int(pair[0]),
    )
    return [host for _, host in values if host != "."]


def _addresses(host: str, answers: Answers) -> tuple[str, ...]:
    return tuple(
        address
        for kind in ("A", "AAAA")
        for address in answers.get((host, kind), Answer()).values
        if answers[host, kind].trouble is None
    )


def _evaluate_mx(domain: str, sender: Sender, answers: Answers) -> CheckResult:
    """Evaluate whether the domain receives mail: replies, bounces, reports."""
    is_envelope = domain == sender.envelope
    mail = localized("doctor-mx-bounces") if is_envelope else localized("doctor-mx-replies")
    answer = answers.get((domain, "MX"), Answer(trouble=localized("doctor-not-asked")))
    hosts = _exchanges(domain, answers)
    if answer.trouble:
        return warning(
            "mx",
            localized("doctor-mx-unknown", domain=domain, trouble=answer.trouble),
            impact=localized("doctor-mx-unknown-means", mail=mail),
            fix=localized("doctor-dns-again"),
            about=domain,
        )
    if hosts:
        if any(_addresses(host, answers) for host in hosts):
            return ok("mx", localized("doctor-mx-ok", domain=domain, host=hosts[0]), about=domain)
        return problem(
            "mx",
            localized("doctor-mx-no-address", domain=domain, hosts=", ".join(hosts[:3])),
            impact=localized("doctor-mx-none-means", mail=mail),
            fix=localized("doctor-mx-no-address-cure"),
            about=domain,
        )
    if not answer.values and _addresses(domain, answers):
        return warning(
            "mx",
            localized("doctor-mx-only-address", domain=domain),
            impact=localized("doctor-mx-only-address-means", mail=mail),
            fix=localized("doctor-mx-cure"),
            about=domain,
            records=[Record(domain, "MX", "10 mail.example.net.")],
        )
    refused = localized("doctor-mx-null", domain=domain)
    if not answer.values:
        refused = localized("doctor-mx-none", domain=domain)
    return problem(
        "mx",
        refused,
        impact=localized("doctor-mx-none-means", mail=mail),
        fix=localized("doctor-mx-cure"),
        about=domain,
        records=[Record(domain, "MX", "10 mail.example.net.")],
    )


def _evaluate_ptr(sender: Sender, answers: Answers) -> Sequence[CheckResult]:
    if not sender.own_addresses:
        if sender.relays:
            return [skipped("ptr", localized("doctor-ptr-relays"))]
        return [
            skipped(
                "ptr",
                localized("doctor-ptr-own-unknown"),
                fix=localized("doctor-ptr-own-cure"),
            )
        ]
    return [_evaluate_ptr_of(address, answers) for address in sender.own_addresses]


def _evaluate_ptr_of(address: str, answers: Answers) -> CheckResult:
    query = (reverse_name(address), "PTR")
    answer = answers.get(query, Answer(trouble=localized("doctor-not-asked")))
    refused = localized("doctor-ptr-refused")
    if answer.trouble:
        return warning(
            "ptr",
            localized("doctor-ptr-unknown", address=address, trouble=answer.trouble),
            impact=refused,
            fix=localized("doctor-ptr-again"),
            about=address,
        )
    if not answer.values:
        return problem(
            "ptr",
            localized("doctor-ptr-missing", address=address),
            impact=refused,
            fix=localized("doctor-ptr-missing-cure"),
            about=address,
            records=[Record(query[0], "PTR", "mail.example.net.")],
        )
    name = answer.values[0]
    if address not in _addresses(name, answers):
        kind = "AAAA" if ":" in address else "A"
        return problem(
            "ptr",
            localized("doctor-ptr-wrong", address=address, name=name),
            impact=localized("doctor-ptr-wrong-means", refused=refused),
            fix=localized("doctor-ptr-wrong-cure"),
            about=address,
            records=[Record(name, kind, address)],
        )
    return ok("ptr", localized("doctor-ptr-ok", address=address, name=name), about=address)

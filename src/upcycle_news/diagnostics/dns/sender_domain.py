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


def _no_dns(trouble: str) -> CheckResult:
    return problem(
        "resolver",
        f"DNS cannot be queried: {trouble}",
        impact="neither the sender's records nor the relay's address can be known here",
        fix="check /etc/resolv.conf and the network, or name a server in doctor.resolver",
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
        if answers[host, kind].trouble == ""
    )


def _evaluate_mx(domain: str, sender: Sender, answers: Answers) -> CheckResult:
    """Evaluate whether the domain receives mail: replies, bounces, reports."""
    mail = "bounces" if domain == sender.envelope else "replies"
    answer = answers.get((domain, "MX"), Answer(trouble="it was not asked"))
    hosts = _exchanges(domain, answers)
    if answer.trouble:
        return warning(
            "mx",
            f"MX of {domain} is not known: {answer.trouble}",
            impact=f"{mail} may not arrive",
            fix="try again; if it persists, ask who runs the domain's name servers",
            about=domain,
        )
    if hosts:
        if any(_addresses(host, answers) for host in hosts):
            return ok("mx", f"{domain} receives mail at {hosts[0]}", about=domain)
        return problem(
            "mx",
            f"the mail servers of {domain} have no address ({', '.join(hosts[:3])})",
            impact=f"{mail} cannot arrive; many receivers refuse mail from such a domain",
            fix="publish A or AAAA records for them, or name other servers",
            about=domain,
        )
    if not answer.values and _addresses(domain, answers):
        return warning(
            "mx",
            f"{domain} has no MX record, only an address",
            impact=f"{mail} go to its web server, which often accepts no mail",
            fix="publish the name of the server that receives your mail, for mail.example.net",
            about=domain,
            records=[Record(domain, "MX", "10 mail.example.net.")],
        )
    refused = (
        "says that it receives no mail (null MX)" if answer.values else "receives no mail: no MX"
    )
    return problem(
        "mx",
        f"{domain} {refused}",
        impact=f"{mail} cannot arrive; many receivers refuse mail from such a domain",
        fix="publish the name of the server that receives your mail, for mail.example.net",
        about=domain,
        records=[Record(domain, "MX", "10 mail.example.net.")],
    )


def _evaluate_ptr(sender: Sender, answers: Answers) -> Sequence[CheckResult]:
    if not sender.own_addresses:
        if sender.relays:
            return [
                skipped("ptr", "the relay's operator is responsible for the names of its addresses")
            ]
        return [
            skipped(
                "ptr",
                "the address from which our mail is sent is not known here",
                fix='set doctor.outgoing_ips = ["…"]',
            )
        ]
    return [_evaluate_ptr_of(address, answers) for address in sender.own_addresses]


def _evaluate_ptr_of(address: str, answers: Answers) -> CheckResult:
    query = (reverse_name(address), "PTR")
    answer = answers.get(query, Answer(trouble="it was not asked"))
    refused = "many receivers refuse mail from such an address"
    if answer.trouble:
        return warning(
            "ptr",
            f"the name of {address} is not known: {answer.trouble}",
            impact=refused,
            fix="try again; if it persists, ask the provider of the address",
            about=address,
        )
    if not answer.values:
        return problem(
            "ptr",
            f"{address} has no name (PTR)",
            impact=refused,
            fix="the provider of the address can publish it",
            about=address,
            records=[Record(query[0], "PTR", "mail.example.net.")],
        )
    name = answer.values[0]
    if address not in _addresses(name, answers):
        kind = "AAAA" if ":" in address else "A"
        return problem(
            "ptr",
            f"{address} is named {name}, but {name} is not {address}",
            impact=f"the name does not count, {refused}",
            fix="publish the address of the name",
            about=address,
            records=[Record(name, kind, address)],
        )
    return ok("ptr", f"{address} resolves to {name} and back", about=address)

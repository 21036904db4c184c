"""The sender's domain in DNS: what must be asked, and all verdicts together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upcycle_news.diagnostics.dns import dkim, dmarc, spf
from upcycle_news.diagnostics.dns import spf as spf_module
from upcycle_news.diagnostics.dns.resolver import (
    Answer,
    Answers,
    Question,
    reverse_name,
)
from upcycle_news.diagnostics.results import (
    Line,
    Record,
    ok,
    problem,
    skipped,
    warning,
)


@dataclass(frozen=True)
class Sender:
    """What the world sees of our sending: domains in lower case.

    `relays` are the names of relays elsewhere; `own_addresses` those of our own server.
    """

    domain: str
    envelope: str
    keys: tuple[dkim.Key, ...] = ()
    relays: tuple[str, ...] = ()
    own_addresses: tuple[str, ...] = ()

    @property
    def domains(self) -> tuple[str, ...]:
        """From and envelope, once."""
        return tuple(dict.fromkeys((self.domain, self.envelope)))


def needed(sender: Sender, answers: Answers) -> set[Question]:
    """What must be asked, as far as it can be said by now."""
    found: set[Question] = set()
    for domain in sender.domains:
        found |= {(domain, "MX"), (domain, "A"), (domain, "AAAA")} | dmarc.questions(domain)
        found |= {(host, kind) for host in _exchanges(domain, answers) for kind in ("A", "AAAA")}
    for key in sender.keys:
        found |= dmarc.questions(key.domain)
    found |= dkim.questions(sender.keys)
    found |= spf.walk(sender.envelope, answers).needed
    found |= {(host, kind) for host in sender.relays for kind in ("A", "AAAA")}
    for address in sender.own_addresses:
        question = (reverse_name(address), "PTR")
        found.add(question)
        for name in answers.get(question, Answer()).values:
            found |= {(name, "A"), (name, "AAAA")}
    return found


def verdicts(sender: Sender, answers: Answers) -> list[Line]:
    """Everything about the names of `sender`."""
    asked = [answers.get((domain, "MX"), Answer()) for domain in sender.domains]
    if all(answer.trouble for answer in asked):
        return [_no_dns(asked[0].trouble)]
    relays = [(host, _addresses(host, answers)) for host in sender.relays]
    ours = [key for key in sender.keys if key.record]
    return [
        *spf_module.verdict(
            sender.envelope, answers, relays=relays, own_addresses=sender.own_addresses
        ),
        *dkim.verdict(sender.keys, answers, domain=sender.domain),
        *dmarc.verdict(
            sender.domain,
            sender.envelope,
            [key.domain for key in ours],
            answers,
            relay_may_sign=not ours,
        ),
        *(_mail_arrives(domain, sender, answers) for domain in sender.domains),
        *_reverse(sender, answers),
    ]


def _no_dns(trouble: str) -> Line:
    return problem(
        "resolver",
        f"DNS cannot be asked: {trouble}",
        meaning="neither the sender's records nor the relay's address can be known here",
        cure="check /etc/resolv.conf and the network, or name a server in doctor.resolver",
    )


def _exchanges(domain: str, answers: Answers) -> list[str]:
    values = sorted(
        (one.split(" ", 1) for one in answers.get((domain, "MX"), Answer()).values),
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


def _mail_arrives(domain: str, sender: Sender, answers: Answers) -> Line:
    """Whether somebody takes mail for a domain: replies, bounces, reports."""
    what = "bounces" if domain == sender.envelope else "replies"
    answer = answers.get((domain, "MX"), Answer(trouble="it was not asked"))
    hosts = _exchanges(domain, answers)
    if answer.trouble:
        return warning(
            "mx",
            f"MX of {domain} is not known: {answer.trouble}",
            meaning=f"{what} may not arrive",
            cure="try again; if it stays so, ask who runs the domain's name servers",
            about=domain,
        )
    if hosts:
        if any(_addresses(host, answers) for host in hosts):
            return ok("mx", f"{domain} takes mail at {hosts[0]}", about=domain)
        return problem(
            "mx",
            f"the mail servers of {domain} have no address ({', '.join(hosts[:3])})",
            meaning=f"{what} cannot arrive; many receivers refuse mail from such a domain",
            cure="publish A or AAAA records for them, or name other servers",
            about=domain,
        )
    if not answer.values and _addresses(domain, answers):
        return warning(
            "mx",
            f"{domain} has no MX record, only an address",
            meaning=f"{what} go to its web server, where often nobody listens for mail",
            cure="publish the name of the server that takes your mail, for mail.example.net",
            about=domain,
            records=[Record(domain, "MX", "10 mail.example.net.")],
        )
    refused = "says that it takes no mail (null MX)" if answer.values else "takes no mail: no MX"
    return problem(
        "mx",
        f"{domain} {refused}",
        meaning=f"{what} cannot arrive; many receivers refuse mail from such a domain",
        cure="publish the name of the server that takes your mail, for mail.example.net",
        about=domain,
        records=[Record(domain, "MX", "10 mail.example.net.")],
    )


def _reverse(sender: Sender, answers: Answers) -> Sequence[Line]:
    if not sender.own_addresses:
        if sender.relays:
            return [skipped("ptr", "the relay's operator sees to the names of its addresses")]
        return [
            skipped(
                "ptr",
                "from which address our mail leaves is not known here",
                cure='set doctor.outgoing_ips = ["…"]',
            )
        ]
    return [_reverse_of(address, answers) for address in sender.own_addresses]


def _reverse_of(address: str, answers: Answers) -> Line:
    question = (reverse_name(address), "PTR")
    answer = answers.get(question, Answer(trouble="it was not asked"))
    refuse = "many receivers refuse mail from such an address"
    if answer.trouble:
        return warning(
            "ptr",
            f"the name of {address} is not known: {answer.trouble}",
            meaning=refuse,
            cure="try again; if it stays so, ask who runs the address",
            about=address,
        )
    if not answer.values:
        return problem(
            "ptr",
            f"{address} has no name (PTR)",
            meaning=refuse,
            cure="who gave you the address can publish it",
            about=address,
            records=[Record(question[0], "PTR", "mail.example.net.")],
        )
    name = answer.values[0]
    if address not in _addresses(name, answers):
        kind = "AAAA" if ":" in address else "A"
        return problem(
            "ptr",
            f"{address} is named {name}, but {name} is not {address}",
            meaning=f"the name is worth nothing, {refuse}",
            cure="publish the address of the name",
            about=address,
            records=[Record(name, kind, address)],
        )
    return ok("ptr", f"{address} is {name}, both ways", about=address)

"""Ask DNS; the one module that does. Answers are values: a dead server is a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from upcycle_news.config.sections import split_resolver

Question = tuple[str, str]
"""A name in lower case without its final dot, and the type of the record."""

_THREADS = 16
_ROUNDS = 15  # SPF includes within includes; more lookups are an error anyway


@dataclass(frozen=True)
class Answer:
    """The records of a name. `trouble` says why they are not known; then `values` means nothing."""

    values: tuple[str, ...] = ()
    trouble: str = ""


Answers = Mapping[Question, Answer]


class Resolver:
    """Asks `server` (as in `doctor.resolver`), or the machine's own; `timeout` in seconds."""

    def __init__(self, server: str, timeout: float) -> None:
        """Nothing is asked yet."""
        self._server, self._timeout = server, timeout

    def ask(self, question: Question) -> Answer:
        """Ask one thing."""
        import dns.exception
        import dns.name
        import dns.resolver

        name, kind = question
        try:
            resolver = dns.resolver.Resolver(configure=not self._server)
            if self._server:
                address, resolver.port = split_resolver(self._server)
                resolver.nameservers = [address]
            resolver.timeout = self._timeout / 2  # one packet may be lost
            found = resolver.resolve(
                dns.name.from_text(name), kind, search=False, lifetime=self._timeout
            )
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return Answer()
        except dns.resolver.NoResolverConfiguration:
            return Answer(trouble="this machine knows no DNS server (/etc/resolv.conf)")
        except dns.resolver.NoNameservers:
            return Answer(trouble="the DNS server answered with a failure (SERVFAIL or refused)")
        except dns.exception.Timeout:
            return Answer(trouble=f"no DNS server answered within {self._timeout:g} s")
        except dns.exception.DNSException:
            return Answer(trouble="it is not a name that DNS can be asked for")
        except OSError as error:
            return Answer(trouble=f"DNS cannot be reached ({error.strerror or 'network error'})")
        return Answer(tuple(_as_text(record, kind) for record in found))

    def ask_all(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """Ask several things at the same time."""
        wanted = list(dict.fromkeys(questions))
        with ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="dns") as threads:
            return dict(zip(wanted, threads.map(self.ask, wanted), strict=True))

    def ask_until_known(self, needed: Callable[[Answers], set[Question]]) -> dict[Question, Answer]:
        """Ask what a pure function says it still needs, until it needs nothing more.

        Stops early once nothing but trouble comes back: a dead server is asked once.
        """
        known: dict[Question, Answer] = {}
        for _ in range(_ROUNDS):
            missing = needed(known) - known.keys()
            if not missing:
                break
            found = self.ask_all(missing)
            known |= found
            if all(answer.trouble for answer in found.values()):
                break
        return known


def reverse_name(address: str) -> str:
    """The name below which PTR records of an IP address stand."""
    import dns.reversename

    return dns.reversename.from_address(address).to_text(omit_final_dot=True)


def _as_text(record: object, kind: str) -> str:
    """A record's value: TXT in one piece, MX as ``10 host``, names without the final dot."""
    strings = getattr(record, "strings", None)
    if kind == "TXT" and strings is not None:
        return b"".join(strings).decode("utf-8", "replace")
    if kind == "MX":
        exchange = str(getattr(record, "exchange", ""))
        host = exchange if exchange == "." else exchange.rstrip(".")
        return f"{getattr(record, 'preference', 0)} {host.lower()}"
    return str(record).rstrip(".").lower()

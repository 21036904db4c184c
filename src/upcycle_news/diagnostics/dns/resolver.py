"""The DNS resolver, the only module that queries DNS. Failures are values, not exceptions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from upcycle_news.config.sections import split_resolver
from upcycle_news.fileio import os_reason
from upcycle_news.i18n.messages import LocalizedText, localized

Query = tuple[str, str]
"""A name in lower case without its final dot, and the record type."""

_THREADS = 16
_MAX_ROUNDS = 15  # SPF includes nest; more lookups are an error anyway


@dataclass(frozen=True)
class Answer:
    """The records of a name; `trouble` is the reason when they could not be queried."""

    values: tuple[str, ...] = ()
    trouble: LocalizedText | None = None


Answers = Mapping[Query, Answer]


class Resolver:
    """Queries `server` (as in `doctor.resolver`), or the host's resolver; `timeout` in seconds."""

    def __init__(self, server: str, timeout: float) -> None:
        """Store the server; nothing is queried yet."""
        self._server, self._timeout = server, timeout

    def resolve(self, query: Query) -> Answer:
        """Return the records of one name and type; a name that does not exist has none."""
        import dns.exception
        import dns.name
        import dns.resolver

        name, kind = query
        try:
            resolver = dns.resolver.Resolver(configure=not self._server)
            if self._server:
                address, resolver.port = split_resolver(self._server)
                resolver.nameservers = [address]
            resolver.timeout = self._timeout / 2  # one packet may be lost
            records = resolver.resolve(
                dns.name.from_text(name), kind, search=False, lifetime=self._timeout
            )
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return Answer()
        except dns.resolver.NoResolverConfiguration:
            return Answer(trouble=localized("doctor-no-resolver"))
        except dns.resolver.NoNameservers:
            return Answer(trouble=localized("doctor-servfail"))
        except dns.exception.Timeout:
            return Answer(trouble=localized("doctor-dns-silent", seconds=self._timeout))
        except dns.exception.DNSException:
            return Answer(trouble=localized("doctor-dns-no-name"))
        except OSError as error:
            return Answer(trouble=localized("doctor-dns-unreachable", why=os_reason(error)))
        return Answer(tuple(_as_text(record, kind) for record in records))

    def resolve_all(self, queries: Iterable[Query]) -> dict[Query, Answer]:
        """Resolve several queries in parallel."""
        wanted = list(dict.fromkeys(queries))
        with ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="dns") as threads:
            return dict(zip(wanted, threads.map(self.resolve, wanted), strict=True))

    def resolve_until_complete(
        self, needed: Callable[[Answers], set[Query]]
    ) -> dict[Query, Answer]:
        """Resolve the queries that `needed` derives from the answers so far, until there are none.

        Stops early when every query of a round fails: a dead server is queried once.
        """
        known: dict[Query, Answer] = {}
        for _ in range(_MAX_ROUNDS):
            missing = needed(known) - known.keys()
            if not missing:
                break
            answers = self.resolve_all(missing)
            known |= answers
            if all(answer.trouble for answer in answers.values()):
                break
        return known


def reverse_name(address: str) -> str:
    """Return the name at which the PTR records of an IP address are published."""
    import dns.reversename

    return dns.reversename.from_address(address).to_text(omit_final_dot=True)


def _as_text(record: object, kind: str) -> str:
    """Return a record's value: TXT joined, MX as ``10 host``, names without the final dot."""
    strings = getattr(record, "strings", None)
    if kind == "TXT" and strings is not None:
        return b"".join(strings).decode("utf-8", "replace")
    if kind == "MX":
        exchange = str(getattr(record, "exchange", ""))
        host = exchange if exchange == "." else exchange.rstrip(".")
        return f"{getattr(record, 'preference', 0)} {host.lower()}"
    return str(record).rstrip(".").lower()

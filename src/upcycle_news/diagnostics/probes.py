"""The rounds: what each group of checks looks at. Shells: they look, and leave the verdict to others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from upcycle_news.app.context import AppContext
from upcycle_news.app.factories import is_sample, relay_of
from upcycle_news.config import origins
from upcycle_news.config.settings import PREFIX
from upcycle_news.diagnostics import (
    content,
    prefect,
    relay,
    storage,
    unsubscribe_endpoint,
)
from upcycle_news.diagnostics import host as host_module
from upcycle_news.diagnostics.content import LastIssue
from upcycle_news.diagnostics.dns import verdicts
from upcycle_news.diagnostics.dns.dkim import Key
from upcycle_news.diagnostics.dns.resolver import Resolver
from upcycle_news.diagnostics.results import (
    Line,
    ok,
    problem,
    skipped,
)
from upcycle_news.errors import SettingsError, UpcycleError
from upcycle_news.prefect_api.client import Cockpit, read_automations
from upcycle_news.prefect_api.environment import is_loopback
from upcycle_news.prefect_api.status import FILE, planned
from upcycle_news.prefect_api.status import look as look_at_prefect
from upcycle_news.scaffold.layout import publication_folder
from upcycle_news.services.backup import create
from upcycle_news.services.bounces import process
from upcycle_news.services.checks import run
from upcycle_news.services.feeds.collect import feeds_health
from upcycle_news.services.issues import ids
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.storage import inspect, send_hold, subscribers
from upcycle_news.storage.inspect import StoreFacts
from upcycle_news.subscribers.link_tokens import Purpose
from upcycle_news.transports.probe import inspect_relay

_AWAY = "not asked (--offline)"


@dataclass(frozen=True)
class Visit:
    """What all rounds share. `usable`: the store may be opened without changing anything by it.

    `mailed`: an issue was queued, so links are out there that our keys signed.
    """

    context: AppContext
    now: datetime
    store: StoreFacts
    usable: bool
    last: LastIssue | None
    mailed: bool
    offline: bool = False

    @property
    def tokens(self) -> list[Path]:
        """The keys of the readers' links."""
        return sorted(self.context.secrets.glob("token-*.key"))


def settings(visit: Visit) -> list[Line]:
    """The configuration, and the files with secrets that variables name."""
    told = visit.context.settings
    lines = [ok("settings", "newsletter.toml and the environment can be read")]
    [store] = [one for one in origins.origins(told) if one.key == "store"]
    if store.kind.endswith(".toml") and origins.has_password(told.store):
        lines.append(
            problem(
                "settings",
                f"{store.where} holds the password of the store",
                meaning="a password does not belong into git",
                cure=f"set {PREFIX}STORE, or {PREFIX}STORE_FILE, instead",
            )
        )
    named = [
        host_module.secret_at(Path(path), variable)
        for variable, path in sorted(os.environ.items())
        if variable.upper().startswith(PREFIX) and variable.upper().endswith("_FILE")
    ]
    return [*lines, *host_module.secret_files(named)]


def this_machine(visit: Visit) -> list[Line]:
    """Python, packages, time zone, disk and keys."""
    told = visit.context.settings
    own = told.home / host_module.LOCK
    facts = host_module.look(own if own.is_file() else publication_folder() / host_module.LOCK)
    lies = next(path for path in (told.state, *told.state.parents) if path.is_dir())
    usage = shutil.disk_usage(lies)
    folder = visit.context.secrets
    keys = [host_module.secret_at(path, path.name) for path in folder.glob("*")]
    return [
        *host_module.verdict(facts),
        _zones(visit),
        storage.disk(str(told.state), usage.free, usage.total, visit.store.size),
        *host_module.secrets(host_module.secret_at(folder, str(folder)), keys, in_use=visit.mailed),
    ]


def _zones(visit: Visit) -> Line:
    told = visit.context.settings
    try:
        zones = {zone for one in planned(told.home) for _, zone in one.schedules}
    except SettingsError as error:
        return problem(
            "timezone",
            str(error),
            meaning="no schedule can be deployed",
            cure=f"mend {FILE}",
        )
    return host_module.zones(told.publication.timezone, zones)


def store(visit: Visit) -> list[Line]:
    """The store, thoroughly; its pause, and its backups."""
    facts = inspect.look(visit.context.settings.store_url)
    lines = storage.verdict(facts)
    if visit.usable and (pause := send_hold.standing(visit.context.store)) is not None:
        lines.append(storage.pause(pause.sentence))
    newest = next(iter(create.existing(visit.context)), None)
    made = None if newest is None else datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    return [*lines, storage.backup(made, visit.now, there_is_something=facts.exists)]


def relays(visit: Visit) -> list[Line]:
    """Every relay that is configured; nothing is sent."""
    told = visit.context.settings.relays
    if visit.context.configured_relay is None:
        return [
            skipped(
                "relay",
                "no relay is configured: the embedded mailbox takes the mails (var/mailbox)",
                cure="set relays.main.host when readers are to be written to",
            )
        ]
    size = visit.last.message if visit.last else 0
    lines = []
    for name, one in told.items():
        if not one.host:
            continue
        if visit.offline and not is_loopback(one.host):
            lines.append(skipped("relay", f"the relay {name}: {_AWAY}", about=name))
            continue
        lines += relay.verdict(inspect_relay(relay_of(name, one)), visit.now, message_bytes=size)
    return lines


def dns(visit: Visit) -> list[Line]:
    """The sender's domain in DNS."""
    told = visit.context.settings
    domain = told.sender.address.rpartition("@")[2].lower()
    if not domain or is_sample(domain):
        why = "sender.address is empty" if not domain else f"{domain} is a sample's domain"
        return [_not_yet(visit, "dns", f"{why}: nothing to look up", "set sender.address to yours")]
    if visit.offline:
        return [skipped("dns", _AWAY)]
    sender = _sender(visit.context, domain)
    resolver = Resolver(told.doctor.resolver, told.doctor.timeout)
    answers = resolver.ask_until_known(lambda known: verdicts.needed(sender, known))
    return verdicts.verdicts(sender, answers)


def _not_yet(visit: Visit, check: str, why: str, cure: str) -> Line:
    """What is still the sample's: no matter while trying, red once a relay is there to send."""
    relay_there = visit.context.configured_relay
    if relay_there is None or is_loopback(relay_there.host):
        return skipped(check, why, cure=cure)
    return problem(check, why, meaning="a relay is configured, but nothing can be sent", cure=cure)


def _sender(context: AppContext, domain: str) -> verdicts.Sender:
    """What the world will see of our sending."""
    told = context.settings
    ours = tuple(Key(one.domain.lower(), one.selector, one.record) for one in context.dkim_signers)
    theirs = tuple(
        Key(told.dkim.domain.lower() or domain, selector) for selector in told.doctor.dkim_selectors
    )
    own = told.doctor.outgoing_ips
    hosts = (one.host.lower() for one in told.relays.values() if one.host)
    return verdicts.Sender(
        domain=domain,
        envelope=told.sender.envelope.rpartition("@")[2].lower() or domain,
        keys=(*ours, *theirs),
        relays=() if own else tuple(host for host in hosts if not is_loopback(host)),
        own_addresses=own,
    )


def way_out(visit: Visit) -> list[Line]:
    """How readers leave, whether the one-click address works, and the inbox of what comes back."""
    return [*_door(visit), _inbox(visit)]


def _inbox(visit: Visit) -> Line:
    told = visit.context.settings
    if not process.has_inbox(visit.context):
        return unsubscribe_endpoint.no_inbox()
    if visit.offline and told.inbox.host and not is_loopback(told.inbox.host):
        return skipped("inbox", _AWAY)
    try:
        with process.open_inbox(visit.context, told.doctor.timeout):
            return unsubscribe_endpoint.inbox("")
    except UpcycleError as error:
        return unsubscribe_endpoint.inbox(str(error))


def _door(visit: Visit) -> list[Line]:
    context = visit.context
    url = context.settings.publication.public_url
    here = is_loopback(urlsplit(url).hostname or "")
    if url and is_sample(url) and not here:
        why = f"{url} is a sample's address: nobody could leave there"
        return [_not_yet(visit, "one-click", why, "set publication.public_url to yours")]
    lines = [
        unsubscribe_endpoint.ways(
            str(subscriptions.how_readers_leave(context)),
            possible=bool(url) or context.leaves_by_mail,
        )
    ]
    if not url:
        return [*lines, unsubscribe_endpoint.no_door("there is no publication.public_url to ask")]
    if visit.offline and not here:
        return [*lines, unsubscribe_endpoint.no_door(_AWAY)]
    own = ""
    if visit.tokens:  # asking for a signer would make a key where there is none
        own = f"/{Purpose.UNSUBSCRIBE}/{context.signer.token(Purpose.UNSUBSCRIBE, 0)}"
    foreign = f"/{Purpose.UNSUBSCRIBE}/{unsubscribe_endpoint.FOREIGN}"
    facts = unsubscribe_endpoint.look(url, own, foreign, context.settings.doctor.timeout)
    return [*lines, *unsubscribe_endpoint.verdict(facts, visit.now)]


def schedules(visit: Visit) -> list[Line]:
    """Prefect: server, runners, deployments."""
    told = visit.context.settings
    cockpit = Cockpit.find(told.state / "prefect")
    if cockpit is None:
        return [prefect.none_known()]
    if visit.offline and not is_loopback(cockpit.host):
        return [skipped("prefect", _AWAY)]
    facts = look_at_prefect(
        cockpit, metadata.version("prefect"), visit.context.clock, told.doctor.timeout
    )
    group = told.cockpit.operators
    members = (
        subscribers.group_members(visit.context.store, group) if group and visit.usable else ()
    )
    return prefect.verdict(
        facts,
        planned(told.home),
        told.publication.zone,
        alarms=_alarms(told.home / "deploy/automations.yaml"),
        operators=len(members),
    )


def _alarms(file: Path) -> set[str]:
    """The events that the publication's automations speak of; none without the file."""
    if not file.is_file():
        return set()
    found = read_automations(file, lambda name: name)
    return {event for one in found for event in one.get("trigger", {}).get("expect", ())}


def what_is_written(visit: Visit) -> list[Line]:
    """Feeds, the last issue, and what people wrote."""
    lines = [content.size(visit.last)]
    if not visit.usable:
        why = "the store is not there yet, or cannot be opened as it is"
        return [skipped("feeds", why), *lines, skipped("content", why)]
    context = visit.context
    try:
        feeds = content.feeds(feeds_health(context), visit.now)
    except UpcycleError as error:
        feeds = [
            problem(
                "feeds",
                str(error),
                meaning="no feed can be asked",
                cure="mend that place; 'upcycle-news check' tells whether it is well",
            )
        ]
    findings = run.check_everything(context, ids.current_issue(context))
    return [*feeds, *lines, content.checked(findings)]


ROUNDS: Mapping[str, tuple[Callable[[Visit], list[Line]], tuple[str, ...]]] = {
    "settings": (settings, ("settings", "secret-files")),
    "machine": (this_machine, ("python", "packages", "timezone", "disk", "secrets")),
    "store": (store, ("store", "store-version", "store-check", "pause", "backup")),
    "relay": (relays, ("relay", "relay-tls", "relay-login", "relay-size", "relay-offers")),
    "dns": (dns, ("dns", "resolver", "spf", "dkim", "dmarc", "mx", "ptr")),
    "leaving": (way_out, ("leaving", "one-click", "one-click-tls", "inbox")),
    "prefect": (
        schedules,
        (
            *("prefect", "prefect-login", "prefect-deployments", "prefect-workers"),
            *("prefect-late", "clock", "alarms"),
        ),
    ),
    "content": (what_is_written, ("feeds", "issue-size", "content")),
}
"""The groups in the order people read them: what looks, and the checks it makes lines of."""

"""The probes, one for each group of checks: they collect facts and let `evaluate` functions judge."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from upcycle_news.app.context import MAIN_RELAY, AppContext
from upcycle_news.app.factories import build_relay, is_sample_host
from upcycle_news.config import origins
from upcycle_news.config.sections import EventSourceSettings
from upcycle_news.config.settings import PREFIX
from upcycle_news.diagnostics import (
    content,
    dmarc_reports,
    event_sources,
    host,
    prefect,
    relay,
    storage,
    webhooks,
)
from upcycle_news.diagnostics.content import LastIssue
from upcycle_news.diagnostics.dns import sender_domain
from upcycle_news.diagnostics.dns.dkim import Key
from upcycle_news.diagnostics.results import CheckResult, ok, problem, skipped, text_of
from upcycle_news.errors import SettingsError, UpcycleError
from upcycle_news.fileio import list_folder, os_reason
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import EmailAddress, Relay
from upcycle_news.prefect_api.environment import is_loopback
from upcycle_news.prefect_api.schedules import FILE
from upcycle_news.prefect_api.status import read_deployments
from upcycle_news.scaffold.layout import bundled_publication
from upcycle_news.services.backup.existing import list_backups, open_unmigrated
from upcycle_news.services.checks import run
from upcycle_news.services.issues import ids
from upcycle_news.services.journal import files
from upcycle_news.services.journal.consistency import find_contradiction
from upcycle_news.services.kept_results import kept_json
from upcycle_news.services.subscribers.unsubscribe_methods import describe_unsubscribe_methods
from upcycle_news.storage import dmarc_reports as report_sums
from upcycle_news.storage import (
    inspect,
    issues,
    pending_suppressions,
    provider_activity,
    relay_stats,
    send_hold,
    subscribers,
)
from upcycle_news.storage.backup.contents import check_contents
from upcycle_news.storage.inspect import StoreFacts
from upcycle_news.subscribers.link_tokens import Purpose
from upcycle_news.subscribers.signing_keys import token_key_files

_OFFLINE = localized("doctor-offline")
_NEWEST_BLOCKS = 1000  # of packed deliveries, about a second; a backup looks at all


@dataclass(frozen=True)
class CheckContext:
    """What all probes share, read once before they start.

    `usable`: the store can be opened without making or migrating it. `mailed`: an issue was
    enqueued, so mails with links that our keys signed may be in subscribers' mailboxes. `read_back`: where
    a test mail is sent and read back from; None: nowhere.
    """

    app: AppContext
    now: datetime
    store: StoreFacts
    usable: bool
    last: LastIssue | None
    mailed: bool
    offline: bool = False
    read_back: EmailAddress | None = None

    @property
    def token_keys(self) -> list[Path]:
        """Return the files of the keys that sign the subscribers' links."""
        try:
            return token_key_files(self.app.secrets_folder)
        except OSError:
            return []  # `probe_host` says that they cannot be read


def probe_settings(check_context: CheckContext) -> list[CheckResult]:
    """Check the configuration, and the files with secrets that variables name."""
    settings = check_context.app.settings
    results = [ok("settings", localized("doctor-settings-ok"))]
    [store] = [origin for origin in origins.origins(settings) if origin.key == "store"]
    if store.kind.endswith(".toml") and origins.has_password(settings.store):
        results.append(
            problem(
                "settings",
                localized("doctor-store-password", where=store.where),
                impact=localized("doctor-store-password-means"),
                fix=localized("doctor-store-password-cure", prefix=PREFIX),
            )
        )
    files = [
        host.inspect_secret(Path(path), variable)
        for variable, path in sorted(os.environ.items())
        if variable.upper().startswith(PREFIX) and variable.upper().endswith("_FILE")
    ]
    return [*results, *host.evaluate_secret_files(files)]


def probe_host(check_context: CheckContext) -> list[CheckResult]:
    """Check Python, packages, time zone, disk and keys."""
    settings = check_context.app.settings
    own_lock = settings.home / host.LOCK
    lock = own_lock if own_lock.is_file() else bundled_publication() / host.LOCK
    facts = _inspect_packages(check_context.app, lock)
    existing = next(path for path in (settings.state, *settings.state.parents) if path.is_dir())
    usage = shutil.disk_usage(existing)
    return [
        *host.evaluate(facts),
        _check_zones(check_context),
        storage.evaluate_disk(
            str(settings.state), usage.free, usage.total, check_context.store.size
        ),
        *_check_keys(check_context),
    ]


def _inspect_packages(context: AppContext, lock: Path) -> host.HostFacts:
    """Compare packages and lock, once as long as both stay: it reads what all of them say of themselves."""
    locked = lock.read_text(encoding="utf-8") if lock.is_file() else None
    record = kept_json(context, "packages", locked, lambda: host.inspect_host(lock).as_dict())
    return host.HostFacts.from_dict(record)


def _check_keys(check_context: CheckContext) -> list[CheckResult]:
    folder = check_context.app.secrets_folder
    try:
        files = list_folder(folder)
        for file in files:
            with file.open("rb"):
                pass
    except OSError as error:
        return [host.unreadable_keys(error.filename or str(folder), os_reason(error))]
    return host.evaluate_keys(
        host.inspect_secret(folder, str(folder)),
        [host.inspect_secret(path, path.name) for path in files],
        in_use=check_context.mailed,
    )


def _check_zones(check_context: CheckContext) -> CheckResult:
    settings = check_context.app.settings
    try:
        zones = {
            zone
            for deployment in read_deployments(settings.home)
            for _, zone in deployment.schedules
        }
    except SettingsError as error:
        return problem(
            "timezone",
            text_of(error),
            impact=localized("doctor-no-schedule"),
            fix=localized("doctor-correct-file", file=FILE),
        )
    return host.evaluate_zones(settings.publication.timezone, zones)


def probe_store(check_context: CheckContext) -> list[CheckResult]:
    """Check every page of the store, its send hold, and its backups."""
    facts = inspect.inspect_store(check_context.app.settings.store_url)
    results = storage.evaluate(facts)
    results += _check_contents(check_context, facts)
    if (
        check_context.usable
        and (hold := send_hold.active_hold(check_context.app.store)) is not None
    ):
        results.append(storage.send_hold_active(hold.explanation))
    try:
        results.append(_check_history(check_context))
    except UpcycleError as error:
        results.append(storage.history_unreadable(error.localized_text))
    newest = next(iter(list_backups(check_context.app)), None)
    made = None if newest is None else datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    return [*results, storage.evaluate_backup(made, check_context.now, has_store=facts.exists)]


def _check_contents(check_context: CheckContext, facts: StoreFacts) -> list[CheckResult]:
    """Check what a store of this version holds; says nothing of any other, as the checks of its version do."""
    if facts.trouble or not facts.exists or facts.version != facts.newest:
        return []
    try:
        with open_unmigrated(check_context.app) as store, store.snapshot() as connection:
            return [storage.evaluate_contents(check_contents(connection, newest=_NEWEST_BLOCKS))]
    except UpcycleError as error:
        return [skipped("store-contents", error.localized_text)]


def _check_history(check_context: CheckContext) -> CheckResult:
    """Compare the store with what the keys, the journal and the archive know of what went out."""
    context, facts = check_context.app, check_context.store
    if facts.trouble or facts.version not in (None, facts.newest):
        return skipped("journal", localized("doctor-journal-not-compared"))
    if not facts.exists or facts.version is None:
        return storage.evaluate_history(find_contradiction(context, None), entries=0, places=0)
    with open_unmigrated(context) as store:
        contradiction = find_contradiction(context, store)
    read = files.read_places(context)
    entries = max((len(entries) for entries in read.values()), default=0)
    if entries:
        files.raise_unless_writable(context)
    damaged = {str(place.path): lines for place, lines in files.damaged_lines(context).items()}
    return storage.evaluate_history(
        contradiction, entries=entries, places=len(read), damaged=damaged
    )


def probe_relays(check_context: CheckContext) -> list[CheckResult]:
    """Check every configured relay, and the events of its provider; a mail is sent only to read it back."""
    from upcycle_news.transports.probe import inspect_relay

    relays = check_context.app.settings.relays
    if check_context.app.configured_relay is None:
        return [
            skipped(
                "relay",
                localized("doctor-no-relay"),
                fix=localized("doctor-set-relay"),
            )
        ]
    size = check_context.last.message if check_context.last else 0
    results = []
    for name, settings in relays.items():
        if not settings.host:
            continue
        if check_context.offline and not is_loopback(settings.host):
            results.append(
                skipped(
                    "relay",
                    localized("doctor-relay-offline", name=name, offline=_OFFLINE),
                    about=name,
                )
            )
            continue
        built = build_relay(name, settings)
        results += relay.evaluate(inspect_relay(built), check_context.now, message_bytes=size)
        results += _check_events(check_context, built)
    return [*results, *_read_back(check_context)]


def _check_events(check_context: CheckContext, relay: Relay) -> list[CheckResult]:
    """Check whether the events of the relay's provider arrive."""
    from upcycle_news.services.bounces.provider_events import MATCHED, UNSIGNED

    context = check_context.app
    known = provider_activity.activity(context.store) if check_context.usable else ()
    seen = {
        source.source: (
            source.first_at,
            source.last_at,
            sum(number for (kind, _), number in source.counts.items() if kind in MATCHED),
            sum(number for (kind, _), number in source.counts.items() if kind == UNSIGNED),
        )
        for source in known
    }
    sources = [
        event_sources.SourceFacts(
            name, settings.provider, missing_keys(settings), *seen.get(name, ())
        )
        for name, settings in context.settings.events.items()
    ]
    mailed_at = _last_mailed_at(context, relay) if check_context.usable else None
    return event_sources.evaluate(relay, sources, mailed_at=mailed_at, now=check_context.now)


def missing_keys(settings: EventSourceSettings) -> tuple[str, ...]:
    """Return the settings of a source without which no event of it is taken."""
    from upcycle_news.bounces.providers import PROVIDERS  # late: most publications have none

    needed = ("secret", *PROVIDERS[settings.provider].needs)
    values = {name: getattr(settings, name) for name in needed}
    return tuple(
        name
        for name, value in values.items()
        if not (value.get_secret_value() if isinstance(value, SecretStr) else value)
    )


def _last_mailed_at(context: AppContext, relay: Relay) -> datetime | None:
    """Return when the newest issue was queued if any of it went over this relay; else None."""
    issue = issues.newest_issue(context.store, frozen=True)
    row = issues.get(context.store, issue) if issue else None
    if row is None or relay.name not in {
        stats.relay for stats in relay_stats.for_issue(context.store, row.id)
    }:
        return None
    return row.enqueued_at


def _read_back(check_context: CheckContext) -> list[CheckResult]:
    """Read a test mail back over the relay in use, where one is asked for."""
    from upcycle_news.diagnostics import read_back  # late: it compares mails

    context, main = check_context.app, check_context.app.configured_relay
    assert main is not None
    if check_context.read_back is None:
        if not main.provider:
            return []
        from upcycle_news.bounces.providers import PROVIDERS

        title = PROVIDERS[main.provider].title
        return [
            skipped(
                read_back.CHECK,
                localized("read-back-not-asked", provider=title),
                fix=localized("read-back-ask"),
                about=MAIN_RELAY,
            )
        ]
    if check_context.offline and not is_loopback(main.host):
        return [skipped(read_back.CHECK, _OFFLINE, about=MAIN_RELAY)]
    return read_back.evaluate(read_back.inspect_read_back(context, check_context.read_back))


def probe_dns(check_context: CheckContext) -> list[CheckResult]:
    """Check the sender's domain in DNS."""
    from upcycle_news.diagnostics.dns.resolver import Resolver

    settings = check_context.app.settings
    domain = settings.sender.address.rpartition("@")[2].lower()
    if not domain or is_sample_host(domain):
        why = localized("doctor-sender-empty")
        if domain:
            why = localized("doctor-sender-sample", domain=domain)
        return [_not_configured(check_context, "dns", why, localized("doctor-set-sender"))]
    if check_context.offline:
        return [skipped("dns", _OFFLINE)]
    sender = _sender(check_context.app, domain)
    resolver = Resolver(settings.doctor.resolver, settings.doctor.timeout)
    answers = resolver.resolve_until_complete(lambda known: sender_domain.needed(sender, known))
    return sender_domain.evaluate(sender, answers)


def _not_configured(
    check_context: CheckContext, check: str, why: LocalizedText, fix: LocalizedText
) -> CheckResult:
    """Report a sample's value: skipped while trying out, a problem once a relay is configured."""
    configured = check_context.app.configured_relay
    if configured is None or is_loopback(configured.host):
        return skipped(check, why, fix=fix)
    return problem(check, why, impact=localized("doctor-relay-but-nothing"), fix=fix)


def _sender(context: AppContext, domain: str) -> sender_domain.Sender:
    """Return the domains, keys and addresses that receivers will see of our mail."""
    settings = context.settings
    ours = tuple(
        Key(signer.domain.lower(), signer.selector, signer.record)
        for signer in context.dkim_signers
    )
    theirs = tuple(
        Key(settings.dkim.domain.lower() or domain, selector)
        for selector in settings.doctor.dkim_selectors
    )
    own = settings.doctor.outgoing_ips
    hosts = (relay.host.lower() for relay in settings.relays.values() if relay.host)
    return sender_domain.Sender(
        domain=domain,
        envelope=settings.sender.envelope.rpartition("@")[2].lower() or domain,
        keys=(*ours, *theirs),
        relays=() if own else tuple(host for host in hosts if not is_loopback(host)),
        own_addresses=own,
    )


def probe_dmarc_reports(check_context: CheckContext) -> list[CheckResult]:
    """Check what receivers report about mails in our name; nothing is asked of anybody."""
    context = check_context.app
    inbox = context.settings.inbox.is_set
    if not inbox or not check_context.usable:
        return [dmarc_reports.no_reports(inbox=inbox)]
    summary = report_sums.summarise(
        context.store,
        since=check_context.now - dmarc_reports.LOOK_BACK,
        limit=dmarc_reports.SOURCES,
    )
    if not summary.reports:
        # Older ones tell that they came, and no longer do.
        summary = report_sums.summarise(
            context.store, since=check_context.now - report_sums.KEPT, limit=dmarc_reports.SOURCES
        )
    return dmarc_reports.evaluate(summary, check_context.now, context.settings.doctor.outgoing_ips)


def probe_unsubscribing(check_context: CheckContext) -> list[CheckResult]:
    """Check the ways to unsubscribe, the one-click endpoint, the inbox, and pending suppressions."""
    from upcycle_news.diagnostics import unsubscribe_endpoint

    results = [
        *_check_unsubscribe_endpoint(check_context),
        _check_privacy_page(check_context.app),
        _check_inbox(check_context),
    ]
    if check_context.usable:
        count = pending_suppressions.count_pending(check_context.app.store)
        results.append(unsubscribe_endpoint.evaluate_pending_suppressions(count))
    return results


def _check_privacy_page(context: AppContext) -> CheckResult:
    from upcycle_news.diagnostics import unsubscribe_endpoint

    url = context.settings.publication.public_url
    return unsubscribe_endpoint.evaluate_privacy_page(
        context.settings.imprint.privacy_url,
        is_own=not is_sample_host(url) and not is_loopback(urlsplit(url).hostname or ""),
    )


def _check_inbox(check_context: CheckContext) -> CheckResult:
    from upcycle_news.diagnostics import unsubscribe_endpoint

    settings = check_context.app.settings
    if not settings.inbox.is_set:
        return unsubscribe_endpoint.no_inbox()
    if check_context.offline and settings.inbox.host and not is_loopback(settings.inbox.host):
        return skipped("inbox", _OFFLINE)
    from upcycle_news.services.bounces import process

    try:
        with process.open_inbox(check_context.app, settings.doctor.timeout):
            return unsubscribe_endpoint.evaluate_inbox(None)
    except UpcycleError as error:
        return unsubscribe_endpoint.evaluate_inbox(text_of(error))


def _check_unsubscribe_endpoint(check_context: CheckContext) -> list[CheckResult]:
    from upcycle_news.diagnostics import unsubscribe_endpoint

    context = check_context.app
    url = context.settings.publication.public_url
    is_local = is_loopback(urlsplit(url).hostname or "")
    if url and is_sample_host(url) and not is_local:
        why = localized("doctor-sample-url", url=url)
        return [_not_configured(check_context, "one-click", why, localized("doctor-set-url"))]
    results = [
        unsubscribe_endpoint.evaluate_methods(
            describe_unsubscribe_methods(context),
            possible=bool(url) or context.unsubscribes_by_mail,
        )
    ]
    if not url:
        return [
            *results,
            unsubscribe_endpoint.endpoint_unchecked(localized("doctor-no-url")),
        ]
    if check_context.offline and not is_local:
        return [*results, unsubscribe_endpoint.endpoint_unchecked(_OFFLINE)]
    own_path = ""
    if check_context.token_keys:  # `context.signer` would make a key where there is none
        own_path = f"/{Purpose.UNSUBSCRIBE}/{context.link_signer.token(Purpose.UNSUBSCRIBE, 0)}"
    foreign_path = f"/{Purpose.UNSUBSCRIBE}/{unsubscribe_endpoint.FOREIGN}"
    facts = unsubscribe_endpoint.inspect_endpoint(
        url, own_path, foreign_path, context.settings.doctor.timeout
    )
    return [*results, *unsubscribe_endpoint.evaluate(facts, check_context.now)]


def probe_prefect(check_context: CheckContext) -> list[CheckResult]:
    """Check Prefect: server, workers, deployments."""
    from upcycle_news.prefect_api.client import PrefectClient

    settings = check_context.app.settings
    client = PrefectClient.find(settings.state / "prefect")
    if client is None:
        return [prefect.no_server()]
    if check_context.offline and not is_loopback(client.host):
        return [skipped("prefect", _OFFLINE)]
    from upcycle_news.prefect_api.status import fetch_facts

    facts = fetch_facts(
        client, metadata.version("prefect"), check_context.app.clock, settings.doctor.timeout
    )
    group = settings.cockpit.operators
    members = (
        subscribers.group_members(check_context.app.store, group)
        if group and check_context.usable
        else ()
    )
    return prefect.evaluate(
        facts,
        read_deployments(settings.home),
        settings.publication.zone,
        alarms=_events(settings.home / "deploy/automations.yaml"),
        operators=len(members),
    )


def _events(file: Path) -> set[str]:
    """Return the events that trigger the publication's automations; empty without the file."""
    from upcycle_news.prefect_api.client import read_automations

    if not file.is_file():
        return set()
    automations = read_automations(file, lambda name: name)
    return {
        event
        for automation in automations
        for event in automation.get("trigger", {}).get("expect", ())
    }


def probe_webhooks(check_context: CheckContext) -> list[CheckResult]:
    """Check how far outgoing webhooks have got; nothing is posted."""
    if not check_context.app.settings.webhooks:
        return webhooks.evaluate(())
    from upcycle_news.services.webhooks.status import statuses

    if not check_context.usable:
        return [skipped("webhooks", localized("doctor-store-not-there"))]
    return webhooks.evaluate(statuses(check_context.app))


def probe_content(check_context: CheckContext) -> list[CheckResult]:
    """Check the feeds, the size of the last issue, and the content as `check` does."""
    from upcycle_news.services.feeds.status import feeds_health

    size = content.evaluate_issue_size(check_context.last)
    if not check_context.usable:
        why = localized("doctor-store-not-there")
        return [skipped("feeds", why), size, skipped("content", why)]
    context = check_context.app
    try:
        feeds = content.evaluate_feeds(feeds_health(context), check_context.now)
    except UpcycleError as error:
        feeds = [
            problem(
                "feeds",
                text_of(error),
                impact=localized("doctor-feeds-broken-mean"),
                fix=localized("doctor-feeds-broken-cure"),
            )
        ]
    findings = run.check_everything(context, ids.current_issue(context))
    return [*feeds, size, content.evaluate_findings(findings)]


PROBES: Mapping[str, tuple[Callable[[CheckContext], list[CheckResult]], tuple[str, ...]]] = {
    "settings": (probe_settings, ("settings", "secret-files")),
    "machine": (probe_host, ("python", "packages", "timezone", "disk", "secrets")),
    "store": (
        probe_store,
        (
            "store",
            "store-version",
            "store-rights",
            "store-check",
            "store-contents",
            "pause",
            "journal",
            "backup",
        ),
    ),
    "relay": (
        probe_relays,
        (
            *("relay", "relay-tls", "relay-login", "relay-size", "relay-offers"),
            *("events", "read-back"),
        ),
    ),
    "dns": (probe_dns, ("dns", "resolver", "spf", "dkim", "dmarc", "mx", "ptr")),
    "reports": (probe_dmarc_reports, ("dmarc-reports", "dmarc-senders")),
    "leaving": (
        probe_unsubscribing,
        ("leaving", "one-click", "one-click-tls", "privacy", "inbox", "suppressions"),
    ),
    "prefect": (
        probe_prefect,
        (
            *("prefect", "prefect-login", "prefect-deployments", "prefect-workers"),
            *("prefect-late", "clock", "alarms"),
        ),
    ),
    "webhooks": (probe_webhooks, ("webhooks",)),
    "content": (probe_content, ("feeds", "issue-size", "content")),
}
"""The groups in the order of the report: the probe of each, and the checks it returns results of."""

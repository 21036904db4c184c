"""Turn a revision into what readers see, check it, and lay it out for people to look at."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path

from upcycle_news.audience.links import Purpose
from upcycle_news.errors import IssueError
from upcycle_news.files import write_whole
from upcycle_news.model import EmailAddress, Finding, IssueId, RenderedIssue
from upcycle_news.newsroom import Newsroom
from upcycle_news.postroom.encoding import quoted_printable
from upcycle_news.postroom.message import MessageTemplate, ReaderFields, message_hash
from upcycle_news.press.preflight import preflight
from upcycle_news.press.preview import preview_page, standalone_html
from upcycle_news.press.render import render
from upcycle_news.settings import FILE_NAME
from upcycle_news.steps.collecting import feed_findings
from upcycle_news.store import manifests, revisions

# The reader of the sample message that a preview lays out.
SAMPLE_READER = EmailAddress("leserin@example.org")
_RESERVED = (".example", ".test", ".invalid", ".localhost", "example.org", "example.com",
             "example.net")  # fmt: skip


@dataclass(frozen=True)
class Rendered:
    """A rendered revision with what preflight found; `html_bytes` is the encoded HTML part."""

    issue: IssueId
    hash: str
    rendered: RenderedIssue
    findings: tuple[Finding, ...]
    html_bytes: int

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that refuse the issue."""
        return tuple(finding for finding in self.findings if finding.level == "error")


def render_issue(room: Newsroom, issue: IssueId, digest: str) -> Rendered:
    """Render a revision, or take the rendering that was kept, and check it."""
    revision = revisions.revision(room.store, issue, digest)
    if revision is None:
        raise IssueError(f"issue {issue} has no revision {digest[:12]}: preview it first")
    rendered = revisions.rendering(room.store, issue, digest)
    if rendered is None:
        rendered = render(revision.manifest)
        revisions.save_rendering(room.store, digest, rendered)
    publication = revision.manifest.publication
    findings = preflight(rendered, revision.manifest.issue, publication)
    return Rendered(
        issue,
        digest,
        rendered,
        (*findings, *_settings_findings(room), *feed_findings(room)),
        len(quoted_printable(rendered.html)),
    )


def refuse_errors(rendered: Rendered) -> None:
    """Raise `IssueError` with the findings that stand against sending."""
    if rendered.errors:
        lines = "\n".join(f"{f.where}: {f.code}: {f.message}" for f in rendered.errors)
        raise IssueError(f"issue {rendered.issue} cannot be sent like this:\n{lines}")


def _settings_findings(room: Newsroom) -> tuple[Finding, ...]:
    """What stands against sending in the configuration rather than in the issue."""
    found: list[Finding] = []
    told = room.settings

    def error(code: str, message: str) -> None:
        found.append(Finding("error", code, FILE_NAME, message))

    if not told.sender.address:
        error("sender-missing", "'sender.address' is empty: write the address readers see")
    if not told.publication.public_url:
        error(
            "public-url-missing",
            "'publication.public_url' is empty: readers could not unsubscribe; write the address "
            "of the web door, such as https://newsletter.example.org",
        )
    relay = room.configured_relay
    if relay is not None and not _is_loopback(relay.host):
        for name, value in (
            ("sender.address", told.sender.address.rpartition("@")[2]),
            ("publication.public_url", told.publication.public_url.partition("://")[2]),
        ):
            if value.partition("/")[0].partition(":")[0].endswith(_RESERVED):
                error("sample-settings", f"'{name}' is still the sample's: write your own")
    return tuple(found)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def lay_out(room: Newsroom, rendered: Rendered) -> Mapping[str, Path]:
    """Write the issue's files below var/issues/ISSUE/ and name them by kind."""
    issue, digest = rendered.issue, rendered.hash
    revision = revisions.revision(room.store, issue, digest)
    if revision is None:
        raise IssueError(f"issue {issue} has no revision {digest[:12]}: preview it first")
    manifest_text, _ = manifests.encode(revision.manifest)
    folder = room.issues_folder / str(issue)
    contents: dict[str, tuple[str, bytes]] = {
        "html": ("issue.html", standalone_html(rendered.rendered).encode()),
        "text": ("issue.txt", rendered.rendered.text.encode()),
        "mjml": ("issue.mjml", rendered.rendered.mjml.encode()),
        "eml": ("issue.eml", sample_message(room, rendered)),
        "manifest": ("manifest.json", manifest_text.encode()),
        "preview": (
            "preview.html",
            preview_page(rendered.rendered, rendered.findings).encode(),
        ),
    }
    files = {}
    for kind, (name, data) in contents.items():
        files[kind] = folder / name
        write_whole(files[kind], data)
    return files


def sample_message(room: Newsroom, rendered: Rendered) -> bytes:
    """The whole message as a reader who does not exist would get it."""
    revision = revisions.revision(room.store, rendered.issue, rendered.hash)
    assert revision is not None
    publication = revision.manifest.publication
    template = MessageTemplate.compose(
        rendered.rendered, room.letterhead(publication), revision=rendered.hash
    )
    zone = room.settings.publication.zone
    return template.for_reader(
        ReaderFields(
            address=SAMPLE_READER,
            name="Leserin",
            unsubscribe_url=room.reader_link(Purpose.UNSUBSCRIBE, 0),
            preferences_url=room.reader_link(Purpose.PREFERENCES, 0),
            message_hash=message_hash(room.message_id_key, rendered.issue, 0),
            date=datetime.combine(rendered.issue.day, time(7, 30), zone),
        )
    )

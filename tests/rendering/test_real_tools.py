"""Very different issues, examined by axe-core, the reference MJML, caniemail and SpamAssassin."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from upcycle_news.checks.issue import preflight
from upcycle_news.mail.message import MessageTemplate, RecipientFields, SenderHeaders
from upcycle_news.models import EmailAddress, RenderedIssue
from upcycle_news.rendering.mail_size import encoded_size
from upcycle_news.rendering.preview_page import standalone_html
from upcycle_news.rendering.render import render

from ..web.browser_session import missing
from . import sample_issues
from .page_screenshots import NODE_MODULES, axe, measure, node_tool

NAMES = list(sample_issues.ISSUES)
LOOKS = list(sample_issues.LOOKS)
CANIEMAIL = Path(__file__).parent / "golden" / "caniemail.json"
CHECK = Path(__file__).parents[2] / "tools" / "node" / "caniemail.mjs"


@cache
def issue(name: str) -> RenderedIssue:
    return render(sample_issues.ISSUES[name]())


def in_look(look: str) -> RenderedIssue:
    """The demo's issue in a look."""
    return issue("demo" if look == "letter" else look)


@pytest.mark.chromium
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_no_accessibility_violation(name: str, dark: bool) -> None:
    assert axe(standalone_html(issue(name)), dark=dark) == []


@pytest.mark.chromium
def test_axe_finds_a_missing_alt_text() -> None:
    html = standalone_html(issue("no-picture")).replace("</body>", '<img src="x"></body>')
    assert [line.partition(":")[0] for line in axe(html)] == ["image-alt"]


@pytest.mark.chromium
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_no_issue_is_wider_than_its_window(name: str, dark: bool) -> None:
    for measured in measure(standalone_html(issue(name)), widths=(320, 600), dark=dark):
        assert measured.scroll <= measured.client == measured.width


@pytest.mark.chromium
@pytest.mark.parametrize("name", NAMES)
def test_no_issue_needs_its_style_element(name: str) -> None:
    bare = re.sub(r"<style.*?</style>", "", standalone_html(issue(name)), flags=re.DOTALL)
    for measured in measure(bare, widths=(320, 600), dark=False):
        assert measured.scroll <= measured.client == measured.width
    assert axe(bare) == []


@pytest.mark.parametrize("name", NAMES)
def test_preflight_finds_no_error(name: str) -> None:
    manifest = sample_issues.ISSUES[name]()
    findings = preflight(issue(name), manifest.issue, manifest.publication)
    errors = [finding for finding in findings if finding.level == "error"]
    assert [finding for finding in errors if finding.code != "subject-long"] == []


@pytest.mark.slow
def test_the_reference_compiler_accepts_our_mjml(tmp_path: Path) -> None:
    node_tool("mjml/bin/mjml")
    files = [tmp_path / f"{name}.mjml" for name in NAMES]
    for file in files:
        file.write_text(issue(file.stem).mjml, encoding="utf-8")
    (tmp_path / "wrong.mjml").write_text("<mjml><mj-body><mj-nothing /></mj-body></mjml>")
    compiler = [str(NODE_MODULES / ".bin" / "mjml"), "--validate"]
    done = _node([*compiler, *map(str, files)])
    assert done.stdout + done.stderr == ""
    assert "mj-nothing" in _node([*compiler, str(files[0]), str(tmp_path / "wrong.mjml")]).stderr


@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS)
def test_mail_programs_support_as_much_as_the_golden_file_says(look: str) -> None:
    node_tool("caniemail/package.json")
    process = _node([str(CHECK)], in_look(look).html)
    unsupported = json.loads(process.stdout or "{}")
    assert unsupported, process.stderr
    if os.environ.get("UPCYCLE_GOLDEN") == "write" and look == "letter":
        CANIEMAIL.write_text(
            json.dumps(unsupported, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )
    baseline = json.loads(CANIEMAIL.read_text(encoding="utf-8"))
    new = {
        feature: sorted(set(clients) - set(baseline.get(feature, [])))
        for feature, clients in unsupported.items()
    }
    assert {feature: clients for feature, clients in new.items() if clients} == {}


@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS)
def test_spamassassin_scores_the_finished_message_below_one(
    look: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which("spamassassin") is None:
        missing("no SpamAssassin here (apt-get install spamassassin)")
    done = subprocess.run(
        ["spamassassin", "-L", "-t"], input=finished_message(look), capture_output=True, timeout=100
    )
    match = re.search(rb"Content analysis details:\s+\(([-\d.]+) points", done.stdout)
    assert match is not None
    score = float(match[1])
    with capsys.disabled():
        sys.stdout.write(f"\nSpamAssassin: {score} points for the demo's issue as a {look}\n")
    assert score < 1.0


def finished_message(look: str) -> bytes:
    """The demo's issue as a subscriber gets it, one-click header and images included."""
    publication = sample_issues.demo().publication
    sender_headers = SenderHeaders(
        from_name=publication.sender_name,
        from_address=publication.sender_address,
        envelope_sender=publication.sender_address,
        list_id="newsletter.example.org",
        list_name=publication.name,
        message_id_domain="example.org",
        reply_to=publication.reply_to,
        unsubscribe_mailto="abbestellen@example.org",
    )
    recipient = RecipientFields(
        address=EmailAddress.parse("leserin@example.org"),
        name="Leserin",
        unsubscribe_url=f"{publication.public_url}/unsubscribe/{'x' * 43}",
        preferences_url=f"{publication.public_url}/preferences/{'x' * 43}",
        message_hash="0" * 32,
        date=sample_issues.NOW,
    )
    template = MessageTemplate.compose(in_look(look), sender_headers, revision_id="0" * 64)
    return template.for_recipient(recipient)


@pytest.mark.parametrize("look", LOOKS)
def test_the_demos_issue_is_small(look: str) -> None:
    # Of these, the line in the mailbox is filled with 2 kB, however long it is.
    assert encoded_size(in_look(look).html) < 45_000


def _node(command: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    node = shutil.which("node") or missing("no Node here (apt-get install npm)")
    return subprocess.run(
        [node, *command], input=text, capture_output=True, text=True, timeout=100, check=False
    )

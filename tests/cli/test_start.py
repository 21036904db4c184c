"""What a command loads before it does anything: counted as modules, since seconds are the machine's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

from ..publications import Publication

# Loaded only by what asks the network, reads what strangers wrote, or lays out mails and pages.
HEAVY = {"css_inline", "cryptography", "feedparser", "httpcore", "httpx", "mjml", "PIL", "prefect"}
# Loaded for a variable of the environment, an address of unusual spelling, or the other kind of store.
SELDOM = {"email_validator", "pydantic_settings", "sqlalchemy.dialects.postgresql"}
RENDERING = {"babel", "jinja2", "markdown_it"}
PROGRAM = """
import json, sys
from upcycle_news.cli import main
try:
    main()
finally:
    print("\\n" + json.dumps(sorted(sys.modules)))
"""


def modules_of(publication: Publication, *command: str) -> set[str]:
    """Return the modules that are loaded when a command has ended, whatever it ended with."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command],
        cwd=publication.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def packages(modules: set[str]) -> set[str]:
    """Return the packages that the modules lie in, down to three names."""
    return {name.partition(".")[0] for name in modules} | {
        ".".join(name.split(".")[:length]) for name in modules for length in (2, 3)
    }


def own(modules: set[str]) -> int:
    return sum(name.startswith("upcycle_news.") for name in modules)


def test_a_status_loads_no_checks_feeds_backups_or_rendering(publication: Publication) -> None:
    publication.write_essay()
    publication.run("issue", "preview", "--no-collect")
    modules = modules_of(publication, "issue", "status")
    unwanted = {f"upcycle_news.services.{name}" for name in ("backup", "checks", "feeds")}
    unwanted |= {f"upcycle_news.{name}" for name in ("archive_site", "curation", "rendering")}
    assert not (HEAVY | SELDOM | RENDERING | unwanted) & packages(modules)
    assert "upcycle_news.api.issues" in modules
    assert own(modules) < 111


def test_a_second_list_of_essays_loads_no_parser_checks_sending_or_rendering(
    publication: Publication,
) -> None:
    publication.write_essay()
    for _ in range(2):
        modules = modules_of(publication, "essay", "list")
    unwanted = {f"upcycle_news.services.{name}" for name in ("archive", "checks", "delivery")}
    unwanted |= {f"upcycle_news.{name}" for name in ("archive_site", "bounces", "rendering")}
    assert not (HEAVY | SELDOM | RENDERING | unwanted) & packages(modules)
    assert "upcycle_news.services.issues.plan" in modules
    assert own(modules) < 130


def test_a_send_that_nobody_approved_loads_no_sender_and_no_rendering_of_mails(
    publication: Publication,
) -> None:
    publication.write_essay()
    modules = modules_of(publication, "issue", "send", "--no-collect")
    unwanted = {"upcycle_news.services.checks", "upcycle_news.archive_site", "upcycle_news.bounces"}
    assert not (HEAVY | SELDOM | {"babel", "jinja2"} | unwanted) & packages(modules)
    assert "upcycle_news.services.delivery.send" not in modules
    assert "upcycle_news.services.issues.compose" in modules
    assert own(modules) < 199


def test_a_second_check_renders_nothing_that_stayed_as_it_was(publication: Publication) -> None:
    shutil.rmtree(publication.home / "var/checks")  # what was found in these templates before
    publication.write_essay()
    first, second = (modules_of(publication, "check") for _ in range(2))
    assert "mjml" in first
    assert "upcycle_news.checks.templates" in first
    unwanted = {"upcycle_news.services.backup", "upcycle_news.bounces", "upcycle_news.archive_site"}
    unwanted |= {"upcycle_news.checks.templates", "upcycle_news.feeds.parser"}
    assert not (HEAVY | SELDOM | {"babel", "jinja2"} | unwanted) & packages(second)
    assert own(second) < 243


def test_a_doctor_who_stays_offline_loads_no_reports_providers_or_http(
    publication: Publication,
) -> None:
    publication.write_essay()
    for _ in range(2):
        modules = modules_of(publication, "doctor", "--offline")
    unwanted = {"upcycle_news.services.reports", "upcycle_news.services.bounces", "packaging"}
    unwanted |= {"upcycle_news.bounces.providers", "upcycle_news.archive_site"}
    assert not (HEAVY | SELDOM | {"babel", "jinja2"} | unwanted) & packages(modules)
    assert "upcycle_news.diagnostics.probes" in modules
    assert own(modules) < 285

"""The page on extending: its example programs run, and the places it names exist."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from upcycle_news.bounces.providers import provider as provider_module
from upcycle_news.bounces.providers.provider import (
    EventRequest,
    OutgoingOptions,
    Provider,
    SourceKeys,
)
from upcycle_news.checks.essay import EssayInput
from upcycle_news.checks.findings import warning
from upcycle_news.errors import WebhookRefused, WebhookUnreadable
from upcycle_news.models import Finding

from .. import fork_server
from ..publications import Publication
from ..rendering.sample_manifest import LEAD

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")


def example(beginning: str) -> str:
    """The block of Python that holds this text first."""
    return next(
        block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if beginning in block
    )


def test_the_check_of_ones_own_runs_as_it_is_written(
    publication: Publication, tmp_path: Path
) -> None:
    publication.write_essay(text="Ein Haus!! Es steht leer.\n")
    program = tmp_path / "own_check.py"
    program.write_text(example("with open_app()"), encoding="utf-8")
    run = fork_server.run(
        [sys.executable, str(program)], cwd=publication.home, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert ":8: shouting: One exclamation mark is enough." in run.stdout


def test_the_example_of_a_check_reports_the_line() -> None:
    names: dict[str, Any] = {
        "essay_check": lambda function: function,
        "EssayInput": EssayInput,
        "Iterator": Iterator,
        "Finding": Finding,
        "warning": warning,
        "localized": str,
    }
    exec(example("def _shouting"), names)
    check: Callable[[EssayInput], Iterator[Finding]] = names["_shouting"]
    from dataclasses import replace

    essay = replace(LEAD, body="Ein Haus.\n\nEs steht leer!!", body_line=9)
    assert [finding.where for finding in check(EssayInput(essay))] == [f"{LEAD.source}:11"]


def test_the_example_of_a_provider_reads_events_and_refuses_the_rest() -> None:
    names = {**vars(provider_module), "Any": Any, "Iterator": Iterator}
    exec(example("def outgoing_headers"), names)
    made: Provider = names["EXAMPLE"]
    assert ("X-Example-Reference", "key") in made.outgoing_headers(OutgoingOptions(), "key")
    now = datetime(2026, 11, 26, tzinfo=UTC)
    keys = SourceKeys(username="u", password="p")
    failed = {
        "event": "failed",
        "id": "1",
        "reply": "550 5.1.1 no such user",
        "to": "anna@example.org",
        "reference": "key",
    }
    records = [failed, {**failed, "event": "complaint"}, {"event": "open"}, {"event": "new"}]
    own = {"authorization": "Basic dTpw"}
    batch = made.read_events(EventRequest(own, json.dumps(records).encode(), keys, now))
    found = [event.report and event.report.kind.value for event in batch.events]
    assert found == ["hard", "complaint", "other", None]
    with pytest.raises(WebhookRefused):
        made.read_events(EventRequest({}, b"[]", keys, now))
    for broken in (b"", b"{}", b"[1]", b'[{"event": "failed"}]'):
        with pytest.raises(WebhookUnreadable):
            list(made.read_events(EventRequest(own, broken, keys, now)).events)


def test_every_file_and_decorator_that_the_page_names_exists() -> None:
    names = set(re.findall(r"`((?:[\w.]+/)+[\w.]*)`", PAGE))
    folders = (ROOT, ROOT / "src/upcycle_news", ROOT / "src/upcycle_news/i18n", ROOT / "templates")
    invented = {"templates/partials/dates.mjml", "templates/partials/dates.txt"}
    missing = [name for name in names if not any((folder / name).exists() for folder in folders)]
    assert set(missing) == invented
    assert len(names) > 15
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    for decorator in re.findall(r"`@(\w+)`", PAGE):
        assert f"def {decorator}(" in source

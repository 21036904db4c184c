"""Real bounce mails of a public corpus, read from a folder that is not part of the project.

The folder holds `expected.json`, from a name to `class` (hard, soft, mixed, feedback, or another
for what is no bounce), `alive` for readers who must not be suppressed and `us` for refusals that
speak of the sender, and one `NAME.eml` for each.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from upcycle_news.bounces.parser import BounceKind, parse_bounce

FOLDER = os.environ.get("UPCYCLE_NEWS_TEST_BOUNCES", "")
NOTHING = {BounceKind.OTHER, BounceKind.AUTO_REPLY, BounceKind.DELIVERED}
COUNT_AGAINST_READERS = {BounceKind.HARD, BounceKind.SOFT, BounceKind.UNCLEAR}

pytestmark = pytest.mark.skipif(
    not FOLDER, reason="UPCYCLE_NEWS_TEST_BOUNCES names no folder of real bounce mails"
)


@pytest.fixture(scope="module")
def corpus() -> list[tuple[str, dict[str, Any], BounceKind]]:
    """The name of each mail, what is right for it, and what it was taken for."""
    expected = json.loads((Path(FOLDER) / "expected.json").read_text(encoding="utf-8"))
    assert expected
    return [
        (name, right, parse_bounce((Path(FOLDER) / f"{name}.eml").read_bytes()).kind)
        for name, right in sorted(expected.items())
    ]


def test_95_percent_of_bounces_are_recognised(corpus: Any) -> None:
    bounces = [case for case in corpus if case[1]["class"] in ("hard", "soft", "mixed", "feedback")]
    missed = [name for name, _, kind in bounces if kind in NOTHING]
    assert len(missed) <= 0.05 * len(bounces), missed


def test_no_living_address_is_suppressed(corpus: Any) -> None:
    ends = {BounceKind.HARD, BounceKind.COMPLAINT}
    assert [name for name, right, kind in corpus if right.get("alive") and kind in ends] == []


def test_refusals_of_the_sender_do_not_count_against_subscribers(corpus: Any) -> None:
    ours = [case for case in corpus if case[1].get("us")]
    counted = [name for name, _, kind in ours if kind in COUNT_AGAINST_READERS]
    assert len(counted) <= 0.03 * len(ours), counted


def test_mails_that_are_no_bounces_are_not_counted(corpus: Any) -> None:
    bounces = ("hard", "soft", "mixed", "feedback")
    others = [case for case in corpus if case[1]["class"] not in bounces]
    assert [name for name, _, kind in others if kind not in NOTHING] == []

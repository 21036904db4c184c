"""Findings about the body of an essay, as the tests of their families compare them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from upcycle_news.checks.essay import check_essay

from ...rendering.sample_manifest import LEAD

Found = list[tuple[int, str, str]]


def findings_of(body: str, **fields: Any) -> Found:
    """Return line in the body, level and code of each finding about an essay with this body."""
    essay = replace(LEAD, body=body, body_line=1, image=None, **fields)
    return [
        (finding.place[1], finding.level, finding.code)
        for finding in check_essay(essay, {"tresen.png"})
    ]


def sentences_of(body: str, language: str = "de", **fields: Any) -> list[str]:
    """Return the sentence of each finding about an essay with this body."""
    essay = replace(LEAD, body=body, body_line=1, image=None, **fields)
    return [finding.in_language(language) for finding in check_essay(essay, {"tresen.png"})]

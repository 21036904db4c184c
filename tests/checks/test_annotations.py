"""Findings as GitHub and GitLab show them at their lines."""

from __future__ import annotations

import json

from upcycle_news.checks.annotations import github_annotations, gitlab_code_quality
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding


def finding(where: str, text: str = "so nicht", level: str = "error") -> Finding:
    return Finding(level, "leftover", where, localized("untranslated", text=text))  # type: ignore[arg-type]


def test_a_finding_is_a_workflow_command_with_file_and_line() -> None:
    lines = github_annotations([finding("content/essays/a.md:7")], "de")
    assert lines == ["::error file=content/essays/a.md,line=7,title=leftover::so nicht"]


def test_a_publication_in_a_folder_is_named_from_the_repositorys_root() -> None:
    lines = github_annotations([finding("newsletter.toml:2", level="warning")], "de", "letter/")
    assert lines == ["::warning file=letter/newsletter.toml,line=2,title=leftover::so nicht"]


def test_no_file_and_no_sentence_can_give_the_runner_a_command() -> None:
    hostile = finding("content/essays/a,line=1::x\n::error::b%.md:3", "50 %\r\n::stop-commands::x")
    [line] = github_annotations([hostile], "de")
    assert line == (
        "::error file=content/essays/a%2Cline=1%3A%3Ax%0A%3A%3Aerror%3A%3Ab%25.md,line=3,"
        "title=leftover::50 %25\\r\\n::stop-commands::x"
    )
    assert "\n" not in line and "\r" not in line


def test_what_is_made_of_the_files_has_no_place_in_the_branch() -> None:
    made = finding("issue.html:12")
    assert github_annotations([made], "de") == ["::error title=leftover::so nicht"]
    assert json.loads(gitlab_code_quality([made], "de")) == []


def test_a_code_quality_report_tells_findings_apart_and_keeps_them_when_lines_move() -> None:
    findings = [finding("content/a.md:3"), finding("content/a.md:9"), finding("content/b.md:3")]
    first, moved, other = json.loads(gitlab_code_quality(findings, "de", "letter/"))
    assert first["location"] == {"path": "letter/content/a.md", "lines": {"begin": 3}}
    assert (first["severity"], first["check_name"], first["description"]) == (
        "major",
        "leftover",
        "so nicht",
    )
    assert first["fingerprint"] == moved["fingerprint"] != other["fingerprint"]

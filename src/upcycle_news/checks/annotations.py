"""Findings in the formats in which the pages of a pull request show them at their lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256

from upcycle_news.models import Finding


def github_annotations(findings: Sequence[Finding], language: str, prefix: str = "") -> list[str]:
    """Return a workflow command of GitHub Actions for each finding: ``::error file=…,line=…::sentence``.

    `prefix`: the publication's folder in the repository, with a slash at its end. Everything that comes
    from files is escaped as GitHub's toolkit does (docs.github.com, "Workflow commands"), so that no
    essay gives the runner a command.
    """
    return [
        f"::{finding.level} {_place(finding, prefix)}title={_property(finding.code)}"
        f"::{_data(finding.in_language(language))}"
        for finding in findings
    ]


def _place(finding: Finding, prefix: str) -> str:
    file, line = finding.place
    return f"file={_property(prefix + file)},line={line}," if is_source(finding) else ""


def is_source(finding: Finding) -> bool:
    """Tell whether a finding names a file that editors write, not one that is made of them."""
    file, _ = finding.place
    return file.startswith(("content/", "templates/", "flows/")) or file in _FILES


_FILES = ("newsletter.toml", "prefect.yaml")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def gitlab_code_quality(findings: Sequence[Finding], language: str, prefix: str = "") -> str:
    """Return GitLab's Code Quality report of the findings that name a line; `prefix` as above.

    The fingerprint stays when a finding moves to another line (docs.gitlab.com, "Code Quality").
    """
    entries = []
    for finding in filter(is_source, findings):
        file, line = finding.place
        sentence = finding.in_language(language)
        known_by = "\0".join((finding.code, file, sentence))
        entries.append(
            {
                "description": sentence,
                "check_name": finding.code,
                "fingerprint": sha256(known_by.encode()).hexdigest(),
                "severity": "major" if finding.level == "error" else "minor",
                "location": {"path": prefix + file, "lines": {"begin": line}},
            }
        )
    return json.dumps(entries, ensure_ascii=False, indent=1) + "\n"

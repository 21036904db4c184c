"""A publication's flows are parsed, never run, and must fit this version of the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from upcycle_news.models import IssueId
from upcycle_news.services.checks.own_flows import check_flows
from upcycle_news.services.checks.run import check_everything

from ...publications import Publication

ROOT = Path(__file__).resolve().parents[3]
HEAD = "from upcycle_news.app.context import AppContext\nfrom upcycle_news.services import pipeline, run_results\n"


def misfits(home: Path, text: str) -> list[tuple[str, str]]:
    (home / "flows").mkdir(exist_ok=True)
    (home / "flows/own.py").write_text(text, encoding="utf-8")
    return [
        (finding.where, finding.in_language("en").split(":")[0]) for finding in check_flows(home)
    ]


def test_the_shipped_flows_fit() -> None:
    assert list(check_flows(ROOT)) == []
    assert len(list((ROOT / "flows").glob("*.py"))) > 10


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from upcycle_news.services import gone", "upcycle_news.services.gone"),
        ("from upcycle_news.gone import it", "upcycle_news.gone.it"),
        ("from upcycle_news.gone.deeper import it", "upcycle_news.gone.deeper.it"),
        ("def f():\n    return pipeline.gone(1)", "upcycle_news.services.pipeline.gone"),
        ("print(pipeline.gone)", "upcycle_news.services.pipeline.gone"),
    ],
)
def test_an_unknown_name_is_reported(tmp_path: Path, line: str, name: str) -> None:
    number = 2 + line.count("\n") + 1
    message = f"'{name}' is not in this version of upcycle-news"
    assert misfits(tmp_path, f"{HEAD}{line}\n") == [(f"flows/own.py:{number}", message)]


@pytest.mark.parametrize(
    ("call", "fits"),
    [
        ("pipeline.resume_delivery(context, issue)", True),
        ("pipeline.resume_delivery(context)", False),
        ("pipeline.resume_delivery(context, issue, colour=1)", False),
        ("pipeline.resume_delivery(*values)", True),
        ("pipeline.resume_delivery(**values)", True),
        ("run_results.delivery_result([], None)", True),
        ("run_results.delivery_result([])", False),
    ],
)
def test_a_call_that_no_longer_fits_is_misfits(tmp_path: Path, call: str, fits: bool) -> None:
    name = call.split("(")[0]
    expected = [
        ("flows/own.py:3", f"'{name}' is called in another way in this version of upcycle-news")
    ]
    assert misfits(tmp_path, f"{HEAD}{call}\n") == ([] if fits else expected)


def test_a_directly_imported_function_is_checked_too(tmp_path: Path) -> None:
    text = "from upcycle_news.services.pipeline import resume_delivery\nresume_delivery()\n"
    [(where, message)] = misfits(tmp_path, text)
    assert where == "flows/own.py:2"
    assert message.startswith("'resume_delivery' is called in another way")


def test_names_of_other_packages_are_ignored(tmp_path: Path) -> None:
    text = (
        "import os\nfrom prefect import nothing_like_that\n"
        f"{HEAD}os.nothing()\ndef f(pipeline):\n    return pipeline.gone\n"
    )
    assert misfits(tmp_path, text) == []


def test_a_syntax_error_is_reported_with_its_line(tmp_path: Path) -> None:
    assert misfits(tmp_path, "a = 1\ndef f(:\n")[0][0] == "flows/own.py:2"


def test_a_publication_without_flows_has_no_findings(tmp_path: Path) -> None:
    assert list(check_flows(tmp_path)) == []


def test_check_reports_flows_too(publication: Publication) -> None:
    publication.write_essay()
    folder = publication.home / "flows"
    folder.mkdir(exist_ok=True)
    (folder / "watch.py").write_text(f"{HEAD}run_results.delivery_result([])\n", encoding="utf-8")
    findings = check_everything(publication.context(), IssueId.parse("2026-11-26"))
    assert [(finding.code, finding.where) for finding in findings] == [("flow", "flows/watch.py:3")]
    output = publication.run("check", code=1).out
    assert "flows/watch.py:3: error flow „run_results.delivery_result“" in output

"""Whether a publication's flows fit the program: read line by line, never run."""

from __future__ import annotations

from pathlib import Path

import pytest

from upcycle_news.models import IssueId
from upcycle_news.services.checks.own_flows import check_flows
from upcycle_news.services.checks.run import check_everything

from ...publications import Publication

ROOT = Path(__file__).resolve().parents[3]
HEAD = "from upcycle_news.app.context import AppContext\nfrom upcycle_news.services import pipeline, run_results\n"


def found(home: Path, text: str) -> list[tuple[str, str]]:
    (home / "flows").mkdir(exist_ok=True)
    (home / "flows/own.py").write_text(text, encoding="utf-8")
    return [(one.where, one.in_language("en").split(":")[0]) for one in check_flows(home)]


def test_the_flows_that_come_along_fit() -> None:
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
def test_what_an_older_flow_names_and_the_program_lost_is_found(
    tmp_path: Path, line: str, name: str
) -> None:
    number = 2 + line.count("\n") + 1
    told = f"'{name}' is not in this version of upcycle-news"
    assert found(tmp_path, f"{HEAD}{line}\n") == [(f"flows/own.py:{number}", told)]


@pytest.mark.parametrize(
    ("call", "fits"),
    [
        ("pipeline.go_on(context, issue)", True),
        ("pipeline.go_on(context)", False),
        ("pipeline.go_on(context, issue, colour=1)", False),
        ("pipeline.go_on(*both)", True),
        ("pipeline.go_on(**both)", True),
        ("run_results.delivered_summary([], None)", True),
        ("run_results.delivered_summary([])", False),
    ],
)
def test_a_call_that_no_longer_fits_is_found(tmp_path: Path, call: str, fits: bool) -> None:
    name = call.split("(")[0]
    told = [
        ("flows/own.py:3", f"'{name}' is called in another way in this version of upcycle-news")
    ]
    assert found(tmp_path, f"{HEAD}{call}\n") == ([] if fits else told)


def test_an_imported_function_is_looked_at_too(tmp_path: Path) -> None:
    text = "from upcycle_news.services.pipeline import go_on\ngo_on()\n"
    [(where, told)] = found(tmp_path, text)
    assert where == "flows/own.py:2"
    assert told.startswith("'go_on' is called in another way")


def test_other_peoples_names_are_left_alone(tmp_path: Path) -> None:
    text = (
        "import os\nfrom prefect import nothing_like_that\n"
        f"{HEAD}os.nothing()\ndef f(pipeline):\n    return pipeline.gone\n"
    )
    assert found(tmp_path, text) == []


def test_a_flow_that_is_no_python_is_found_at_its_line(tmp_path: Path) -> None:
    assert found(tmp_path, "a = 1\ndef f(:\n")[0][0] == "flows/own.py:2"


def test_a_publication_without_flows_needs_none(tmp_path: Path) -> None:
    assert list(check_flows(tmp_path)) == []


def test_check_tells_of_flows_beside_the_rest(publication: Publication) -> None:
    publication.essay()
    folder = publication.home / "flows"
    folder.mkdir(exist_ok=True)
    (folder / "watch.py").write_text(f"{HEAD}run_results.delivered_summary([])\n", encoding="utf-8")
    findings = check_everything(publication.context(), IssueId.parse("2026-11-26"))
    assert [(one.code, one.where) for one in findings] == [("flow", "flows/watch.py:3")]
    told = publication.run("check", code=1).out
    assert "flows/watch.py:3: error flow „run_results.delivered_summary“" in told

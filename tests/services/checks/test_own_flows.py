"""A publication's flows are parsed, never run, and must fit this version of the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from upcycle_news.models import IssueId
from upcycle_news.services.checks.own_flows import check_flows
from upcycle_news.services.checks.run import check_everything

from ...publications import Publication

ROOT = Path(__file__).resolve().parents[3]
HEAD = "from upcycle_news import open_app\nfrom upcycle_news.api import runs\n"


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
        ("def f():\n    return runs.gone(1)", "upcycle_news.api.runs.gone"),
        ("print(runs.gone)", "upcycle_news.api.runs.gone"),
        ("from upcycle_news_flows.gone import gone", "upcycle_news_flows.gone.gone"),
        ("from upcycle_news_flows.watch import gone", "upcycle_news_flows.watch.gone"),
        ("with open_app() as app:\n    app.runs.gone(1)", "Runs.gone"),
        ("app = open_app()\napp.gone.collect()", "App.gone"),
        ("with open_app() as app:\n    print(app.feeds.collect().gone)", "FeedRunReport.gone"),
    ],
)
def test_an_unknown_name_is_reported(tmp_path: Path, line: str, name: str) -> None:
    number = 2 + line.count("\n") + 1
    message = f"'{name}' is not in this version of upcycle-news"
    assert misfits(tmp_path, f"{HEAD}{line}\n") == [(f"flows/own.py:{number}", message)]


@pytest.mark.parametrize(
    ("call", "fits"),
    [
        ("app.runs.render(issue, revision_id)", True),
        ("app.runs.render(issue)", False),
        ("app.runs.render(issue, revision_id, colour=1)", False),
        ("app.runs.render(*values)", True),
        ("app.runs.render(**values)", True),
        ("app.issues.preview(collect=False)", True),
        ("app.issues.preview(colour=1)", False),
        ("runs.delivery_result([], None)", True),
        ("runs.delivery_result()", False),
    ],
)
def test_a_call_that_no_longer_fits_is_reported(tmp_path: Path, call: str, fits: bool) -> None:
    name = call.split("(")[0]
    expected = [
        ("flows/own.py:4", f"'{name}' is called in another way in this version of upcycle-news")
    ]
    text = f"{HEAD}with open_app() as app:\n    {call}\n"
    assert misfits(tmp_path, text) == ([] if fits else expected)


def test_a_directly_imported_function_is_checked_too(tmp_path: Path) -> None:
    text = "from upcycle_news.api.runs import delivery_result\ndelivery_result()\n"
    [(where, message)] = misfits(tmp_path, text)
    assert where == "flows/own.py:2"
    assert message.startswith("'delivery_result' is called in another way")


def test_names_of_other_packages_are_ignored(tmp_path: Path) -> None:
    text = (
        "import os\nfrom prefect import nothing_like_that\n"
        f"{HEAD}os.nothing()\ndef f(runs):\n    return runs.gone\n"
        "def g(app):\n    return app.gone\n"
    )
    assert misfits(tmp_path, text) == []


def test_a_variable_that_holds_different_things_is_not_guessed_at(tmp_path: Path) -> None:
    text = f"{HEAD}app = open_app()\nfor app in [1]:\n    app.bit_length()\n"
    assert misfits(tmp_path, text) == []


def test_a_flow_may_use_a_packaged_one_and_its_command_line(tmp_path: Path) -> None:
    text = (
        "from upcycle_news_flows import run_by_hand, tidy\n"
        "from upcycle_news_flows.collect_feeds import collect_feeds\nrun_by_hand(collect_feeds)\n"
    )
    assert misfits(tmp_path, text) == []


def test_a_syntax_error_is_reported_with_its_line(tmp_path: Path) -> None:
    assert misfits(tmp_path, "a = 1\ndef f(:\n")[0][0] == "flows/own.py:2"


def test_a_publication_without_flows_has_no_findings(tmp_path: Path) -> None:
    assert list(check_flows(tmp_path)) == []


@pytest.mark.parametrize(
    ("entrypoint", "parameters", "message"),
    [
        ("upcycle_news_flows.tidy.tidy", "{}", ""),
        ("upcycle_news_flows.publish_issue.publish_issue", "{approve: true}", ""),
        ("flows/own.py:own", "{colour: 1}", ""),
        ("flows/own.py:assigned", "{shape: 1}", ""),
        ("company.flows.report", "{day: 1}", ""),
        ("upcycle_news_flows.gone.gone", "{}", "there is no flow 'upcycle_news_flows.gone.gone'"),
        ("flows/gone.py:own", "{}", "there is no flow 'flows/gone.py"),
        ("flows/own.py:gone", "{}", "there is no flow 'flows/own.py"),
        ("flows/own.py:own", "{shape: 1}", "'flows/own.py:own: shape' is no parameter"),
        ("upcycle_news_flows.tidy.tidy", "{days: 3}", "'upcycle_news_flows.tidy.tidy: days' is no"),
    ],
)
def test_a_schedule_names_a_flow_and_parameters_that_exist(
    tmp_path: Path, entrypoint: str, parameters: str, message: str
) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/own.py").write_text("def own(colour): ...\nassigned = wrap(own)\n")
    deployment = f"  - name: a\n    entrypoint: {entrypoint}\n    parameters: {parameters}\n"
    (tmp_path / "prefect.yaml").write_text(f"deployments:\n{deployment}")
    findings = [(found.where, found.in_language("en")) for found in check_flows(tmp_path)]
    assert [where for where, _ in findings] == (["prefect.yaml:3"] if message else [])
    assert all(text.startswith(message) for _, text in findings)


@pytest.mark.parametrize("text", ["deployments: [", "deployments: 3", "[]", "a: b"])
def test_an_unreadable_prefect_yaml_is_a_finding(tmp_path: Path, text: str) -> None:
    (tmp_path / "prefect.yaml").write_text(text)
    [finding] = check_flows(tmp_path)
    assert (finding.code, finding.where) == ("flow", "prefect.yaml:1")


def test_check_reports_flows_too(publication: Publication) -> None:
    publication.write_essay()
    folder = publication.home / "flows"
    (folder / "watch.py").write_text(f"{HEAD}runs.delivery_result()\n", encoding="utf-8")
    findings = check_everything(publication.context(), IssueId.parse("2026-11-26"))
    assert [(finding.code, finding.where) for finding in findings] == [("flow", "flows/watch.py:3")]
    output = publication.run("check", code=1).out
    assert "flows/watch.py:3: error flow „runs.delivery_result“" in output

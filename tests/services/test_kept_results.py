"""What a check found is found again only when something that it depends on has changed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding
from upcycle_news.services import kept_results
from upcycle_news.services.kept_results import kept_findings, kept_json

from ..publications import Publication

FINDING = Finding(
    "warning",
    "contrast",
    "templates/theme.toml:7",
    localized(
        "words-missing-value",
        key="a",
        name="Ümläute „x“",
        wanted=localized("contrast-none", ground="b"),
    ),
)


class Counter:
    """A check that counts how often it ran."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self) -> Iterable[Finding]:
        self.runs += 1
        return (FINDING,)


def test_the_same_inputs_are_checked_once_and_give_equal_findings(publication: Publication) -> None:
    check, context = Counter(), publication.context()
    found = [kept_findings(context, "sample", ["a", {"b": None}], check) for _ in range(3)]
    assert found == [(FINDING,)] * 3
    assert check.runs == 1


@pytest.mark.parametrize(
    "change", ["inputs", "program", "packages", "emptied", "damaged"], ids=lambda change: change
)
def test_it_is_checked_again_after_a_change(
    publication: Publication, change: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.mkdir()
    (program / "module.py").write_text("one")
    monkeypatch.setattr(kept_results, "_PROGRAM", program)
    check, context, inputs = Counter(), publication.context(), ["a"]
    kept_findings(context, "sample", inputs, check)
    file = context.settings.state / "checks/sample.json"
    if change == "inputs":
        inputs = ["b"]
    elif change == "program":
        (program / "module.py").write_text("another")
    elif change == "packages":
        packages = tmp_path / "site-packages"
        packages.mkdir()
        monkeypatch.syspath_prepend(packages)
    elif change == "emptied":
        file.unlink()
    else:
        file.write_text(json.dumps({"inputs": json.loads(file.read_text())["inputs"]}))
    assert kept_findings(context, "sample", inputs, check) == (FINDING,)
    assert check.runs == 2


def test_a_folder_that_takes_nothing_keeps_nothing(publication: Publication) -> None:
    context = publication.context()
    (context.settings.state / "checks").write_text("a file")
    assert kept_json(context, "sample", [], lambda: [1]) == [1]


def test_templates_are_checked_again_when_one_changes(publication: Publication) -> None:
    publication.write_essay()
    assert "no_such_name" not in publication.run("check").out
    template = publication.home / "templates/newsletter.txt"
    text = template.read_text(encoding="utf-8")
    template.write_text(text + "{{ no_such_name }}", encoding="utf-8")
    assert "no_such_name" in publication.run("check", code=1).out
    template.write_text(text, encoding="utf-8")
    assert "no_such_name" not in publication.run("check").out

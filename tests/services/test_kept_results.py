"""What a check found is found again only when something that it depends on has changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from upcycle_news.curation.concept_matcher import ConceptMatcher
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding
from upcycle_news.services import kept_results
from upcycle_news.services.issues import item_results
from upcycle_news.services.kept_results import kept_each, kept_findings, kept_json

from ..growth.grown import add_items, essay_text
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


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program of one module, which is installed with one package."""
    program, packages = tmp_path / "program", tmp_path / "site-packages"
    program.mkdir()
    (program / "module.py").write_text("one")
    (packages / "library-1.0.dist-info").mkdir(parents=True)
    monkeypatch.setattr(kept_results, "_PROGRAM", program)
    monkeypatch.syspath_prepend(packages)
    return program


@pytest.mark.parametrize(
    "change",
    ["inputs", "program", "packages", "version", "emptied", "cut", "damaged", "foreign"],
    ids=lambda change: change,
)
def test_it_is_checked_again_after_a_change(
    publication: Publication, change: str, program: Path
) -> None:
    check, context, inputs = Counter(), publication.context(), ["a"]
    kept_findings(context, "sample", inputs, check)
    file, packages = context.settings.state / "checks/sample.json", program.parent / "site-packages"
    if change == "inputs":
        inputs = ["b"]
    elif change == "program":
        (program / "module.py").write_text("another")
    elif change == "packages":
        (packages / "another-1.0.dist-info").mkdir()
    elif change == "version":  # of an image of a container, which gives all files one time
        at = packages.stat().st_mtime_ns
        (packages / "library-1.0.dist-info").rename(packages / "library-1.1.dist-info")
        os.utime(packages, ns=(at, at))
    elif change == "emptied":
        file.unlink()
    elif change == "foreign":
        file.write_text("[]")
    else:
        data = file.read_bytes()
        file.write_bytes(data[:-1] if change == "cut" else data.replace(b"warning", b"warming"))
    kept_results._versions.cache_clear()  # in another process
    assert kept_findings(context, "sample", inputs, check) == (FINDING,)
    assert check.runs == 2


def test_a_process_goes_on_with_the_program_that_it_runs(
    publication: Publication, program: Path
) -> None:
    """What the old program found must not pass for what the one that was installed meanwhile finds."""
    old, new, context = Counter(), Counter(), publication.context()
    kept_results._versions(program)
    (program / "module.py").write_text("another")
    kept_findings(context, "sample", ["a"], old)
    kept_results._versions.cache_clear()
    kept_findings(context, "sample", ["a"], new)
    assert (old.runs, new.runs) == (1, 1)


def test_files_that_come_and_go_beside_the_program_are_no_part_of_it(
    publication: Publication, program: Path
) -> None:
    check, context = Counter(), publication.context()
    kept_findings(context, "sample", [], check)
    (program / ".#module.py").symlink_to("ada@host.1234")  # as Emacs locks a file
    (program / "__pycache__").mkdir()
    (program / "__pycache__/module.cpython-312.pyc.140703").write_bytes(b"half")
    kept_results._versions.cache_clear()
    kept_findings(context, "sample", [], check)
    assert check.runs == 1


def test_a_folder_that_takes_nothing_keeps_nothing(publication: Publication) -> None:
    context = publication.context()
    shutil.rmtree(context.settings.state / "checks")
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


def test_of_many_values_only_the_new_ones_are_made(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_results, "MAX_UNUSED", 1)
    context, made = publication.context(), list[str]()

    def make(value: str) -> list[str]:
        made.append(value)
        return [value.upper()]

    def ask(inputs: str, values: str) -> str:
        del made[:]
        assert kept_each(context, "sample", inputs, values, make) == [[v.upper()] for v in values]
        return "".join(made)

    assert ask("x", "abab") == "ab"
    assert ask("x", "ba") == ""
    assert ask("x", "bcd") == "cd"  # "a", which nobody asked for, is kept as one more
    assert ask("x", "a") == ""
    assert ask("x", "e") == "e"  # of the four others the last one is kept
    assert ask("x", "de") == ""
    assert ask("x", "a") == "a"
    assert ask("y", "d") == "d"


def test_a_damaged_file_of_many_values_is_made_anew(publication: Publication) -> None:
    context = publication.context()
    file = context.settings.state / "checks/sample.json"
    kept_each(context, "sample", [], "a", str.upper)
    file.write_text(file.read_text()[:-5])
    assert kept_each(context, "sample", [], "a", str.upper) == ["A"]


def test_a_preview_finds_the_concepts_of_its_items_once(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)
    add_items(publication, 2 * item_results.MIN_VALUES, now=now)
    publication.write_essay(text=essay_text())
    matched = []
    match = ConceptMatcher.match

    def counted(self: ConceptMatcher, *arguments: str) -> object:
        matched.append(arguments)
        return match(self, *arguments)

    monkeypatch.setattr(ConceptMatcher, "match", counted)
    first = publication.run("issue", "explain", "--json").out
    many = len(matched)
    assert publication.run("issue", "explain", "--json").out == first
    assert many > item_results.MIN_VALUES
    assert len(matched) - many < 20  # those of the essay

"""What needs an extra that is not installed says which, and everything else goes on."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from upcycle_news.services.reports.report_link import link_sentence, linked_report

from ..content.manuscripts.writers import p, write_docx, write_html
from ..publications import Publication

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]


def block(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Let importing `module` fail as if nobody had installed it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)


def test_a_word_file_names_the_extra_and_other_files_are_imported(
    publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block(monkeypatch, "mammoth")
    (tmp_path / "a.docx").write_bytes(write_docx([p("Erstes", kind="title"), p("Ein Satz.")]))
    (tmp_path / "b.html").write_bytes(write_html([p("Zweites", kind="title"), p("Ein Satz.")]))
    result = publication.run("essay", "import", str(tmp_path / "a.docx"), code=1)
    assert f"{tmp_path}/a.docx: Word-Dateien liest upcycle-news nur mit" in result.err
    assert "pip install upcycle-news[word]" in result.err
    publication.run("essay", "import", str(tmp_path / "b.html"))


def test_the_report_names_the_extra_and_a_run_offers_no_link(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = publication.context()
    link = link_sentence(context).in_language("de")
    found = re.search(r"/report/([^)]+)\)", link)
    assert found is not None and linked_report(context, found[1]) is not None
    block(monkeypatch, "pygal")
    result = publication.run("report", "--no-open", code=1)
    assert "pip install upcycle-news[report]" in result.err
    assert not (publication.home / "var/report.html").exists()
    assert "upcycle-news[report]" in link_sentence(context).in_language("de")
    assert linked_report(context, found[1]) is None


@pytest.mark.parametrize("extra", sorted(set(EXTRAS) - {"all"}))
def test_every_extra_is_documented_and_part_of_all(extra: str) -> None:
    (everything,) = EXTRAS["all"]
    assert extra in everything.partition("[")[2].rstrip("]").split(",")
    page = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    assert f"| `{extra}` |" in page

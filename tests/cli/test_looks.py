"""`init --look`, and `templates list` and `copy` in a publication with a look."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..delivery.memory_ledger import Clock
from ..publications import Publication

ESSAY = (
    "---\ntitle: Der Laden\nauthor: Wer\ndate: 2026-01-05\nstatus: ready\n---\n\nEin Absatz Text.\n"
)


@pytest.fixture(params=["letter", "bulletin", "magazine"])
def publication(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Publication:
    home = tmp_path / "neu"
    monkeypatch.chdir(tmp_path)
    made = Publication(home, clock)
    made.run("init", str(home), "--look", request.param)
    monkeypatch.chdir(home)
    (home / "content/feeds.toml").write_text("", encoding="utf-8")
    (home / "content/essays/2026-01-05-laden.md").write_text(ESSAY, encoding="utf-8")
    return made


def files(home: Path) -> list[str]:
    folder = home / "templates"
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_a_publication_with_a_look_has_only_its_colours_and_can_be_previewed(
    publication: Publication,
) -> None:
    assert files(publication.home) == ["theme.toml"]
    checked = publication.run("check", "--json")
    codes = {finding["code"] for finding in checked.lines}
    assert codes == {"sample-settings", "privacy-url-missing"}
    shown = publication.run("issue", "preview", "--no-open", "--no-collect", "--json").json
    html = Path(shown["files"]["html"]).read_text(encoding="utf-8")
    assert "Ein Absatz Text." in html


def test_its_colours_are_read_and_told_at_their_line(publication: Publication) -> None:
    theme = publication.home / "templates/theme.toml"
    lines = theme.read_text(encoding="utf-8").split("\n")
    [number] = [number for number, line in enumerate(lines) if line.startswith("accent")]
    lines[number] = 'accent = "#f2b705"'
    theme.write_text("\n".join(lines), encoding="utf-8")
    told = [
        finding
        for finding in publication.run("check", "--json").lines
        if finding["code"] == "contrast"
    ]
    assert [(finding["file"], finding["line"]) for finding in told] == [
        ("templates/theme.toml", number + 1)
    ]


def test_a_template_is_copied_once_to_be_changed(publication: Publication) -> None:
    name = "partials/closing.mjml"
    listed = {
        line["template"]: line["own"]
        for line in publication.run("templates", "list", "--json").lines
    }
    assert listed["theme.toml"] is True
    assert listed[name] is False
    assert publication.run("templates", "copy", name).out == f"templates/{name}\n"
    assert files(publication.home) == [name, "theme.toml"]
    path = publication.home / "templates" / name
    path.write_text("{# unsere #}\n", encoding="utf-8")
    refused = publication.run("templates", "copy", "newsletter.mjml", name, code=1)
    assert f"templates/{name} ist schon eine eigene Vorlage" in refused.err
    assert files(publication.home) == [name, "theme.toml"]
    assert path.read_text(encoding="utf-8") == "{# unsere #}\n"


def test_a_name_that_no_template_has_is_refused_with_the_one_that_was_meant(
    publication: Publication,
) -> None:
    for name in ("partials/led.mjml", "../newsletter.toml", "/etc/hosts"):
        refused = publication.run("templates", "copy", name, code=1)
        assert f"Eine Vorlage „{name}“ gibt es nicht" in refused.err
    assert (
        "partials/lead.mjml"
        in publication.run("templates", "copy", "partials/led.mjml", code=1).err
    )
    assert files(publication.home) == ["theme.toml"]


def test_without_a_look_all_templates_are_copied_and_one_that_is_missing_is_an_error(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "alle"
    monkeypatch.chdir(tmp_path)
    publication = Publication(home, clock)
    publication.run("init", str(home))
    monkeypatch.chdir(home)
    assert "newsletter.mjml" in files(home)
    assert "[templates]" not in (home / "newsletter.toml").read_text(encoding="utf-8")
    (home / "templates/newsletter.mjml").unlink()
    assert "newsletter.mjml" in publication.run("check", code=1).out


def test_a_look_that_there_is_not_is_wrong_usage(tmp_path: Path, clock: Clock) -> None:
    Publication(tmp_path, clock).run("init", str(tmp_path / "neu"), "--look", "poster", code=2)
    assert not (tmp_path / "neu").exists()

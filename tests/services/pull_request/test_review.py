"""What `upcycle-news pull-request` shows, and what it refuses to show."""

from __future__ import annotations

import os
import re
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from tests.publications import Publication
from tests.services.pull_request.test_workflows import git
from tests.two_languages import ENGLISH, make_bilingual, write_translated
from upcycle_news.checks import issue as issue_checks
from upcycle_news.services.pull_request import review as review_module


@pytest.fixture
def branch(publication: Publication) -> Publication:
    """A publication with one essay on main, on a branch without any change so far."""
    publication.write_essay("Was vom Bahnhof bleibt", "Der Bahnhof bleibt stehen.\n\nGanz.")
    git(publication.home, "init", "-q", "-b", "main")
    git(publication.home, "add", "-A")
    git(publication.home, "commit", "-q", "-m", "begin")
    git(publication.home, "checkout", "-q", "-b", "zweig")
    return publication


def page_of(publication: Publication, *, code: int = 0, base: str = "main") -> str:
    publication.run("pull-request", "--base", base, "--output", "review", code=code)
    return Path("review/preview.html").read_text("utf-8")


def test_a_changed_essay_is_shown_with_what_changed(branch: Publication) -> None:
    branch.write_essay("Was vom Bahnhof bleibt", "Der Bahnhof bleibt offen.\n\nGanz.")
    page = page_of(branch)
    assert "Geändert: content/essays/2024-05-02-was-vom-bahnhof-bleibt.md" in page
    assert "<del>-Der Bahnhof bleibt stehen.</del>" in page
    assert "<ins>+Der Bahnhof bleibt offen.</ins>" in page


def test_a_translation_is_shown_in_its_own_mail(branch: Publication) -> None:
    make_bilingual(branch)
    write_translated(branch)
    git(branch.home, "add", "-A")
    git(branch.home, "commit", "-q", "-m", "two languages")
    git(branch.home, "branch", "-f", "main")
    write_translated(branch, ENGLISH.replace("for ever", "for years"))
    page = page_of(branch)
    assert "content/essays/2026-11-20-schraube.en.md" in page
    assert "<ins>+Whoever uses screws can “undo” things. Glue holds for years.</ins>" in page
    assert "Conversion Post" in page
    assert page.count("<article>") == 1  # the German text is as it was


def test_a_branch_that_changes_nothing_says_so(branch: Publication) -> None:
    page = page_of(branch)
    assert "Kein Essay, keine Vorlage und keine Einstellung ist anders" in page
    assert "<article>" not in page


def test_a_changed_template_is_shown_with_the_newest_essay(branch: Publication) -> None:
    theme = branch.home / "templates/theme.toml"
    theme.write_text(theme.read_text("utf-8") + "\n# anders\n", "utf-8")
    page = page_of(branch)
    assert "So sieht der neueste Essay damit aus" in page
    assert page.count("<article>") == 1


def test_an_issue_with_a_file_is_shown_as_the_file_has_it(branch: Publication) -> None:
    folder = branch.home / "content/issues"
    folder.mkdir(exist_ok=True)
    (folder / "2031-01-02.md").write_text("---\nsubject: Ein eigener Betreff\n---\n", "utf-8")
    page = page_of(branch)
    assert '<h2 lang="de">Ein eigener Betreff</h2>' in page
    assert "Ausgabe, wie ihre Datei sie vorsieht: content/issues/2031-01-02.md" in page


def test_a_draft_is_shown_and_said_to_be_one(branch: Publication) -> None:
    slug = branch.write_essay("Der Laden", "Offen.", date="2031-01-01")
    file = branch.home / f"content/essays/2031-01-01-{slug}.md"
    file.write_text(file.read_text("utf-8").replace("status: ready", "status: draft"), "utf-8")
    page = page_of(branch)
    assert "Neu: content/essays/2031-01-01-der-laden.md. Der Essay ist ein Entwurf" in page


@pytest.mark.parametrize(("images", "told"), [("embedded", True), ("hosted", False)])
def test_heavy_pictures_are_told_only_where_mails_carry_them(
    branch: Publication, monkeypatch: pytest.MonkeyPatch, images: str, told: bool
) -> None:
    """The page embeds pictures in any case; what it costs a mail depends on the publication."""
    monkeypatch.setattr(issue_checks, "WARN_PICTURE_BYTES", 10)
    Image.effect_noise((60, 40), 90).save(branch.home / "content/images/haus.png")
    branch.write_essay("Das Haus", "Offen.\n\n![Ein Haus](haus.png)")
    result = branch.run(
        "pull-request", "--base", "main", "--output", "review", ISSUE__IMAGES=images
    )
    assert ("pictures-heavy" in result.out) is told
    assert ("pictures-heavy" in Path("review/preview.html").read_text("utf-8")) is told


def test_the_page_loads_nothing_and_runs_nothing(branch: Publication) -> None:
    branch.write_essay("Der Laden", "Offen. <script>alert(1)</script>")
    page = page_of(branch, code=1)  # HTML in an essay is an error, and shown as text
    assert "default-src 'none'" in page and "<script" not in page
    inner = "".join(unescape(frame) for frame in re.findall(r'srcdoc="([^"]*)"', page))
    assert "<script" not in inner


def test_more_essays_than_a_page_holds_are_named(
    branch: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_module, "MAX_ESSAYS", 1)
    branch.write_essay("Der Laden", date="2024-06-01")
    branch.write_essay("Das Haus", date="2024-05-03")
    page = page_of(branch)
    assert page.count("<article>") == 1
    assert "Nicht gezeigt wird ein weiterer geänderter Essay: content/essays/2024-05-03" in page


def test_the_store_and_the_keys_of_the_publication_stay_as_they_are(branch: Publication) -> None:
    branch.add_subscribers("anna@example.org")
    before = (branch.home / "var/upcycle.db").read_bytes()
    branch.write_essay("Der Laden", "Für alle.")
    assert "anna@example.org" not in page_of(branch)
    assert (branch.home / "var/upcycle.db").read_bytes() == before
    assert not (branch.home / "var/issues").exists()


@pytest.mark.parametrize("place", ["content/images/haus.png", "content/essays/2026-01-01-a.md"])
def test_a_link_out_of_the_publication_is_an_error_and_nothing_is_shown(
    branch: Publication, tmp_path: Path, place: str
) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("---\ntitle: Geheim\ndate: 2026-01-01\nstatus: ready\n---\n\nGEHEIM\n")
    (branch.home / place).symlink_to(secret)
    result = branch.run("pull-request", "--base", "main", "--output", "review", code=1)
    assert f"{place}:1: error link-outside ist eine Verknüpfung" in result.out
    assert "GEHEIM" not in Path("review/preview.html").read_text("utf-8")


def test_a_folder_that_is_a_link_is_one_too(branch: Publication, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (branch.home / "content/images/alt").symlink_to(tmp_path / "elsewhere")
    result = branch.run("pull-request", "--base", "main", "--output", "review", code=1)
    assert "content/images/alt:1: error link-outside" in result.out


def test_a_strangers_template_reaches_no_python(branch: Publication) -> None:
    marker = branch.home / "reached"
    template = branch.home / "templates/newsletter.txt"
    attack = (
        "{{ ''.__class__.__mro__[1].__subclasses__() }}"
        f"{{{{ cycler.__init__.__globals__.os.system('touch {marker}') }}}}"
    )
    template.write_text(attack + template.read_text("utf-8"), "utf-8")
    result = branch.run("pull-request", "--base", "main", "--output", "review", code=1)
    assert not marker.exists()
    assert "templates/newsletter.txt:1" in result.out


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("nirgends", "in diesem Klon nicht zu finden"),
        ("--upload-pack=x", "nennt den Zielzweig"),
        ("", "nennt den Zielzweig"),
    ],
)
def test_a_base_that_is_not_there_is_named_with_the_cure(
    branch: Publication, base: str, says: str
) -> None:
    result = branch.run("pull-request", f"--base={base}", "--output", "review", code=1)
    assert says in result.err
    assert not Path("review").exists()


def test_a_clone_that_is_too_shallow_is_told_how_to_get_the_rest(
    branch: Publication, tmp_path: Path
) -> None:
    branch.write_essay("Der Laden")
    git(branch.home, "add", "-A")
    git(branch.home, "commit", "-q", "-m", "write")
    git(branch.home, "checkout", "-q", "main")
    git(branch.home, "commit", "-q", "--allow-empty", "-m", "go on")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", "--no-single-branch", "-b", "zweig",
        branch.home.as_uri(), str(shallow))  # fmt: skip
    os.chdir(shallow)
    result = branch.run("pull-request", "--base", "origin/main", code=1, HOME=str(shallow))
    assert "fetch-depth: 0" in result.err


def test_settings_that_cannot_be_read_are_an_annotation_too(branch: Publication) -> None:
    branch.change_setting("[publication]", "[publication]\nnmae = 1")
    result = branch.run("pull-request", "--base", "main", "--format", "github", code=1)
    assert result.out.startswith("::error file=newsletter.toml,line=2,title=settings::")


def test_unreadable_settings_of_the_base_cost_the_comparison_alone(branch: Publication) -> None:
    git(branch.home, "checkout", "-q", "main")
    good = (branch.home / "newsletter.toml").read_text("utf-8")
    branch.change_setting("[publication]", "[publication]\nnmae = 1")
    git(branch.home, "commit", "-q", "-a", "-m", "break")
    git(branch.home, "checkout", "-q", "-b", "cure")
    (branch.home / "newsletter.toml").write_text(good, "utf-8")
    page = page_of(branch)
    assert "lassen sich nicht lesen; ein Vergleich fehlt deshalb" in page

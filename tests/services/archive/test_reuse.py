"""Builds that reuse earlier pages: the same bytes as a build of everything, and what they render and load."""

from __future__ import annotations

import ast
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib.metadata import packages_distributions
from pathlib import Path
from unittest.mock import patch

import pytest
from packaging.utils import canonicalize_name

from upcycle_news.app.context import AppContext
from upcycle_news.archive_site import builder, reuse
from upcycle_news.archive_site.issue_pages import IssuePages
from upcycle_news.models import IssueId, Manifest
from upcycle_news.services.archive import atomic_folder, build, corrections, sent_issues
from upcycle_news.services.archive.build import build_archive
from upcycle_news.services.archive.kept_parts import FOLDER
from upcycle_news.services.content.templates import publication_templates
from upcycle_news.storage import corrections as decisions
from upcycle_news.storage import revisions
from upcycle_news.storage.corrections import Correction, CorrectionKind

from ...publications import Publication, approve_issue, send_issue
from ...rendering.sample_manifest import png
from ...two_languages import make_bilingual
from . import sent_history

SOURCE = Path(__file__).parents[3] / "src"
WORDS = 60  # words an essay, enough for a few compounds


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_as_built_anew(publication: Publication, context: AppContext) -> None:
    """Compare the archive with one that is built into an empty folder, with nothing kept."""
    other, kept = publication.home / "anew", context.settings.state / FOLDER
    shutil.rmtree(other, ignore_errors=True)
    saved = tree(kept)
    build_archive(context, other, anew=True)
    expected, found = tree(other), tree(context.archive_folder)
    assert sorted(found) == sorted(expected)
    assert [path for path in expected if found[path] != expected[path]] == []
    # That build must not help the next one: what was kept before comes back.
    shutil.rmtree(kept)
    for path, data in saved.items():
        (kept / path).parent.mkdir(parents=True, exist_ok=True)
        (kept / path).write_bytes(data)


class _Killed(BaseException):
    pass


@dataclass
class _Life:
    """A publication to which things happen, at random but always the same for a seed."""

    publication: Publication
    chance: random.Random
    next: int = 0
    shown: list[int] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    untold: list[Manifest] = field(default_factory=list)

    @property
    def context(self) -> AppContext:
        return self.publication.context()

    @property
    def events(self) -> list[Callable[[], None]]:
        return [
            self.new_issue, self.new_issue, self.new_digest, self.correction, self.withdrawal, self.essay_withdrawal,
            self.template, self.theme, self.words, self.languages, self.static_file, self.damage,
            self.killed_build, self.vocabulary, self.address, self.kept_parts,
        ]  # fmt: skip

    def new_issue(self) -> None:
        """A new issue, sometimes before others, with a picture, or in two languages."""
        context = self.context
        further = [one for one in context.publication.languages[1:] if self.chance.random() < 0.7]
        number = self.next
        self.next += self.chance.choice((1, 1, 2))
        if self.chance.random() < 0.2 and self.next - number == 2:
            number += 1
        made = sent_history.manifest(
            number, context.publication, publication_templates(context),
            essays=self.chance.randint(0, 3), words=WORDS, further=further,
            images={"haus.png": png(20 + number % 3, 20)}, picture=self.chance.random() < 0.5,
        )  # fmt: skip
        sent_history.add_sent_issue(context, made)
        self.shown.append(number)
        self.untold.append(made)

    def new_digest(self) -> None:
        """A digest of all issues that none has told yet."""
        if self.untold:
            told = sorted(self.untold, key=lambda made: made.issue.id)
            sent_history.add_sent_issue(self.context, sent_history.digest_of(told))
            self.untold.clear()

    def _decide(self, kind: CorrectionKind, number: int, essay: str = "", **values: object) -> None:
        day = sent_history.day_of(number)
        at = sent_history.sent_at(day) + timedelta(days=3, minutes=self.chance.randint(0, 999))
        decision = Correction(
            IssueId.parse(str(day)), kind, essay, "Ein Hinweis.", "Ada", at,
            notes={"en": "A note."}, **values,
        )  # type: ignore[arg-type]  # fmt: skip
        decisions.add_correction(self.context.store, decision)

    def _essay(self) -> tuple[int, int] | None:
        return (self.chance.choice(self.shown), self.chance.randint(0, 1)) if self.shown else None

    def correction(self) -> None:
        if (chosen := self._essay()) is not None:
            essay = sent_history.essay(*chosen, words=WORDS)
            new = f"{essay.body}\nNeuwort{self.chance.randint(0, 9)} und Ziegelkeller.\n"
            changed = replace(essay, body=new)
            slug = f"essay-{chosen[0]}-{chosen[1]}"
            self._decide(CorrectionKind.CORRECTION, chosen[0], slug, corrected=changed)

    def withdrawal(self) -> None:
        if self.shown:
            number = self.chance.choice(self.shown)
            back = number in self.hidden
            self.hidden ^= {number}
            self._decide(CorrectionKind.RETURN if back else CorrectionKind.WITHDRAWAL, number)

    def essay_withdrawal(self) -> None:
        if (chosen := self._essay()) is not None:
            kind = self.chance.choice((CorrectionKind.WITHDRAWAL, CorrectionKind.RETURN))
            self._decide(kind, chosen[0], f"essay-{chosen[0]}-{chosen[1]}")

    def _append(self, path: str, text: str) -> None:
        with (self.publication.home / path).open("a", encoding="utf-8") as file:
            file.write(text)

    def template(self) -> None:
        name = self.chance.choice(("layout", "essays", "entry", "gone"))
        path = self.publication.home / f"templates/archive/{name}.html"
        mark = f"<!-- {self.chance.randint(0, 99)} -->"
        path.write_text(path.read_text("utf-8").replace("<h1", f"{mark}<h1", 1), encoding="utf-8")

    def theme(self) -> None:
        path = self.publication.home / "templates/theme.toml"
        line = f'accent = "#0{self.chance.randint(10, 99)}04{self.chance.randint(0, 9)}"'
        lines = path.read_text("utf-8").splitlines()
        first = next(place for place, one in enumerate(lines) if one.startswith("accent"))
        path.write_text(
            "\n".join([*lines[:first], line, *lines[first + 1 :], ""]), encoding="utf-8"
        )

    def words(self) -> None:
        path = self.publication.home / "templates/texts.de.toml"
        new = f'all_issues = "Alle Ausgaben {self.chance.randint(0, 9)}"'
        lines = path.read_text("utf-8").splitlines()
        changed = [new if line.startswith("all_issues") else line for line in lines]
        path.write_text("\n".join([*changed, ""]), encoding="utf-8")

    def languages(self) -> None:
        path = self.publication.home / "newsletter.toml"
        text = path.read_text("utf-8")
        if "[languages.en]" not in text:
            make_bilingual(self.publication)
        else:
            old = "Englisch" if "Englisch" in text else "Auf Englisch"
            new = "Auf Englisch" if old == "Englisch" else "Englisch"
            path.write_text(text.replace(f'de = "{old}"', f'de = "{new}"'), encoding="utf-8")

    def static_file(self) -> None:
        name = self.chance.choice(("heft.pdf", "favicon.png", "opengraph.png", "a/b.txt"))
        path = self.publication.home / "content/static" / name
        if path.exists():
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.chance.randbytes(20))

    def damage(self) -> None:
        """Damage, empty or delete a few files of the archive."""
        folder = self.context.archive_folder
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        for path in self.chance.sample(files, min(3, len(files))):
            if path.name == atomic_folder.LISTING:
                continue
            what = self.chance.randint(0, 2)
            if what == 0:
                path.unlink()
            else:
                path.write_bytes(path.read_bytes()[:-1] + b"?" if what == 1 else b"")

    def killed_build(self) -> None:
        """A build that dies somewhere: while pages are made, written, or kept for the next one."""
        self.new_issue()
        left = self.chance.randint(0, 12)
        original, replace_file = IssuePages.__init__, Path.replace

        def dies(function: Callable[..., object]) -> Callable[..., object]:
            def counted(*arguments: object, **named: object) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    raise _Killed
                return function(*arguments, **named)

            return counted

        with (
            suppress(_Killed),
            patch.object(IssuePages, "__init__", dies(original)),
            patch.object(Path, "replace", dies(replace_file)),
        ):
            build_archive(self.context)

    def vocabulary(self) -> None:
        path = self.publication.home / "content/vocabulary.toml"
        word = self.chance.choice(("Ziegel", "Neuwort", "Keller", "Giebel"))
        path.write_text(
            f'[[concept]]\nname = "haus"\nwords = ["{word}", "Gebäude"]\n', encoding="utf-8"
        )

    def address(self) -> None:
        """The archive moves: addresses in heads, feed and site map are others."""
        path = self.publication.home / "newsletter.toml"
        text = path.read_text("utf-8")
        old = "umbaupost.example.net" if '"https://umbaupost.' in text else "neu.example.net"
        new = "neu.example.net" if old.startswith("umbaupost") else "umbaupost.example.net"
        path.write_text(text.replace(f'"https://{old}"', f'"https://{new}"'), encoding="utf-8")

    def kept_parts(self) -> None:
        """Damage, cut or delete what the last build kept."""
        folder = self.context.settings.state / FOLDER
        for path in [one for one in sorted(folder.rglob("*.json")) if self.chance.random() < 0.3]:
            what = self.chance.randint(0, 2)
            if what == 0:
                path.unlink()
            else:
                data = path.read_bytes()
                path.write_bytes(
                    data[: len(data) // 2] if what == 1 else data.replace(b"e", b"a", 9)
                )


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, id=f"seed {seed}", marks=pytest.mark.nightly if seed > 1 else ())
        for seed in range(40)
    ],
)
def test_whatever_happens_the_archive_is_that_of_a_build_of_everything(
    publication: Publication, seed: int
) -> None:
    life = _Life(publication, random.Random(seed))
    life.new_issue()
    for _ in range(12):
        for event in life.chance.sample(life.events, life.chance.randint(1, 2)):
            event()
        build_archive(life.context)
        assert_as_built_anew(publication, life.context)
    assert build_archive(life.context).rendered == 0


@contextmanager
def counting() -> Iterator[dict[str, int]]:
    """Count the revisions that are loaded and the issues that are rendered."""
    counts = {"loaded": 0, "rendered": 0}
    load, render = revisions.load_revision, IssuePages.__init__

    def counted_load(*arguments: object, **named: object) -> object:
        counts["loaded"] += 1
        return load(*arguments, **named)  # type: ignore[arg-type]

    def counted_render(*arguments: object, **named: object) -> None:
        counts["rendered"] += 1
        render(*arguments, **named)  # type: ignore[arg-type]

    with (
        patch.object(revisions, "load_revision", counted_load),
        patch.object(IssuePages, "__init__", counted_render),
    ):
        yield counts


COUNT, IN_FEED = 12, 8


@pytest.fixture
def history(publication: Publication) -> Iterator[AppContext]:
    """Issues of three essays, more than the feed shows, and their archive."""
    context = publication.context()
    sent_history.add_history(context, range(COUNT), words=WORDS)
    with patch.object(builder, "NEWEST", IN_FEED):
        build_archive(context)
        yield context


def test_without_news_nothing_is_loaded_or_rendered(history: AppContext) -> None:
    with counting() as counts:
        report = build_archive(history)
    assert counts == {"loaded": 0, "rendered": 0}
    assert (report.rendered, report.written, report.reused) == (0, 0, COUNT * 4 + 4)


def test_a_new_issue_is_rendered_with_the_one_before_it(history: AppContext) -> None:
    sent_history.add_history(history, range(COUNT, COUNT + 1), words=WORDS)
    with counting() as counts:
        report = build_archive(history)
    # Loaded: itself, the one before, which links to it now, and the one before that, whose link stays.
    assert counts == {"loaded": 3, "rendered": 2}
    assert (report.rendered, report.reused) == (2 * 4 + 4, (COUNT - 1) * 4)


def test_a_withdrawal_renders_its_issue_and_the_two_beside_it(history: AppContext) -> None:
    issue = str(sent_history.day_of(7))
    decisions.add_correction(
        history.store,
        Correction(
            IssueId.parse(issue), CorrectionKind.WITHDRAWAL, "", "", "Ada",
            sent_history.sent_at(sent_history.day_of(COUNT)),
        ),
    )  # fmt: skip
    with counting() as counts:
        build_archive(history)
    # The feed has room for one more, and the outer neighbours are named by the inner ones.
    assert counts == {"loaded": 6, "rendered": 3}


def test_a_damaged_page_is_rendered_again(history: AppContext, publication: Publication) -> None:
    page = history.archive_folder / "essays/essay-7-1/index.html"
    page.write_bytes(page.read_bytes().replace(b"Ziegel", b"Kiesel").replace(b"<p>", b"<b>", 1))
    with counting() as counts:
        report = build_archive(history)
    assert (counts["rendered"], report.written) == (1, 1)
    assert_as_built_anew(publication, history)


def test_all_is_rendered_anew_when_asked(history: AppContext, publication: Publication) -> None:
    with counting() as counts:
        report = publication.run("archive", "build", "--all", "--json").json
    assert counts["rendered"] == COUNT
    assert (report["rendered"], report["reused"], report["written"]) == (COUNT * 4 + 4, 0, 0)
    assert (
        f"0 Seiten neu gemacht, {COUNT * 4 + 4} unverändert"
        in publication.run("archive", "build").out
    )


def test_another_folder_gets_the_pages_that_it_lacks(
    history: AppContext, publication: Publication
) -> None:
    out = publication.home / "www"
    assert build_archive(history, out).rendered == COUNT * 4 + 4
    assert build_archive(history, out).rendered == 0
    assert build_archive(history).rendered == 0
    assert tree(out) == tree(history.archive_folder)


def test_what_a_build_kept_of_a_withdrawn_essay_goes_with_the_next(
    publication: Publication,
) -> None:
    publication.add_subscribers("anna@example.org")
    slug = publication.write_essay("Der Name", "Herr Mustermann wohnt nebenan.\n")
    context = publication.context()
    send_issue(context)
    kept = context.settings.state / FOLDER
    assert any(b"mustermann" in data for data in tree(kept).values())
    corrections.withdraw(context, slug, "", by="Ada")
    assert not any(b"mustermann" in data.lower() for data in tree(kept).values())


def test_nothing_of_the_only_issue_stays_when_it_is_withdrawn(publication: Publication) -> None:
    publication.add_subscribers("anna@example.org")
    publication.write_essay("Der Name", "Herr Mustermann wohnt nebenan.\n")
    context = publication.context()
    send_issue(context)
    corrections.withdraw(context, "2026-11-26", "", by="Ada")
    kept = tree(context.settings.state / FOLDER)
    assert list(kept) == ["site.json", *(path for path in kept if path.startswith("words/"))]
    assert not any(b"mustermann" in data.lower() for data in kept.values())


def test_what_makes_pages_is_in_the_key_of_the_program() -> None:
    """All modules and libraries that the site's modules import, wherever, but those that say why it failed."""
    files = {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (SOURCE / "upcycle_news").rglob("*.py")
    }
    found, libraries = set[str](), set[str]()
    left = [name for name in files if name.startswith("upcycle_news.archive_site")]
    while left:
        if (name := left.pop()) in found:
            continue
        found.add(name)
        for imported in imports_of(files[name]):
            if imported in files:
                left.append(imported)
            elif not imported.startswith("upcycle_news"):
                libraries.add(imported.partition(".")[0])
    keyed = tuple(f"upcycle_news.{one.replace('/', '.')}" for one in reuse._PACKAGES)
    assert {name for name in found if not name.startswith(keyed)} == {
        f"upcycle_news.{name}" for name in ("errors", "fileio", "i18n.messages")
    }
    by_module = packages_distributions()
    used = {name for one in libraries - sys.stdlib_module_names for name in by_module[one]}
    names = {canonicalize_name(name) for name in used}
    assert names - {"email-validator"} == set(map(canonicalize_name, reuse._LIBRARIES))


def imports_of(file: Path) -> Iterator[str]:
    """Yield the names of modules that a file imports, and those of what it imports from them."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{one.name}" for one in node.names))


def test_publishing_an_issue_costs_what_a_build_does(
    history: AppContext, publication: Publication
) -> None:
    publication.add_subscribers("anna@example.org")
    publication.write_essay()
    _, rendered = approve_issue(history)
    with (
        counting() as counts,
        build.with_issue_published(history, rendered.revision, history.clock()),
    ):
        pass
    assert counts == {"loaded": 2, "rendered": 2}


def test_an_issue_that_could_not_be_queued_leaves_no_trace(
    history: AppContext, publication: Publication
) -> None:
    before = tree(history.archive_folder)
    publication.write_essay()
    _, rendered = approve_issue(history)
    with (
        pytest.raises(RuntimeError),
        build.with_issue_published(history, rendered.revision, history.clock()),
    ):
        raise RuntimeError
    assert tree(history.archive_folder) == before


def test_one_issue_is_loaded_for_a_correction_by_mail(history: AppContext) -> None:
    with counting() as counts:
        sent = sent_issues.sent_issue(history, IssueId.parse(str(sent_history.day_of(7))))
    assert sent is not None
    assert counts["loaded"] == 1

"""Drafts go onto branches of their own: whatever editors push meanwhile, the deployed branch only moves forward."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from upcycle_news.services.content import collect_essays, collected_branches

from ...publications import Publication
from .post_site import PostSite, SitePost, post_site, sources

NAME = "2026-11-24-was-vom-laden-bleibt"
BRANCH = f"collected/{NAME}"
POST = SitePost()


@pytest.fixture
def site() -> Iterator[PostSite]:
    with post_site() as running:
        yield running


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=Redaktion", "-c", "user.email=r@example.org", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass
class Desk:
    """The repository in the middle, the checkout on the server, and an editor's clone."""

    publication: Publication
    remote: Path
    clone: Path

    def edit(self, name: str, text: str = "x\n", branch: str = "main") -> None:
        """Push a file as an editor, from the newest commit of the branch."""
        git(self.clone, "fetch", "-q", "origin")
        git(self.clone, "checkout", "-q", "-B", branch, f"origin/{branch}")
        (self.clone / name).write_text(text, encoding="utf-8")
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-q", "-m", name)
        git(self.clone, "push", "-q", "origin", branch)

    def collect(self, code: int = 0) -> list[dict[str, object]]:
        posts = self.publication.run("essay", "collect", "--json", code=code).json["posts"]
        assert isinstance(posts, list)
        return posts

    def branches(self) -> list[str]:
        return git(self.remote, "for-each-ref", "--format=%(refname:short)").split()

    def shown(self, path: str, branch: str = BRANCH) -> str:
        return git(self.remote, "show", f"{branch}:{path}")


@pytest.fixture
def desk(publication: Publication, site: PostSite, tmp_path: Path) -> Desk:
    home, remote = publication.home, tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(remote))
    path = home / "newsletter.toml"
    text = f"{path.read_text(encoding='utf-8')}\n{sources(site.wordpress(POST))}"
    path.write_text(f'{text}\n[collect]\npush = "{remote}"\n', encoding="utf-8")
    (home / ".gitignore").write_text("/var/\n", encoding="utf-8")
    git(home, "init", "-q", "-b", "main")
    git(home, "add", "-A")
    git(home, "commit", "-q", "-m", "Anfang")
    git(home, "remote", "add", "origin", str(remote))
    git(home, "push", "-q", "-u", "origin", "main")
    git(tmp_path, "clone", "-q", str(remote), "clone")
    return Desk(publication, remote, tmp_path / "clone")


def test_a_draft_is_pushed_onto_its_branch_and_the_checkout_stays_clean(
    desk: Desk, site: PostSite
) -> None:
    picture = site.picture("/tor.jpg")
    site.wordpress(replace(POST, html=f'<p>Holz.</p><img src="{picture}" alt="Ein Tor">'))
    before = git(desk.publication.home, "rev-parse", "HEAD")
    [post] = desk.collect()
    assert "auf dem Zweig" in str(post["sentence"])
    assert desk.branches() == [BRANCH, "main"]
    changed = git(desk.remote, "diff", "--name-only", "main", BRANCH).split()
    assert [name.rpartition("/")[0] for name in changed] == ["content/essays", "content/images"]
    assert "canonical:" in desk.shown(f"content/essays/{NAME}.md")
    home = desk.publication.home
    assert (git(home, "status", "--porcelain"), git(home, "rev-parse", "HEAD")) == ("", before)
    assert not (home / "var/collected" / NAME).exists()
    assert desk.collect() == []


def test_two_editors_who_push_meanwhile_lose_nothing_and_the_server_still_pulls(
    desk: Desk, site: PostSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    push = collected_branches._git

    def meanwhile(folder: Path, *arguments: str, **variables: str) -> str:
        if arguments[0] == "push":
            monkeypatch.setattr(collected_branches, "_git", push)
            desk.edit("zweite.md")
        return push(folder, *arguments, **variables)

    desk.edit("erste.md")
    monkeypatch.setattr(collected_branches, "_git", meanwhile)
    desk.collect()
    assert BRANCH in desk.branches()
    assert desk.shown("erste.md", "main") == desk.shown("zweite.md", "main") == "x"
    desk.edit("dritte.md")
    result = desk.publication.run("essay", "collect", "--json").json
    assert result["pull"] == ""
    assert (desk.publication.home / "dritte.md").is_file()
    ahead = git(desk.publication.home, "rev-list", "--count", "origin/main..HEAD")
    assert ahead == "0"


def test_a_merged_branch_is_an_essay_and_is_not_made_again(desk: Desk, site: PostSite) -> None:
    desk.collect()
    git(desk.clone, "fetch", "-q", "origin")
    git(desk.clone, "checkout", "-q", "main")
    git(desk.clone, "merge", "-q", "--no-edit", f"origin/{BRANCH}")
    git(desk.clone, "push", "-q", "origin", "main", f":{BRANCH}")
    assert desk.collect() == []
    assert (desk.publication.home / f"content/essays/{NAME}.md").is_file()
    assert desk.branches() == ["main"]
    site.wordpress(replace(POST, html=POST.html.replace("offen", "zu")))
    [post] = desk.collect()
    assert (post["outcome"], desk.branches()) == ("changed", ["main"])
    assert git(desk.publication.home, "status", "--porcelain") == ""


def test_a_branch_that_nobody_touched_moves_on_with_its_post(desk: Desk, site: PostSite) -> None:
    desk.collect()
    site.wordpress(replace(POST, html=POST.html.replace("offen", "zu")))
    assert [post["outcome"] for post in desk.collect()] == ["updated"]
    assert "wieder zu" in desk.shown(f"content/essays/{NAME}.md")
    assert git(desk.remote, "rev-list", "--count", f"main..{BRANCH}") == "2"


def test_a_branch_that_an_editor_pushed_to_stays(desk: Desk, site: PostSite) -> None:
    desk.collect()
    text = desk.shown(f"content/essays/{NAME}.md").replace("Holz", "Eiche")
    git(desk.clone, "fetch", "-q", "origin")
    desk.edit(f"content/essays/{NAME}.md", text, BRANCH)
    site.wordpress(replace(POST, html=POST.html.replace("offen", "zu")))
    [post] = desk.collect()
    assert post["outcome"] == "changed"
    assert "wieder zu" in str(post["diff"])
    assert desk.shown(f"content/essays/{NAME}.md") == text.strip()
    assert desk.collect() == []


def test_a_branch_that_is_there_already_is_not_replaced(desk: Desk) -> None:
    git(desk.clone, "push", "-q", "origin", f"main:{BRANCH}")
    before = git(desk.remote, "rev-parse", BRANCH)
    [post] = desk.collect(code=1)
    assert "Den Zweig gibt es dort schon" in str(post["sentence"])
    assert git(desk.remote, "rev-parse", BRANCH) == before
    assert (desk.publication.home / f"var/collected/{NAME}/essays/{NAME}.md").is_file()


def test_a_push_that_is_rejected_is_said_and_the_draft_is_kept_for_the_next_time(
    desk: Desk,
) -> None:
    hook = desk.remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho geheim >&2\nexit 1\n")
    hook.chmod(0o755)
    [post] = desk.collect(code=1)
    assert "Das Repository hat ihn abgelehnt." in str(post["sentence"])
    assert "geheim" not in str(post)
    assert f"var/collected/{NAME}/essays/{NAME}.md" in str(post["sentence"])
    assert desk.collect(code=1), "it is said as long as it lasts"
    hook.unlink()
    assert len(desk.collect()) == 1
    assert desk.branches() == [BRANCH, "main"]
    assert desk.collect() == []


def test_a_kept_draft_can_be_taken_by_hand(desk: Desk) -> None:
    (desk.remote / "HEAD").rename(desk.remote / "away")
    [post] = desk.collect(code=1)
    assert "nicht zu erreichen" in str(post["sentence"])
    (desk.remote / "away").rename(desk.remote / "HEAD")
    desk.publication.run("essay", "take", NAME)
    assert desk.collect() == []
    assert desk.branches() == ["main"]


@pytest.mark.parametrize(
    "address",
    ["https://name:geheim@example.org/x.git", "https://token@example.org/x.git",
     "ssh://git:geheim@example.org/x.git", "--upload-pack=x", "ext::sh -c x"],
)  # fmt: skip
def test_an_address_with_a_password_or_a_command_is_refused(
    publication: Publication, address: str
) -> None:
    result = publication.run("essay", "list", code=1, COLLECT__PUSH=address)
    assert "COLLECT__PUSH" in result.err
    assert "geheim" not in result.err


@pytest.mark.parametrize(
    "address", ["git@example.org:verein/blatt.git", "ssh://git@example.org/x.git"]
)
def test_an_address_with_a_key_is_fine(publication: Publication, address: str) -> None:
    publication.run("essay", "list", COLLECT__PUSH=address)


def test_nothing_but_var_is_written_to(desk: Desk) -> None:
    """As under the systemd units, whose ReadWritePaths is var/ alone."""
    home = desk.publication.home

    def stamps() -> dict[Path, int]:
        files = (path for path in home.rglob("*") if "var" not in path.relative_to(home).parts[:1])
        return {path: path.stat().st_mtime_ns for path in files}

    context = desk.publication.context(FEEDS__GIT_PULL="false")
    before = stamps()
    assert collect_essays.collect_essays(context).is_complete
    assert stamps() == before
    assert BRANCH in desk.branches()

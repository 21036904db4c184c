"""The workflows that `init` lays out, run step by step in a fresh clone, as GitHub and GitLab do."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.publications import Publication
from upcycle_news.scaffold.layout import bundled_publication
from upcycle_news.services.browser.chromium import find_chromium

ESSAY = '---\ntitle: "Der Laden"\nauthor: "Redaktion"\ndate: 2026-11-02\nstatus: ready\n---\n\n{}\n'


KINDS = ("phone", "phone-dark", "desktop", "desktop-dark")


def git(folder: Path, *arguments: str) -> str:
    variables = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def upstream(publication: Publication) -> Path:
    """A publication as a repository with the branch main."""
    publication.write_essay("Was vom Bahnhof bleibt", "Der Bahnhof bleibt stehen.")
    git(publication.home, "init", "-q", "-b", "main")
    git(publication.home, "add", "-A")
    git(publication.home, "commit", "-q", "-m", "begin")
    return publication.home


def branch_off(upstream: Path, text: str) -> None:
    """Make a branch with a new essay of this text, and let main go on meanwhile."""
    git(upstream, "checkout", "-q", "-b", "laden")
    (upstream / "content/essays/2026-11-02-laden.md").write_text(ESSAY.format(text), "utf-8")
    git(upstream, "add", "-A")
    git(upstream, "commit", "-q", "-m", "write")
    git(upstream, "checkout", "-q", "main")
    (upstream / "content/images/README.md").write_text("anders\n", "utf-8")
    git(upstream, "commit", "-q", "-a", "-m", "go on")


def clone_of(upstream: Path, folder: Path) -> Path:
    git(upstream.parent, "clone", "-q", "--branch", "laden", upstream.as_uri(), str(folder))
    return folder


def run_steps(
    commands: list[str], folder: Path, variables: dict[str, str]
) -> list[subprocess.CompletedProcess[str]]:
    """Run shell steps until one fails, with the program of this Python and no way to an index."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    plain = {name: value for name, value in os.environ.items() if "UPCYCLE_NEWS" not in name}
    environment = {**plain, "PATH": path, "PIP_NO_INDEX": "1", **variables}
    steps = []
    for command in commands:
        if "pip install" in command and importlib.util.find_spec("pip") is None:
            continue  # an environment made by uv has none; the program is there already
        steps.append(
            subprocess.run(
                ["bash", "-e", "-o", "pipefail", "-c", command],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
        )
        if steps[-1].returncode:
            break
    return steps


def github(folder: Path, workflow: Path) -> list[subprocess.CompletedProcess[str]]:
    """Run a workflow's own steps as GitHub Actions does for a pull request into main."""
    text = yaml.safe_load(workflow.read_text("utf-8"))
    job = text["jobs"]["review"]
    return run_steps(
        [step["run"] for step in job["steps"] if "run" in step],
        folder,
        {
            **text["env"],
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_BASE_REF": "main",
            "GITHUB_STEP_SUMMARY": str(folder.parent / "summary.md"),
            "UPCYCLE_NEWS_BROWSER__CHROMIUM": "auto",
            "PAGE": "https://artifacts.example.org/1",
        },
    )


def test_github_shows_the_new_essay_and_links_the_page(upstream: Path, tmp_path: Path) -> None:
    branch_off(upstream, "Im *alten* Laden brennt wieder Licht.")
    clone = clone_of(upstream, tmp_path / "clone")
    steps = github(clone, clone / ".github/workflows/newsletter.yml")
    assert [step.returncode for step in steps][-2:] == [0, 0], steps[-1].stderr
    page = (clone / "review/preview.html").read_text("utf-8")
    assert "Im alten Laden brennt wieder Licht." in page.replace("&lt;em&gt;", "").replace(
        "&lt;/em&gt;", ""
    )
    assert "Was vom Bahnhof bleibt" not in page, "the essay of main is no news"
    summary = (tmp_path / "summary.md").read_text("utf-8")
    assert "Neu: content/essays/2026-11-02-laden.md" in summary
    assert "Im _alten_ Laden brennt wieder Licht." in summary
    assert "[preview.html](https://artifacts.example.org/1)" in summary
    assert not (clone / "var").exists(), "no store, no keys"
    shown = clone / "review/pictures/laden"
    pictures = {path.name for path in shown.glob("*.png")}
    expected = {f"issue-{kind}.png" for kind in KINDS} if find_chromium() else set()
    assert pictures == expected, steps[-2].stderr


def test_a_planted_fault_ends_the_job_with_an_annotation_at_its_line(
    upstream: Path, tmp_path: Path
) -> None:
    branch_off(upstream, "Im Laden.\n\n![Tresen](fehlt.png)")
    clone = clone_of(upstream, tmp_path / "clone")
    review = github(clone, clone / ".github/workflows/newsletter.yml")[-1]
    assert review.returncode == 1
    file = clone / "content/essays/2026-11-02-laden.md"
    line = file.read_text("utf-8").splitlines().index("![Tresen](fehlt.png)") + 1
    place = f"::error file=content/essays/2026-11-02-laden.md,line={line},title=image-missing::"
    assert review.stdout.startswith(place)
    assert "image-missing" in (tmp_path / "summary.md").read_text("utf-8")


def test_gitlab_leaves_a_code_quality_report_and_the_page(upstream: Path, tmp_path: Path) -> None:
    branch_off(upstream, 'Im Laden brennt "wieder„ Licht - immer.')
    clone = clone_of(upstream, tmp_path / "clone")
    job = yaml.safe_load((clone / ".gitlab-ci.yml").read_text("utf-8"))["newsletter"]
    steps = run_steps(job["script"], clone, {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"})
    assert [step.returncode for step in steps] == [0, 0], steps[-1].stderr
    report: list[dict[str, Any]] = json.loads(
        (clone / job["artifacts"]["reports"]["codequality"]).read_text("utf-8")
    )
    assert {entry["check_name"] for entry in report} >= {"typography-dash"}
    assert all((clone / entry["location"]["path"]).exists() for entry in report)
    assert (clone / job["artifacts"]["paths"][0] / "preview.html").exists()


def test_the_action_takes_the_same_steps_as_the_workflow(publication: Publication) -> None:
    """The action of the project differs in where the program comes from alone."""
    workflow = yaml.safe_load(
        (publication.home / ".github/workflows/newsletter.yml").read_text("utf-8")
    )
    action = yaml.safe_load((bundled_publication() / "action.yml").read_text("utf-8"))
    steps = workflow["jobs"]["review"]["steps"][1:]
    assert [step.get("uses") for step in action["runs"]["steps"]] == [
        step.get("uses") for step in steps
    ]
    assert [step.get("name") for step in action["runs"]["steps"]] == [
        step.get("name") for step in steps
    ]


def test_a_strangers_branch_gets_no_right_and_no_secret(publication: Publication) -> None:
    file = publication.home / ".github/workflows/newsletter.yml"
    workflow = yaml.safe_load(file.read_text("utf-8"))
    assert set(workflow[True]) == {"pull_request"}, "never pull_request_target"
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in workflow["jobs"]["review"]
    assert "secrets." not in file.read_text("utf-8")
    for step in workflow["jobs"]["review"]["steps"]:
        assert "${{" not in step.get("run", ""), "values reach a shell as variables only"
        assert "uses" not in step or len(step["uses"].partition("@")[2]) == 40, "pinned"
    [checkout] = [s for s in workflow["jobs"]["review"]["steps"] if "checkout" in s.get("uses", "")]
    assert checkout["with"] == {"fetch-depth": 0, "persist-credentials": False}

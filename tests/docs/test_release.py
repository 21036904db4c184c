"""Releases: CI runs what developers run, actions are pinned, versions agree, builds are reproducible."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
import yaml
from hatchling.builders.sdist import SdistBuilder

from upcycle_news.version import __version__

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
sys.path.insert(0, str(ROOT / "tools"))
from check_release import find_mismatch  # noqa: E402 - a tool, not a package


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_names_its_release(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    foreign = [line for line in lines if "uses: ./" not in line]
    assert foreign or path.name == "none"
    for line in foreign:
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d", line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_read_permission_only(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    granted = [job["permissions"] for job in workflow["jobs"].values() if "permissions" in job]
    assert granted in ([], [{"id-token": "write"}])


def test_the_workflow_runs_what_a_developer_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands[-1] == ".ci/run"
    assert job["env"]["CI"] == "true"
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    supported = re.findall(r"Python :: (3\.\d+)\"", pyproject)
    assert job["strategy"]["matrix"]["python"] == supported


def test_nothing_is_published_without_the_checks() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    jobs = workflow["jobs"]
    assert jobs["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert jobs["build"]["needs"] == "ci"
    assert jobs["publish"]["needs"] == "build"


def test_an_sdist_contains_what_is_committed_in_any_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if known.returncode:
        pytest.skip("not a checkout of git")
    # As hatchling evaluates .gitignore below /var or a folder called build.
    monkeypatch.setattr(
        SdistBuilder.get_config_class(), "load_vcs_exclusion_patterns", lambda _: []
    )
    packed = {str(file.relative_path) for file in SdistBuilder(str(ROOT)).recurse_included_files()}
    new = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert packed - {*known.stdout.split("\n"), *new.stdout.split("\n")} == set()


def test_tag_version_and_changelog_name_one_release() -> None:
    changelog = "## [Unreleased]\n\n## [1.2.3] - 2026-11-26\n\n## [1.2.2] - 2026-11-01\n"
    assert find_mismatch("v1.2.3", "1.2.3", changelog) is None
    assert "pyproject.toml" in (find_mismatch("v1.2.4", "1.2.3", changelog) or "")
    assert "CHANGELOG.md" in (find_mismatch("v1.2.2", "1.2.2", changelog) or "")
    assert "CHANGELOG.md" in (find_mismatch("v1.2.3", "1.2.3", "## [Unreleased]\n") or "")


@pytest.mark.slow
def test_builds_are_reproducible(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    ).stdout.decode()
    if not tracked:
        pytest.skip("not a git checkout")
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
            (copy / name).chmod((ROOT / name).stat().st_mode)
    (copy / ".venv").symlink_to(Path(sys.prefix))
    done = subprocess.run(
        [copy / ".ci" / "dist", tmp_path / "dist"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    dist = tmp_path / "dist"
    names = {path.name for path in dist.iterdir()}
    listed = {line.split()[1] for line in (dist / "SHA256SUMS").read_text().splitlines()}
    assert names - listed == {"SHA256SUMS"} and listed < names
    (wheel,) = dist.glob("*.whl")
    (image,) = dist.glob("*-image.tar.gz")
    assert {wheel.name, image.name, "runtime.lock"} < listed and len(listed) == 4
    with tarfile.open(image) as packed:
        inside = {name.partition("/")[2]: name for name in packed.getnames()}
        deployed = {
            str(path) for path in filter(None, tracked.split("\0")) if path.startswith("deploy/")
        }
        assert {*inside} == {
            *deployed,
            "LICENSE",
            "deploy/docker/.env",
            "dist/runtime.lock",
            f"dist/{wheel.name}",
        }
        packed_wheel = packed.extractfile(inside[f"dist/{wheel.name}"])
        assert packed_wheel is not None and packed_wheel.read() == wheel.read_bytes()
        assert {member.uid for member in packed.getmembers()} == {0}


def test_the_program_says_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
        cwd=folder, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_a_release_is_made_of_what_is_committed_and_named_alike(tmp_path: Path) -> None:
    """Refused before anything is built: another tree, another changelog, a folder with files."""
    version_file = "src/upcycle_news/version.py"
    for name in (".ci/release", "tools/check_release.py", "pyproject.toml", version_file):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / ".ci/release").chmod(0o755)
    (tmp_path / ".ci/dist").write_text("#!/bin/sh\nmkdir -p $1 && echo built > $1/file\n")
    (tmp_path / ".ci/verify").write_text("#!/bin/sh\ncat $1/file\n")
    for name in (".ci/dist", ".ci/verify"):
        (tmp_path / name).chmod(0o755)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / ".gitignore").write_text(".venv\ndist/\n")
    (tmp_path / "CHANGELOG.md").write_text("## [Unreleased]\n")
    git(tmp_path, "init", "-q")
    assert "the tree is not what is committed" in refusal(tmp_path)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "all")
    assert "CHANGELOG.md: the newest release is not" in refusal(tmp_path)
    version = __version__
    (tmp_path / "CHANGELOG.md").write_text(f"## [{version}] - 2026-12-01\n")
    git(tmp_path, "commit", "-qam", "changelog")
    done = subprocess.run([tmp_path / ".ci/release"], capture_output=True, text=True, check=True)
    assert "built" in done.stdout and f"git tag v{version}" in done.stdout
    assert "is not empty" in refusal(tmp_path)
    (tmp_path / version_file).write_text('__version__ = "0.0.9"\n')
    git(tmp_path, "commit", "-qam", "version")
    assert "version.py: the version is not" in refusal(tmp_path)


def refusal(folder: Path) -> str:
    done = subprocess.run([folder / ".ci/release"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "built" not in done.stdout
    return done.stderr


def test_files_that_were_altered_or_added_are_told(tmp_path: Path) -> None:
    (tmp_path / "runtime.lock").write_text("prefect==3.8.8\n")
    sums = subprocess.run(
        ["sha256sum", "runtime.lock"], cwd=tmp_path, capture_output=True, text=True
    )
    (tmp_path / "SHA256SUMS").write_text(sums.stdout)
    (tmp_path / "more.whl").write_bytes(b"x")
    verify = [ROOT / ".ci/verify", tmp_path]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "not in SHA256SUMS: more.whl" in done.stderr
    (tmp_path / "runtime.lock").write_text("prefect==3.8.7\n")
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "runtime.lock: FAILED" in done.stdout

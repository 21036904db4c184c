"""Every flow runs from a checkout, an editable install and a wheel, however it is started."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .every_flow import (
    ROOT,
    check_deployments,
    check_every_flow_in_one_process,
    outcome,
    started,
)

pytestmark = [
    pytest.mark.prefect, pytest.mark.slow, pytest.mark.xdist_group("prefect"),
    # A server, a runner, a worker, and processes that import Prefect, on a busy machine.
    pytest.mark.timeout(900),
]  # fmt: skip


def copy_checkout(folder: Path) -> Path:
    """Copy what git would check out, with the present changes, without installing it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    return folder


def unpack_wheel(folder: Path) -> Path:
    """Build the wheel from a copy of the checkout and unpack it, as an installer does."""
    checkout = copy_checkout(folder / "checkout")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")],
        cwd=checkout, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [wheel] = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site-packages")
    return folder / "site-packages"


@pytest.mark.parametrize(
    "kind",
    # Of a wheel that is installed .ci/wheel tries more: each flow in a process of its own.
    [
        pytest.param("checkout", marks=pytest.mark.nightly),
        "editable",
        pytest.param("wheel", marks=pytest.mark.nightly),
    ],
)
def test_every_flow_runs_however_it_is_started(tmp_path: Path, kind: str, warm_python: str) -> None:
    variables: dict[str, str] = {}
    if kind == "checkout":
        variables["PYTHONPATH"] = str(copy_checkout(tmp_path / "checkout") / "src")
    elif kind == "wheel":
        variables["PYTHONPATH"] = str(unpack_wheel(tmp_path))
    # What starts flows is looked at, not Prefect's server: .ci/wheel starts that, too, with the wheel's Python.
    with started(
        sys.executable, tmp_path / "umbaupost", server_python=warm_python, **variables
    ) as (installation, server):
        found = installation.run("-c", "import upcycle_news_flows as f; print(f.__file__)").stdout
        assert Path(found.strip()).is_relative_to(tmp_path if variables else ROOT / "src")
        # Each in a process of its own, as a command and as a file: .ci/wheel.
        check_every_flow_in_one_process(installation, server, as_files=kind == "editable")
        if kind == "editable":
            # `python flows/NAME.py` in the repository, for the publication in UPCYCLE_NEWS_HOME.
            in_checkout = installation.run(str(ROOT / "flows/tidy.py"), folder=ROOT)
            assert outcome(in_checkout, "tidy")["state"] == "Completed"
        # All deployments at once: .ci/wheel, and test_several_machines.py.
        check_deployments(installation, server, "--name", "nightly")

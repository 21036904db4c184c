"""A process of the warm Python behaves as one of any other Python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from ..waiting import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

TELLS = """\
import json, os, sys
from prefect.settings import PREFECT_API_URL
print(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ), PREFECT_API_URL.value(), sys.executable, __name__]))
print("an error", file=sys.stderr)
sys.exit(3)
"""
STAYS = """\
import os, signal, subprocess, sys, time
from pathlib import Path

def end(number, frame):
    Path("ended").write_text(str(number))
    sys.exit(4)

signal.signal(signal.SIGTERM, end)
if sys.argv[1:]:
    subprocess.Popen([sys.executable, "-m", "stays"])
Path(f"pid-{'of-parent' if sys.argv[1:] else 'of-child'}.new").write_text(str(os.getpid()))
Path(f"pid-{'of-parent' if sys.argv[1:] else 'of-child'}.new").rename("parent" if sys.argv[1:] else "child")
while True:
    time.sleep(60)
"""


def start(python: str, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the module that stays, in a session of its own; return its client once it can be ended."""
    (folder / "stays.py").write_text(STAYS)
    client = subprocess.Popen(
        [python, "-m", "stays", *arguments], cwd=folder, start_new_session=True
    )
    wait_until((folder / ("parent" if arguments else "child")).exists, "it did not start")
    return client


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_it_has_arguments_variables_folder_output_and_exit_code(
    warm_python: str, tmp_path: Path
) -> None:
    (tmp_path / "tells.py").write_text(TELLS)
    variables = {"A": "1", "PREFECT_API_URL": "http://prefect.example.org/api"}
    done = subprocess.run(
        [warm_python, "-W", "ignore", "-m", "tells", "x", "--y"], cwd=tmp_path, env=variables,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told[2].items() >= variables.items()
    assert "HOME" not in told[2], "nothing of the process that forks"
    assert [*told[:2], *told[3:]] == [
        ["x", "--y"], str(tmp_path), variables["PREFECT_API_URL"], warm_python, "__main__",
    ]  # fmt: skip
    assert (done.returncode, done.stderr) == (3, "an error\n")


def test_what_is_no_module_runs_in_a_python_of_its_own(warm_python: str) -> None:
    code = "import sys; print(sys.executable, 'prefect' in sys.modules)"
    done = subprocess.run([warm_python, "-c", code], capture_output=True, text=True, check=True)
    python, _, has_prefect = done.stdout.strip().rpartition(" ")
    assert (python == warm_python, has_prefect) == (False, "False")


def test_signals_reach_it_and_its_exit_code_comes_back(warm_python: str, tmp_path: Path) -> None:
    client = start(warm_python, tmp_path)
    client.terminate()
    assert client.wait(60) == 4
    assert (tmp_path / "ended").read_text() == str(int(signal.SIGTERM))


def test_a_signal_that_kills_it_kills_its_client(warm_python: str, tmp_path: Path) -> None:
    client = start(warm_python, tmp_path)
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)
    assert client.wait(60) == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["term", "kill"])
def test_a_signal_for_its_group_reaches_what_it_has_started(
    warm_python: str, tmp_path: Path, number: signal.Signals
) -> None:
    client = start(warm_python, tmp_path, "with a child")
    wait_until((tmp_path / "child").exists, "no child was started")
    pids = [int((tmp_path / name).read_text()) for name in ("parent", "child")]
    os.killpg(client.pid, number)
    assert client.wait(60) == (4 if number == signal.SIGTERM else -number)
    for pid in pids:
        wait_until(lambda pid=pid: not is_alive(pid), "a process is left")

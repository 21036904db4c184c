"""CPU seconds of the start of common commands, as multiples of `--help`, on a small publication.

    python bench/start.py                        median of 15 runs each
    PYTHONPATH=CLONE/src python bench/start.py   the same with another version of the program

User and system time of the whole process, the commands in turn, so that other work on the machine changes
little. Modules are compiled, as pip does when it installs: the first round, which does that and fills
var/checks, stands apart, without the compilation. The publication has two essays, a sent issue, no feeds and
no relay; `issue send` ends with the refusal of what nobody approved. Ends with 1 when an aim is missed.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.publications import Publication, create_publication

PROGRAM = (sys.executable, "-c", "from upcycle_news.cli import main; main()")
# The largest multiple of `--help` for each, and the exit codes that it may end with.
AIMS = {
    ("issue", "status"): (3.0, (0,)),
    ("issue", "send", "--no-collect"): (3.5, (1,)),
    ("essay", "list"): (4.5, (0,)),
    ("check",): (5.5, (0, 1)),
    ("doctor", "--offline"): (7.0, (0, 1)),
}


HELP = ("--help",)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        # Compiled modules in a folder of their own, whatever the environment says of them.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/compiled"
        os.chdir(make_publication(Path(folder) / "umbaupost"))
        measure(1)  # compiles
        shutil.rmtree("var/checks", ignore_errors=True)
        first, later = measure(1), measure(runs)
    return report(first, later)


def measure(rounds: int) -> dict[tuple[str, ...], list[float]]:
    """Return the CPU seconds of each command in each round; in a round, each runs once."""
    codes = {HELP: (0,)} | {command: codes for command, (_, codes) in AIMS.items()}
    seconds: dict[tuple[str, ...], list[float]] = {command: [] for command in codes}
    for _ in range(rounds):
        for command in codes:
            seconds[command].append(cpu_seconds(command, codes[command]))
    return seconds


def report(
    first: dict[tuple[str, ...], list[float]], later: dict[tuple[str, ...], list[float]]
) -> int:
    """Print a line for each command; return 1 when an aim is missed."""
    least, missed = median(later[HELP]), 0
    print(f"{'--help':<24} {least:.3f} s")
    for command, (aim, _) in AIMS.items():
        seconds = median(later[command])
        missed += seconds / least > aim
        print(
            f"{' '.join(command):<24} {seconds:.3f} s  {seconds / least:5.1f} times  aim {aim}"
            f"  first {first[command][0]:.3f} s"
        )
    return 1 if missed else 0


def make_publication(home: Path) -> Path:
    """Make a publication with 20 readers, an issue sent into the mailbox, and a newer essay."""
    publication = Publication(create_publication(home), lambda: datetime.now(UTC))
    publication.add_many_subscribers(20)
    publication.write_essay("Was vom Bahnhof bleibt")
    subprocess.run((*PROGRAM, "issue", "send", "--yes"), cwd=home, check=True, capture_output=True)
    publication.write_essay("Was vom Kaufhaus bleibt")
    return home


def cpu_seconds(command: tuple[str, ...], codes: tuple[int, ...]) -> float:
    """Return the user and system time of a command and of the processes that it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run((*PROGRAM, *command), stdin=subprocess.DEVNULL, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in codes, done.stderr.decode()
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())

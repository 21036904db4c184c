"""Memory of a send by the number of readers: the largest process, and all processes together.

    .venv/bin/python bench/memory.py [--readers 10000 --readers 1000000] [--size 0] [--connections 8]

Needs smtp-sink (apt-get install postfix). The mail is a small one unless `--size` says how many bytes: what a
send keeps for each reader would show in any size, and a million mails of 60 kB take long.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.processes import smtp_sink

import delivery


@dataclass
class Memory:
    """Peaks in MB: `largest` of the largest process (VmHWM), `together` of all (PSS, by samples)."""

    largest: float = 0.0
    together: float = 0.0

    def sample(self, pids: list[int]) -> None:
        together = 0
        for pid in pids:
            try:
                status = Path(f"/proc/{pid}/status").read_text()
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:  # it has just ended
                continue
            self.largest = max(self.largest, _kilobytes(status, "VmHWM:") / 1024)
            together += _kilobytes(rollup, "Pss:")
        self.together = max(self.together, together / 1024)


def _kilobytes(text: str, name: str) -> int:
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith(name)), 0)


def _with_children(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return [pid, *(int(child) for child in children)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, action="append")
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    delivery.SIZE = options.size
    for count in options.readers or [10_000, 200_000]:
        memory = measured(count, options.connections)
        print(
            f"{count:9} readers: largest process {memory.largest:.0f} MB, together {memory.together:.0f} MB",
            flush=True,
        )
    return 0


def measured(count: int, connections: int) -> Memory:
    """Send an issue to `count` readers; return the peaks."""
    with tempfile.TemporaryDirectory() as folder, smtp_sink() as port:
        home, memory = Path(folder) / "publication", Memory()
        environment = delivery.environment_of(home, port, connections)
        delivery.in_child(lambda: delivery.publication(home, count, environment))
        process = subprocess.Popen(
            delivery.RESUME, env=environment, stdout=subprocess.PIPE, text=True
        )
        while process.poll() is None:
            memory.sample(_with_children(process.pid))
            time.sleep(0.2)
        assert process.stdout is not None
        if process.returncode or json.loads(process.stdout.read())["sent"] != count:
            raise SystemExit("the sender failed")
    return memory


if __name__ == "__main__":
    sys.exit(main())

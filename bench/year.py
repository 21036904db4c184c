"""A simulated year: an issue a week, people who join, leave and bounce, and every run of prefect.yaml.

    .venv/bin/python bench/year.py [--weeks 52] [--every 1] [--readers 500] [--kills 10] [--sending-kills 3]
                                   [--stores sqlite,postgres]

Time is injected; the process is killed (SIGKILL) at random and started again. Prints what broke a promise, how
the runs ended, and the bytes that are left. Exit code 1 when a promise is broken. `--every 6` simulates a sixth of
the hourly runs, and what is costly (feeds, archive, doctor) on Mondays only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.flows.simulated_year import Outcome, simulate
from tests.flows.year_process import Plan
from tests.postgres_server import DebianPostgres


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weeks", type=int, default=52)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--sending-kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=26)
    parser.add_argument("--stores", default="sqlite,postgres")
    options = parser.parse_args()
    faults = 0
    for kind in options.stores.split(","):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            store = ""
            if kind == "postgres":
                uri = stack.enter_context(DebianPostgres("fsync=off")).database("year")
                store = uri.replace("postgresql://", "postgresql+psycopg://")
            plan = Plan(
                home=str(folder / "umbaupost"),
                begin="2026-09-04",  # both changes of the clocks lie in the year
                weeks=options.weeks,
                readers=options.readers,
                joining=10,
                leaving=3,
                bouncing=1,
                every=options.every,
            )
            outcome = simulate(
                folder, plan, store=store, kills=options.kills, sending_kills=options.sending_kills, seed=options.seed
            )  # fmt: skip
            faults += len(outcome.faults())
            show(kind, outcome)
    return int(faults > 0)


def show(kind: str, outcome: Outcome) -> None:
    """Print the figures of one year."""
    mails = sum(map(len, outcome.mails.values()))
    unknown = sum(map(len, outcome.unknown.values()))
    print(f"--- {kind}: {len(outcome.statuses)} issues, {mails} mails, {unknown} unknown")
    print(f"killed: {', '.join(outcome.killed) or 'never'}; {outcome.seconds:.0f} s")
    for fault in outcome.faults():
        print(f"BROKEN  {fault}")
    ended = Counter((one["kind"], one["state"], one["name"]) for one in outcome.results)
    for (flow, state, name), count in sorted(ended.items()):
        print(f"{count:6}  {flow} {state} {name}")
    for what, size in outcome.sizes.items():
        print(f"{size / 1e6:10.2f} MB  {what}")
    print(f"{outcome.backups:6}  backups", flush=True)


if __name__ == "__main__":
    sys.exit(main())

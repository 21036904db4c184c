"""A worker in a process of its own: for each time on its input, how many it may send then."""

from __future__ import annotations

import os
import sys
from datetime import datetime

from upcycle_news.models import DeliveryState, Rate, Verdict
from upcycle_news.storage.database import open_store
from upcycle_news.storage.quotas import Quotas
from upcycle_news.storage.workers import register_worker

from ..single_leases import SingleLeaseLedger
from .sample_rows import ISSUE, NOW


def main(url: str, rate: str) -> None:
    store = open_store(url)
    worker = register_worker(store, host="here", pid=os.getpid(), process_start="1", now=NOW)
    quotas = Quotas(relay_name="main", relay=(Rate.parse(rate),))
    ledger = SingleLeaseLedger(store, ISSUE, worker, quotas=quotas)
    print("ready", flush=True)  # noqa: T201 - the pipe to the test
    for line in sys.stdin:
        now, count = datetime.fromisoformat(line.strip()), 0
        while (claim := ledger.claim(now)) is not None:
            ledger.record(claim, Verdict(DeliveryState.SENT, code=250), now)
            count += 1
        print(count, flush=True)  # noqa: T201 - the same
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

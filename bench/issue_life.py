"""What the start of a run asks about old issues, with few and with many of them closed.

    .venv/bin/python bench/issue_life.py [--few 2] [--many 200] [--deliveries 20000]

For each question: the statements, the instructions of SQLite's virtual machine (each row or index
entry that is read takes at least one), and the time. In a temporary folder, which needs about 200
bytes for each delivery. Ends with 1 when a question costs more with many.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.publications import Publication, create_publication
from tests.storage.query_cost import add_closed_issues, query_cost

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.services.issues import ids
from upcycle_news.services.runs.admission import admit_run
from upcycle_news.services.runs.pending import pending_issues
from upcycle_news.storage import issues

NOW = datetime(2026, 11, 26, 6, 30, tzinfo=UTC)
TODAY = IssueId.parse("2026-11-26")
LAST = IssueId.parse("2026-11-19")
ROUNDS = 9
QUESTIONS: dict[str, Callable[[AppContext], object]] = {
    "what is pending (deliver-pending)": pending_issues,
    "today's issue (`issue send`)": ids.current_issue,
    "the newest issue (`issue status`)": ids.latest_issue,
    "the sums of a closed issue": lambda context: issues.status(context.store, LAST),
    "admission of a run": lambda context: admit_run(
        context, "next", planned_at=NOW, run="run", max_lateness_hours=12
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--few", type=int, default=2)
    parser.add_argument("--many", type=int, default=200)
    parser.add_argument("--deliveries", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        publication = Publication(
            create_publication(Path(folder) / "umbaupost"), lambda: NOW + timedelta(minutes=1)
        )
        context = publication.context()
        store, few = context.store, arguments.few
        add_closed_issues(store, few, arguments.deliveries, before=TODAY.day)
        for question in QUESTIONS.values():
            question(context)  # what is written once is there
        before = {name: measure(context, question) for name, question in QUESTIONS.items()}
        add_closed_issues(
            store,
            arguments.many - few,
            arguments.deliveries,
            before=TODAY.day - timedelta(weeks=few),
        )
        after = {name: measure(context, question) for name, question in QUESTIONS.items()}
    print(f"| question | {few} closed issues | {arguments.many} |")
    print("|---|---|---|")
    for name in QUESTIONS:
        print(f"| {name} | {_cell(*before[name])} | {_cell(*after[name])} |")
    return int(any(after[name][:2] != before[name][:2] for name in QUESTIONS))


def measure(
    context: AppContext, question: Callable[[AppContext], object]
) -> tuple[int, int, float]:
    """Return the statements, the instructions and the median seconds of a question."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        question(context)
        seconds.append(time.perf_counter() - began)
    with query_cost(context.store) as cost:
        question(context)
    return len(cost.statements), cost.instructions, median(seconds)


def _cell(statements: int, instructions: int, seconds: float) -> str:
    return f"{statements} statements, {instructions} instructions, {1000 * seconds:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())

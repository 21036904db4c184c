"""Suppressions: written by one function, lifted by one, with what they came from."""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from pathlib import Path

import pytest

from upcycle_news.models import (
    DeliveryState,
    EmailAddress,
    Suppression,
    SuppressionSource,
    Verdict,
)
from upcycle_news.storage import personal_data, suppressions
from upcycle_news.storage.database import Store, open_store

from .sample_rows import ISSUE, NOW, add, ledger, queued

SOURCE = Path(suppressions.__file__).parents[1]
ANNA = "anna@example.org"
READING = {"select", "select_from", "join", "outerjoin", "exists"}
"""What the table may be handed to outside its own module: nothing of that changes a row."""


def changes_of_the_table(source: str) -> list[int]:
    """Return the lines of a module that hand the table of suppressions to something that may write.

    The whole-store copy names no table: it goes through all of them, and copies what is there.
    """
    tree = ast.parse(source)
    names = {
        name.asname or name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("upcycle_news.storage.schema")
        for name in node.names
        if name.name == "suppressions"
    }
    lines = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        is_handed_over = any(
            isinstance(value, ast.Name) and value.id in names
            for value in [*node.args, *(keyword.value for keyword in node.keywords)]
        )
        is_method = (
            isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in names
        )
        if (is_handed_over or is_method) and called not in READING:
            lines.append(node.lineno)
    text = re.compile(r"(?i)\b(insert\s+(or\s+\w+\s+)?into|delete\s+from|update)\s+suppressions\b")
    lines += [source[: match.start()].count("\n") + 1 for match in text.finditer(source)]
    return lines


@pytest.mark.parametrize(
    "statement",
    [
        "connection.execute(insert(suppressions).values(email_key='x'))",
        "connection.execute(delete(suppressions))",
        "connection.execute(suppressions.insert())",
        "_add(new, suppressions, rows)",
        "connection.execute(text('DELETE FROM suppressions'))",
    ],
)
def test_the_search_for_changes_sees_every_way_to_change_the_table(statement: str) -> None:
    begin = "from upcycle_news.storage.schema import suppressions\n"
    assert changes_of_the_table(begin + statement)
    assert not changes_of_the_table(begin + "connection.execute(select(suppressions))")


def test_nobody_but_the_module_of_suppressions_changes_the_table() -> None:
    others = [path for path in SOURCE.rglob("*.py") if path != Path(suppressions.__file__)]
    assert len(others) > 200
    changing = {
        f"{path.relative_to(SOURCE)}:{line}"
        for path in others
        for line in changes_of_the_table(path.read_text(encoding="utf-8"))
    }
    assert changing == set()


def test_the_module_writes_the_table_in_one_function_and_deletes_in_one() -> None:
    source = Path(suppressions.__file__).read_text(encoding="utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    changing = {
        function.name
        for line in changes_of_the_table(source)
        for function in functions
        if function.lineno <= line <= (function.end_lineno or 0)
    }
    executing = {
        function.name
        for function in functions
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "_insert"
    }
    assert changing == {"_insert", "lift"}
    assert executing == {"suppress_several"}


def test_a_refusal_while_sending_suppresses_with_its_issue_and_delivery(any_store: str) -> None:
    store = open_store(any_store)
    store.erasure_key = b"k" * 32
    queued(store, ANNA)
    worker = ledger(store)
    [delivery] = worker.lease(1, NOW)
    worker.commit([], [delivery], NOW)
    refused = Verdict(
        DeliveryState.REJECTED, suppress=True, code=550, enhanced="5.1.1", reason="unknown"
    )
    worker.commit([(delivery, refused)], [], NOW)
    [suppression] = suppressions.all_suppressions(store)
    assert suppression == Suppression(
        ANNA,
        "bounced",
        SuppressionSource.SMTP,
        at=NOW,
        detail="550 5.1.1 unknown",
        issue=str(ISSUE),
        delivery=delivery.delivery,
    )
    store.close()


def test_a_refusal_after_the_erasure_does_not_store_the_address_again(any_store: str) -> None:
    store = open_store(any_store)
    store.erasure_key = b"k" * 32
    queued(store, ANNA)
    worker = ledger(store)
    [delivery] = worker.lease(1, NOW)
    worker.commit([], [delivery], NOW)
    assert personal_data.erase_subscriber(store, EmailAddress.parse(ANNA), now=NOW)
    refused = Verdict(DeliveryState.REJECTED, suppress=True, code=550, reason="unknown")
    worker.commit([(delivery, refused)], [], NOW)
    [suppression] = suppressions.all_suppressions(store)
    assert suppression.key.startswith("#")
    assert suppression.source is SuppressionSource.ERASURE
    store.close()


def test_an_erasure_keeps_reason_and_source_and_nothing_else(store: Store) -> None:
    store.erasure_key = b"k" * 32
    add(store, ANNA)
    complaint = Suppression(
        ANNA,
        "complaint",
        SuppressionSource.COMPLAINT,
        at=NOW,
        detail="abuse",
        issue=str(ISSUE),
        delivery=7,
    )
    with store.writing() as connection:
        assert suppressions.suppress(connection, complaint)
    later = NOW + timedelta(days=1)
    assert personal_data.erase_subscriber(store, EmailAddress.parse(ANNA), now=later)
    [suppression] = suppressions.all_suppressions(store)
    assert suppression.key == suppressions.hash_key(store, EmailAddress.parse(ANNA))
    assert (suppression.reason, suppression.source) == ("complaint", SuppressionSource.COMPLAINT)
    assert (suppression.detail, suppression.issue, suppression.delivery) == ("", "", None)


def test_lifting_returns_what_was_lifted_and_leaves_other_reasons(store: Store) -> None:
    suppressions.suppress_all(store, [ANNA], reason="complaint", now=NOW)
    suppressions.suppress_all(store, ["ben@example.org"], reason="unsubscribed", now=NOW)
    with store.writing() as connection:
        lifted = suppressions.lift(
            connection,
            [ANNA, "ben@example.org"],
            now=NOW,
            reasons=suppressions.LIFTED_BY_CONSENT,
        )
    assert [suppression.key for suppression in lifted] == ["ben@example.org"]
    assert [suppression.key for suppression in suppressions.all_suppressions(store)] == [ANNA]


def test_the_repr_of_a_suppression_holds_no_address() -> None:
    assert "anna" not in repr(Suppression(ANNA, "complaint", SuppressionSource.COMPLAINT, at=NOW))


def test_several_are_written_in_one_order_whatever_order_they_are_wanted_in(tmp_path: Path) -> None:
    """Else two transactions about the same addresses could each wait for the other."""
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    wanted = [
        Suppression(f"{name}@example.org", "hard bounce", SuppressionSource.BOUNCE, at=NOW)
        for name in ("carol", "anna", "bert")
    ]
    with store.writing() as connection:
        suppressions.suppress_several(connection, wanted)
        written = connection.exec_driver_sql("SELECT email_key FROM suppressions ORDER BY rowid")
        assert [row[0] for row in written] == [
            "anna@example.org", "bert@example.org", "carol@example.org"
        ]  # fmt: skip
    store.close()

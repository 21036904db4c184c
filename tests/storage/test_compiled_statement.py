from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.storage import ledger_sql as sql
from upcycle_news.storage.compiled_statement import CompiledStatement

NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
ROWS = st.fixed_dictionaries(
    {
        "row": st.integers(1, 9),
        "me": st.just(1),
        "attempt": st.integers(1, 3),
        "changed_at": st.sampled_from([NOW, NOW + timedelta(seconds=1)]),
    }
)


@pytest.mark.parametrize(
    "dialect", [sqlite.dialect(), postgresql.psycopg.dialect()], ids=["sqlite", "postgres"]
)
@given(rows=st.lists(ROWS, max_size=6))
def test_many_rows_get_the_parameters_that_each_gets_alone(
    dialect: Any, rows: list[dict[str, Any]]
) -> None:
    statement = CompiledStatement(sql.CLAIM_IF_ALLOWED, dialect)
    alone = [statement.parameters(row) for row in rows]
    assert [_plain(row) for row in statement.rows(rows)] == [_plain(row) for row in alone]


def _plain(parameters: Any) -> Any:
    return parameters if isinstance(parameters, dict) else list(parameters)

"""Write the migration from the schema of the last release to `storage/schema` as it is now.

    python tools/next_migration.py [a_few_words]

Migrations of the last release (.ci/previous-release.toml) are brought back as they were released, what follows them
is written anew as one file, and `HEAD` is set. Where nothing has changed there is no file. A step for data is added
to the file by hand, and the file is not written again then: with a line `# by hand` in it the tool refuses.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ROOT / "src/upcycle_news/storage/migrations/versions"
BASE = ROOT / "src/upcycle_news/storage/schema/base.py"
PREVIOUS = ROOT / ".ci/previous-release.toml"
BY_HAND = "# by hand"

TEMPLATE = '''\
"""{words}."""

import sqlalchemy as sa
from alembic import op

from upcycle_news.storage.schema.base import LongNumber, UtcDateTime

revision = "{revision}"
down_revision = "{released}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables of {version} forward."""
{steps}
'''


class MigrationError(Exception):
    """Why no migration can be written, as a sentence."""


def previous_release() -> dict[str, Any]:
    """Return version and commit of the last release, and the SHA-256 of each of its migrations."""
    return tomllib.loads(PREVIOUS.read_text(encoding="utf-8"))


def changed_migrations(released: dict[str, str]) -> list[str]:
    """Return the names of released migrations that are gone or not as they were released."""
    return [
        name
        for name, wanted in released.items()
        if not (VERSIONS / name).is_file()
        or hashlib.sha256((VERSIONS / name).read_bytes()).hexdigest() != wanted
    ]


def steps_to_schema(connection: Any, metadata: Any) -> str:
    """Return the body of `upgrade()` that brings the tables of `connection` to `metadata`; empty if they are equal.

    Raises `MigrationError` for a column that needs a value in the rows that are there and names none, and for
    a CHECK that is another one, which Alembic does not compare.
    """
    from alembic.autogenerate import produce_migrations, render_python_code
    from alembic.migration import MigrationContext

    _raise_for_other_checks(connection, metadata)
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    operations = produce_migrations(context, metadata).upgrade_ops
    if operations is None or operations.is_empty():
        return ""
    for operation in _each(operations):
        _give_rows_a_value(operation)
    code = render_python_code(
        operations, render_as_batch=True, render_item=_render_type, migration_context=context
    )
    kept = [line for line in code.splitlines() if not line.strip().startswith("# ###")]
    return textwrap.dedent("\n".join(kept)).strip()


def _each(operations: Any) -> Any:
    for operation in operations.ops:
        yield operation
        if hasattr(operation, "ops"):
            yield from _each(operation)


def _give_rows_a_value(operation: Any) -> None:
    """Let a new column that must have a value have its default in the database, where rows wait for one."""
    from alembic.operations.ops import AddColumnOp

    if not isinstance(operation, AddColumnOp):
        return
    column = operation.column
    if column.nullable or column.server_default is not None:
        return
    raise MigrationError(
        f"storage/schema: {operation.table_name}.{column.name} must have a value, and the rows of a store that is "
        "there have none: give it a server_default, or let it be NULL"
    )


def _raise_for_other_checks(connection: Any, metadata: Any) -> None:
    from sqlalchemy import create_engine, inspect

    with create_engine("sqlite://").begin() as fresh:
        metadata.create_all(fresh)
        there, wanted = inspect(connection), inspect(fresh)
        for table in sorted({*there.get_table_names()} & {*wanted.get_table_names()}):
            if _checks(there, table) != _checks(wanted, table):
                raise MigrationError(
                    f"storage/schema: a CHECK of {table} is another one: write that migration by hand, with "
                    f"op.batch_alter_table('{table}', copy_from=…), and the line '{BY_HAND}'"
                )


def _checks(inspector: Any, table: str) -> set[str]:
    return {" ".join(each["sqltext"].split()) for each in inspector.get_check_constraints(table)}


def _render_type(kind: str, item: Any, _context: Any) -> str | bool:
    """Return how a type of ours is named in a migration; False leaves it to Alembic."""
    from upcycle_news.storage.schema.base import LongNumber, UtcDateTime

    if kind == "type" and isinstance(item, UtcDateTime):
        return "UtcDateTime()"
    if kind == "type" and item is LongNumber:
        return "LongNumber"
    return False


def main(words: str) -> int:
    """Write the migration; returns 1 with a sentence when it cannot be written."""
    release = previous_release()
    released = max(release["migrations"])[:5]
    later = [path for path in VERSIONS.glob("v*.py") if path.name not in release["migrations"]]
    if kept := [path.name for path in later if BY_HAND in path.read_text(encoding="utf-8")]:
        print(f"{kept[0]} has steps by hand: add to it what is new", file=sys.stderr)
        return 1
    for name in changed_migrations(release["migrations"]):
        place = f"{release['commit']}:{(VERSIONS / name).relative_to(ROOT)}"
        show = subprocess.run(["git", "show", place], cwd=ROOT, capture_output=True, check=True)
        (VERSIONS / name).write_bytes(show.stdout)
    for path in later:
        path.unlink()
    try:
        steps = _steps_since(released)
    except MigrationError as error:
        print(error, file=sys.stderr)
        return 1
    head = f"v{int(released[1:]) + 1:04}" if steps else released
    if steps:
        path = VERSIONS / f"{head}_{words}.py"
        path.write_text(
            TEMPLATE.format(
                words=words.replace("_", " ").capitalize(),
                revision=head, released=released, version=release["version"],
                steps=textwrap.indent(steps, "    "),
            ),
            encoding="utf-8",
        )  # fmt: skip
        ruff = [sys.executable, "-m", "ruff"]
        subprocess.run([*ruff, "check", "--quiet", "--fix", str(path)], check=True)
        subprocess.run([*ruff, "format", "--quiet", str(path)], check=True)
        print(path.relative_to(ROOT))
    text = BASE.read_text(encoding="utf-8")
    BASE.write_text(re.sub(r'(?m)^HEAD = ".*"$', f'HEAD = "{head}"', text), encoding="utf-8")
    return 0


def _steps_since(released: str) -> str:
    from upcycle_news.storage.database import migrate, open_store
    from upcycle_news.storage.schema import metadata

    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/released.db", migrated=False)
        try:
            migrate(store, to=released)
            with store.reading() as connection:
                return steps_to_schema(connection, metadata)
        finally:
            store.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "changes_since_the_release"))

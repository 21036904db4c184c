"""Numbers that large lists outgrow become eight bytes long in Postgres; SQLite's always are."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Ten million readers of a weekly fill four bytes of `deliveries.id` in four years.
COLUMNS = (
    ("deliveries", "id"),
    ("bounces", "delivery_id"),
    ("quota_scopes", "count"),
    ("quota_marks", "number"),
)


def upgrade() -> None:
    """Bring the tables forward. Postgres writes the tables anew: with many rows, allow minutes."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, column in COLUMNS:
        op.alter_column(table, column, existing_type=sa.Integer(), type_=sa.BigInteger())
    op.execute("ALTER SEQUENCE deliveries_id_seq AS bigint")

"""Marks of feed items."""

import sqlalchemy as sa
from alembic import op

from upcycle_news.storage.schema.base import LongNumber

revision = "v0003"
down_revision = "v0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables of 0.2.0 forward."""
    op.create_table(
        "feed_item_marks",
        sa.Column("mark", LongNumber, autoincrement=False, nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["feed_items.id"],
            name=op.f("fk_feed_item_marks_item_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("mark", "item_id", name=op.f("pk_feed_item_marks")),
    )
    with op.batch_alter_table("feed_item_marks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_feed_item_marks_item_id"), ["item_id"], unique=False)

    with op.batch_alter_table("feed_bodies", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("marking", sa.String(length=64), server_default="", nullable=False)
        )

"""How relays answered."""

import sqlalchemy as sa
from alembic import op

from upcycle_news.storage.schema import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables forward."""
    op.create_table(
        "replies",
        sa.Column("issue_id", sa.String(length=16), nullable=False),
        sa.Column("relay", sa.String(length=64), nullable=False),
        sa.Column("sender_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("deferred", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.Column("slowest", sa.Float(), nullable=False),
        sa.Column("classes", sa.JSON(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name=op.f("fk_replies_issue_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("issue_id", "relay", "sender_id", name=op.f("pk_replies")),
    )

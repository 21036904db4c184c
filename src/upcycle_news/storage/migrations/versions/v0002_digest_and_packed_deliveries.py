"""Digest and packed deliveries."""

import sqlalchemy as sa
from alembic import op

from upcycle_news.storage.schema.base import LongNumber, UtcDateTime

revision = "v0002"
down_revision = "v0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables of 0.1.0 forward."""
    op.create_table(
        "digest_periods",
        sa.Column("start", sa.Date(), nullable=False),
        sa.Column("end", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("start", name=op.f("pk_digest_periods")),
        sa.UniqueConstraint("end", name=op.f("uq_digest_periods_end")),
    )
    op.create_table(
        "packed_deliveries",
        sa.Column("issue_id", sa.String(length=16), nullable=False),
        sa.Column("block", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("variant", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first_id", LongNumber, nullable=False),
        sa.Column("last_id", LongNumber, nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name=op.f("fk_packed_deliveries_issue_id")
        ),
        sa.PrimaryKeyConstraint(
            "issue_id", "block", "state", "variant", name=op.f("pk_packed_deliveries")
        ),
    )
    with op.batch_alter_table("packed_deliveries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_packed_deliveries_block"), ["block"], unique=False)

    op.create_table(
        "packed_issues",
        sa.Column("issue_id", sa.String(length=16), nullable=False),
        sa.Column("packed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name=op.f("fk_packed_issues_issue_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("issue_id", name=op.f("pk_packed_issues")),
    )
    op.create_table(
        "rhythms",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("rhythm", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_rhythms_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "from_day", name=op.f("pk_rhythms")),
    )
    with op.batch_alter_table("bounces", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bounces_kind"), ["kind"], unique=False)
        batch_op.create_index(batch_op.f("ix_bounces_received_at"), ["received_at"], unique=False)
        batch_op.create_index(
            "ix_bounces_with_report",
            ["received_at"],
            unique=False,
            sqlite_where=sa.text("raw IS NOT NULL"),
            postgresql_where=sa.text("raw IS NOT NULL"),
        )

    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("chosen_rhythm", sa.String(length=16), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_consents_confirmed_at"), ["confirmed_at"], unique=False
        )
        batch_op.create_index(
            "ix_consents_unconfirmed",
            ["given_at"],
            unique=False,
            sqlite_where=sa.text("confirmed_at IS NULL"),
            postgresql_where=sa.text("confirmed_at IS NULL"),
        )

    with op.batch_alter_table("issues", schema=None) as batch_op:
        batch_op.add_column(sa.Column("digest_day", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("left_for_digest", sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f("ix_issues_digest_day"), ["digest_day"], unique=False)

    with op.batch_alter_table("scheduled_runs", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("makes_digest", sa.Boolean(), server_default=sa.text("false"), nullable=False)
        )
        # by hand: Alembic does not compare primary keys
        batch_op.drop_constraint("pk_scheduled_runs", type_="primary")
        batch_op.create_primary_key("pk_scheduled_runs", ["scheduled_at", "makes_digest"])

    with op.batch_alter_table("unsubscribes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_unsubscribes_at"), ["at"], unique=False)

    with op.batch_alter_table("used_content", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_used_content_issue_id"), ["issue_id"], unique=False)

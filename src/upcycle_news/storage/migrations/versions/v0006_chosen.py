"""What readers chose for themselves is theirs: no list replaces it."""

import sqlalchemy as sa
from alembic import op

from upcycle_news.storage.schema import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables forward."""
    op.add_column("subscribers", sa.Column("chosen_at", UtcDateTime(), nullable=True))

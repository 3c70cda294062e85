"""The bot: what it is to do, which process runs it, what it remembers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "bots",
        sa.Column("bot_id", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("desired", sa.Text, nullable=False),
        sa.Column("config", sa.Text),
        sa.Column("holder", sa.Text),
        sa.Column("lease_until", sa.Text),
        sa.Column("started_at", sa.Text),
        sa.Column("last_cycle", sa.Text),
        sa.Column("state", sa.Text),
    )


def downgrade() -> None:
    op.drop_table("bots")

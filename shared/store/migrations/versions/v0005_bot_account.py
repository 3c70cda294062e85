"""Whose money the bot trades, at whose prices: what it remembers is true there alone."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("bots", sa.Column("account", sa.Text))


def downgrade() -> None:
    op.drop_column("bots", "account")

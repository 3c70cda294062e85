"""Windows and their ledgers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "windows",
        sa.Column("window_id", sa.Text, primary_key=True),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
    )
    op.create_table(
        "ledger",
        sa.Column("window_id", sa.Text, primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("instant", sa.Text, nullable=False),
        sa.Column("trade_day", sa.Text),
        sa.Column("symbol", sa.Text),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("key_endpoint", sa.Text),
        sa.Column("key_value", sa.Text),
        sa.Column("key_fingerprint", sa.Text),
        sa.Column("key_answer", sa.Text),
        sqlite_with_rowid=False,
    )
    for name, columns, unique, where in (
        ("ledger_key", ["window_id", "key_endpoint", "key_value"], True, "key_value IS NOT NULL"),
        ("ledger_trade_day", ["window_id", "trade_day", "sequence"], False, "trade_day IS NOT NULL"),
        ("ledger_symbol", ["window_id", "symbol", "sequence"], False, "symbol IS NOT NULL"),
    ):
        op.create_index(
            name, "ledger", columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
        )


def downgrade() -> None:
    op.drop_table("ledger")
    op.drop_table("windows")

"""The paper broker's accounts and orders."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "paper_accounts",
        sa.Column("account_id", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_table(
        "paper_orders",
        sa.Column("account_id", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("client_order_id", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("quantity", sa.Text, nullable=False),
        sa.Column("price", sa.Text),
        sa.Column("reduces", sa.Boolean, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("filled_quantity", sa.Text, nullable=False),
        sa.Column("average_price", sa.Text),
        sa.Column("fee", sa.Text, nullable=False),
        sa.Column("realized_pnl", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    for name, columns, unique in (
        ("paper_orders_client_order_id", ["account_id", "client_order_id"], True),
        ("paper_orders_status", ["account_id", "status", "number"], False),
        ("paper_orders_symbol", ["account_id", "symbol", "number"], False),
        ("paper_orders_symbol_status", ["account_id", "symbol", "status", "number"], False),
    ):
        op.create_index(name, "paper_orders", columns, unique=unique)


def downgrade() -> None:
    op.drop_table("paper_orders")
    op.drop_table("paper_accounts")

"""A trade that came of an order is found by that order's client order id: also one from before that was so."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_CONFIRMED = sa.text(
    "SELECT window_id, data FROM ledger WHERE kind = 'permit' AND data LIKE '%client_order_id%' "
    "AND data LIKE '%confirmed%'"
)
_TRADES = sa.text("SELECT window_id, sequence, id FROM ledger WHERE kind = 'trade' AND subject IS NULL")
_NAME = sa.text("UPDATE ledger SET subject = :name WHERE window_id = :window_id AND sequence = :sequence")


def upgrade() -> None:
    connection = op.get_bind()
    names = {}
    for window_id, data in connection.execute(_CONFIRMED):
        permit = json.loads(data)
        if permit["status"] == "confirmed" and "client_order_id" in permit:
            names[window_id, permit["trade_id"]] = permit["client_order_id"]
    named = [
        {"name": names[window_id, trade_id], "window_id": window_id, "sequence": sequence}
        for window_id, sequence, trade_id in connection.execute(_TRADES)
        if (window_id, trade_id) in names
    ]
    if named:
        connection.execute(_NAME, named)


def downgrade() -> None:
    op.execute("UPDATE ledger SET subject = NULL WHERE kind = 'trade'")

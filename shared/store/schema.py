"""The tables of the store. Imported by migrations and their tests only: it costs SQLAlchemy."""

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table, Text, text

metadata = MetaData()

windows = Table(
    "windows",
    metadata,
    Column("window_id", Text, primary_key=True),
    Column("config", Text, nullable=False, comment="JSON"),
    Column("state", Text, nullable=False, comment="JSON"),
    Column("version", Integer, nullable=False, comment="counts configs from 1"),
    Column("sequence", Integer, nullable=False, comment="of the newest ledger entry, 0 for none"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("window_id", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("instant", Text, nullable=False, comment="ISO 8601, UTC"),
    Column("trade_day", Text, comment="YYYY-MM-DD"),
    Column("symbol", Text),
    Column("data", Text, nullable=False, comment="JSON"),
    Column("key_endpoint", Text, comment="the idempotency key that made the entry, and what it was answered"),
    Column("key_value", Text),
    Column("key_fingerprint", Text),
    Column("key_answer", Text, comment="JSON"),
    Column(
        "subject", Text, comment="what the entry is one step of: a permit's id; of a trade, its order's client order id"
    ),
    sqlite_with_rowid=False,
)

_WITH_KEY = text("key_value IS NOT NULL")
_WITH_DAY = text("trade_day IS NOT NULL")
_WITH_SYMBOL = text("symbol IS NOT NULL")
_WITH_SUBJECT = text("subject IS NOT NULL")

Index(
    "ledger_key",
    ledger.c.window_id,
    ledger.c.key_endpoint,
    ledger.c.key_value,
    unique=True,
    sqlite_where=_WITH_KEY,
    postgresql_where=_WITH_KEY,
)
Index(
    "ledger_trade_day",
    ledger.c.window_id,
    ledger.c.trade_day,
    ledger.c.sequence,
    sqlite_where=_WITH_DAY,
    postgresql_where=_WITH_DAY,
)
Index(
    "ledger_symbol",
    ledger.c.window_id,
    ledger.c.symbol,
    ledger.c.sequence,
    sqlite_where=_WITH_SYMBOL,
    postgresql_where=_WITH_SYMBOL,
)
Index(
    "ledger_subject",
    ledger.c.window_id,
    ledger.c.subject,
    ledger.c.sequence,
    sqlite_where=_WITH_SUBJECT,
    postgresql_where=_WITH_SUBJECT,
)

paper_accounts = Table(
    "paper_accounts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("version", Integer, nullable=False, comment="counts changes from 1"),
    Column("state", Text, nullable=False, comment="JSON: money and holdings; the open orders are in their own rows"),
)

paper_orders = Table(
    "paper_orders",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="counts the account's orders from 1"),
    Column("client_order_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("quantity", Text, nullable=False, comment="a decimal, as are all amounts"),
    Column("price", Text),
    Column("reduces", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("filled_quantity", Text, nullable=False),
    Column("average_price", Text),
    Column("fee", Text, nullable=False),
    Column("realized_pnl", Text, nullable=False),
    Column("created_at", Text, nullable=False, comment="ISO 8601, UTC"),
    Column("updated_at", Text, nullable=False, comment="ISO 8601, UTC"),
    sqlite_with_rowid=False,
)

Index("paper_orders_client_order_id", paper_orders.c.account_id, paper_orders.c.client_order_id, unique=True)
Index("paper_orders_status", paper_orders.c.account_id, paper_orders.c.status, paper_orders.c.number)
Index("paper_orders_symbol", paper_orders.c.account_id, paper_orders.c.symbol, paper_orders.c.number)
Index(
    "paper_orders_symbol_status",
    paper_orders.c.account_id,
    paper_orders.c.symbol,
    paper_orders.c.status,
    paper_orders.c.number,
)

bots = Table(
    "bots",
    metadata,
    Column("bot_id", Text, primary_key=True),
    Column("version", Integer, nullable=False, comment="counts changes from 1"),
    Column("desired", Text, nullable=False, comment="running or stopped"),
    Column("config", Text, comment="JSON"),
    Column("holder", Text, comment="the process that runs it"),
    Column("lease_until", Text, comment="ISO 8601, UTC"),
    Column("started_at", Text, comment="ISO 8601, UTC"),
    Column("last_cycle", Text, comment="JSON"),
    Column("state", Text, comment="JSON: what the bot remembers"),
    Column("account", Text, comment="whose money it trades, at whose prices"),
)

"""What a ledger entry is one step of, such as a permit."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("ledger", sa.Column("subject", sa.Text))
    where = sa.text("subject IS NOT NULL")
    op.create_index(
        "ledger_subject",
        "ledger",
        ["window_id", "subject", "sequence"],
        sqlite_where=where,
        postgresql_where=where,
    )


def downgrade() -> None:
    op.drop_index("ledger_subject", "ledger")
    op.drop_column("ledger", "subject")

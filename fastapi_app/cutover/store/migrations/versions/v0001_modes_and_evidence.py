"""Endpoints with their modes, the log of changes, and the evidence."""

import sqlalchemy as sa
from alembic import op

revision = "cutover_0001"
down_revision = None


def upgrade() -> None:
    table_version = op.create_table(
        "table_version",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    )
    op.bulk_insert(table_version, [{"version": 0}])
    op.create_table(
        "endpoints",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("legacy", sa.Integer, nullable=False),
        sa.Column("native", sa.Integer, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("changes_endpoint", "changes", ["endpoint", "id"])
    op.create_table(
        "counts",
        sa.Column("endpoint", sa.Text, primary_key=True),
        sa.Column("mode", sa.Text, primary_key=True),
        sa.Column("outcome", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mismatches",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("mismatches_endpoint", "mismatches", ["endpoint", "mode"])


def downgrade() -> None:
    for table in ("mismatches", "counts", "changes", "endpoints", "table_version"):
        op.drop_table(table)

"""Questions a migration may ask before it acts, so that it can be run again after a half success.

While SQL is only printed (`alembic upgrade --sql`) there is no database to ask: nothing exists.
"""
from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def table_exists(table: str, schema: str | None = None) -> bool:
    inspector = _inspector()
    return inspector is not None and inspector.has_table(table, schema=schema)


def column_exists(table: str, column: str, schema: str | None = None) -> bool:
    if not table_exists(table, schema):
        return False
    return column in {found["name"] for found in _inspector().get_columns(table, schema=schema)}


def index_exists(table: str, index: str, schema: str | None = None) -> bool:
    if not table_exists(table, schema):
        return False
    return index in {found["name"] for found in _inspector().get_indexes(table, schema=schema)}


def _inspector():
    """A fresh one each time: an inspector remembers what it saw before the migration acted."""
    if op.get_context().as_sql:
        return None
    return sa.inspect(op.get_bind())

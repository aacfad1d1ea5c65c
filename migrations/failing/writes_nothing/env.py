"""An entry point with a mistake that is often made: it exits 0 and nothing was written.

The statement before `begin_transaction` starts a transaction of SQLAlchemy's own. Alembic finds it
and leaves the commit to whoever began it; nobody does, and closing the connection rolls it back.
"""
from alembic import context
from database_url import database_url
from sqlalchemy import create_engine, pool, text

engine = create_engine(database_url(), poolclass=pool.NullPool)
with engine.connect() as connection:
    connection.execute(text("SET search_path TO public"))
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

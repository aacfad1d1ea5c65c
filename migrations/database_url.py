"""Where the database is: one URL out of many sources, in a form Alembic can use.

DATABASE_URL wins; else it is put together from DB_HOST, DB_PORT, POSTGRES_DB, POSTGRES_USER and
POSTGRES_PASSWORD; else from defaults for a developer's machine.
"""
import importlib.util
import os

from sqlalchemy.engine import URL, make_url

DEFAULTS = {
    "DB_HOST": "localhost",
    "DB_PORT": "5432",
    "POSTGRES_DB": "app",
    "POSTGRES_USER": "app",
    "POSTGRES_PASSWORD": "",
}


def database_url() -> URL:
    given = os.environ.get("DATABASE_URL")
    return with_synchronous_driver(make_url(given) if given else url_from_components())


def url_from_components() -> URL:
    part = {name: os.environ.get(name, default) for name, default in DEFAULTS.items()}
    return URL.create(
        "postgresql+psycopg",
        username=part["POSTGRES_USER"],
        password=part["POSTGRES_PASSWORD"] or None,
        host=part["DB_HOST"],
        port=int(part["DB_PORT"]),
        database=part["POSTGRES_DB"],
    )


def with_synchronous_driver(url: URL) -> URL:
    """Alembic cannot use an asynchronous driver, and not every image holds psycopg2."""
    if url.drivername == "postgres":
        url = url.set(drivername="postgresql")
    if url.drivername == "postgresql+asyncpg":
        query = dict(url.query)
        if "ssl" in query:
            query["sslmode"] = query.pop("ssl")
        url = url.set(drivername="postgresql", query=query)
    if url.drivername == "postgresql":
        psycopg = is_installed("psycopg") and not is_installed("psycopg2")
        url = url.set(drivername="postgresql+psycopg" if psycopg else "postgresql+psycopg2")
    return url


def is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None

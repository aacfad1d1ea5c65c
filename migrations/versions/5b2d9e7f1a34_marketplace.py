"""ten marketplace tables

What people watch, sell and order. The enum is made by raw SQL, as such things are in the field.
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "5b2d9e7f1a34"
down_revision = "3c4e4feca860"
branch_labels = None
depends_on = None

STATUS = postgresql.ENUM("draft", "listed", "sold", "removed", name="listing_status", create_type=False)
MONEY = sa.Numeric(12, 2)


def key() -> sa.Column:
    return sa.Column("id", sa.Integer, primary_key=True)


def reference(column: str, target: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(column, sa.Integer, sa.ForeignKey(target), nullable=nullable)


def moment(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def upgrade() -> None:
    op.execute("CREATE TYPE listing_status AS ENUM ('draft', 'listed', 'sold', 'removed')")
    create_listings()
    create_preferences()
    create_selling()
    op.create_table(
        "snap_jobs",
        key(),
        reference("user_id", "users.id"),
        sa.Column("images", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("result", postgresql.JSONB),
        moment("created_at"),
    )


def create_listings() -> None:
    op.create_table(
        "listings",
        key(),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("price", MONEY, nullable=False),
        sa.Column("status", STATUS, nullable=False, server_default="draft"),
        sa.Column("details", postgresql.JSONB, nullable=False, server_default=sa.text("'{}'")),
        moment("created_at"),
        sa.CheckConstraint("price >= 0", name="ck_listings_price"),
    )
    op.create_index("ix_listings_status_created_at", "listings", ["status", sa.text("created_at DESC")])
    op.create_table(
        "listing_scores",
        key(),
        reference("listing_id", "listings.id"),
        sa.Column("score", sa.Float, nullable=False),
    )
    op.create_table(
        "comps",
        key(),
        reference("listing_id", "listings.id"),
        sa.Column("source", sa.String(40), nullable=False),
        sa.Column("price", MONEY),
    )


def create_preferences() -> None:
    op.create_table(
        "user_prefs",
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("settings", postgresql.JSONB, nullable=False, server_default=sa.text("'{}'")),
    )
    op.create_table(
        "notifications",
        key(),
        reference("user_id", "users.id"),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True)),
    )
    op.create_index(
        "ix_notifications_unread", "notifications", ["user_id"], postgresql_where=sa.text("read_at IS NULL")
    )


def create_selling() -> None:
    op.create_table(
        "my_items",
        key(),
        reference("user_id", "users.id"),
        reference("listing_id", "listings.id", nullable=True),
        sa.Column("cost", MONEY),
    )
    op.create_table(
        "marketplace_accounts",
        key(),
        reference("user_id", "users.id"),
        sa.Column("marketplace", sa.String(40), nullable=False),
        sa.Column("handle", sa.String(80), nullable=False),
        sa.UniqueConstraint("marketplace", "handle"),
    )
    op.create_table(
        "cross_posts",
        key(),
        reference("my_item_id", "my_items.id"),
        reference("account_id", "marketplace_accounts.id"),
        sa.Column("status", STATUS, nullable=False),
    )
    op.create_table(
        "orders",
        key(),
        reference("listing_id", "listings.id", nullable=True),
        reference("buyer_id", "users.id"),
        sa.Column("total", MONEY, nullable=False),
        moment("ordered_at"),
    )


TABLES = (
    "snap_jobs orders cross_posts marketplace_accounts my_items notifications user_prefs comps listing_scores listings"
)


def downgrade() -> None:
    for table in TABLES.split():
        op.drop_table(table)
    op.execute("DROP TYPE listing_status")

"""full text search over listings

An index made CONCURRENTLY needs autocommit_block, and that commits what came before it. The
migration then fails: the column, the changed rows, a dropped column and the index stay behind,
and the next attempt meets `column "search" already exists`.
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "search_half_committed"
down_revision = "add_sqs_metadata"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("listings", sa.Column("search", postgresql.TSVECTOR))
    op.execute("UPDATE listings SET search = to_tsvector('simple', title), title = upper(title)")
    op.execute("DELETE FROM notifications WHERE read_at IS NOT NULL")
    op.drop_column("my_items", "cost")
    op.create_table("search_terms", sa.Column("term", sa.Text, primary_key=True))
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_listings_search", "listings", ["search"], postgresql_using="gin", postgresql_concurrently=True
        )
    op.execute("INSERT INTO orders (listing_id, buyer_id, total) VALUES (NULL, -1, 0)")


def downgrade() -> None:
    op.drop_index("ix_listings_search", "listings")
    op.drop_table("search_terms")
    op.add_column("my_items", sa.Column("cost", sa.Numeric(12, 2)))
    op.drop_column("listings", "search")

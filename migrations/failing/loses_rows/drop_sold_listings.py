"""sold listings are dropped

Meant to save space; it takes away what orders refer to. Alembic is content and so is PostgreSQL:
only checks/orders_know_their_listing.sql sees it.
"""
from alembic import op

revision = "drop_sold_listings"
down_revision = "add_sqs_metadata"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sold = "(SELECT id FROM listings WHERE status = 'sold')"
    op.execute(f"UPDATE orders SET listing_id = NULL WHERE listing_id IN {sold}")
    op.execute(f"UPDATE my_items SET listing_id = NULL WHERE listing_id IN {sold}")
    op.execute(f"DELETE FROM comps WHERE listing_id IN {sold}")
    op.execute(f"DELETE FROM listing_scores WHERE listing_id IN {sold}")
    op.execute("DELETE FROM listings WHERE status = 'sold'")


def downgrade() -> None:
    """The rows are gone: there is no way back from here."""

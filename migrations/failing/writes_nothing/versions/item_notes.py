"""notes on items: a good migration, run by an env.py that forgets to commit"""
import sqlalchemy as sa
from alembic import op

revision = "item_notes"
down_revision = "add_sqs_metadata"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("my_items", sa.Column("notes", sa.Text))


def downgrade() -> None:
    op.drop_column("my_items", "notes")

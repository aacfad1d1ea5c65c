"""orders get a tax rate

Everything stands in one transaction, and its last statement fails: PostgreSQL undoes all of it.
"""
import sqlalchemy as sa
from alembic import op

revision = "tax_rate_in_transaction"
down_revision = "add_sqs_metadata"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("tax_rate", sa.Numeric(5, 4)))
    op.execute("UPDATE orders SET tax_rate = 0.19")
    op.create_table("tax_rates", sa.Column("country", sa.String(2), primary_key=True))
    op.create_check_constraint("ck_orders_tax_rate", "orders", "tax_rate < 0.19")


def downgrade() -> None:
    op.drop_table("tax_rates")
    op.drop_column("orders", "tax_rate")

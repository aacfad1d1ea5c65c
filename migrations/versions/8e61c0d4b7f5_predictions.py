"""predictions

Results of a model, one row per upload; the user is a bare number for now.
"""
import sqlalchemy as sa
from alembic import op

revision = "8e61c0d4b7f5"
down_revision = "5b2d9e7f1a34"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "predictions",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("status", sa.String(20), nullable=False, server_default="QUEUED"),
        sa.Column("churn_score", sa.Float),
        sa.Column("rows_processed", sa.Integer),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("churn_score BETWEEN 0 AND 1", name="ck_predictions_churn_score"),
    )


def downgrade() -> None:
    op.drop_table("predictions")

"""two queue columns on predictions

When a prediction was queued, and under which message; old rows have neither.
"""
import sqlalchemy as sa
from alembic import op
from schema_helpers import column_exists

revision = "add_sqs_metadata"
down_revision = "add_user_fk_constraint"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if not column_exists("predictions", "sqs_message_id"):
        op.add_column("predictions", sa.Column("sqs_message_id", sa.String(255)))
    if not column_exists("predictions", "sqs_queued_at"):
        op.add_column("predictions", sa.Column("sqs_queued_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("predictions", "sqs_queued_at")
    op.drop_column("predictions", "sqs_message_id")

"""predictions belong to users"""
from alembic import op

revision = "add_user_fk_constraint"
down_revision = "8e61c0d4b7f5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_foreign_key("fk_predictions_user_id", "predictions", "users", ["user_id"], ["id"])


def downgrade() -> None:
    op.drop_constraint("fk_predictions_user_id", "predictions", type_="foreignkey")

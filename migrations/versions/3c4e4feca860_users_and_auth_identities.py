"""users and auth identities

The first deployment: people, and the ways they sign in.
"""
import sqlalchemy as sa
from alembic import op
from schema_helpers import table_exists

revision = "3c4e4feca860"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    if not table_exists("users"):
        op.create_table(
            "users",
            sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
            sa.Column("email", sa.String(255), nullable=False, unique=True),
            sa.Column("display_name", sa.Text),
            sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
            sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        )
    if not table_exists("auth_identities"):
        op.create_table(
            "auth_identities",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
            sa.Column("provider", sa.String(50), nullable=False),
            sa.Column("subject", sa.String(255), nullable=False),
            sa.Column("profile", sa.JSON),
            sa.UniqueConstraint("provider", "subject", name="uq_auth_identities_provider_subject"),
        )
        op.create_index("ix_auth_identities_user_id", "auth_identities", ["user_id"])


def downgrade() -> None:
    op.drop_table("auth_identities")
    op.drop_table("users")

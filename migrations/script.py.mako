"""${message}

Revision: ${up_revision}, follows ${down_revision | comma,n}
Created: ${create_date}
"""
import sqlalchemy as sa
from alembic import op
from schema_helpers import column_exists, index_exists, table_exists
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


# Ask before acting where a half success is possible:
#     if not column_exists("predictions", "queued_at"):
#         op.add_column("predictions", sa.Column("queued_at", sa.DateTime(timezone=True)))


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}

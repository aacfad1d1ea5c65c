"""What the real Alembic says about script folders: heads, plans and version rows.

Reads a JSON list of {"directory", "cases": [{"verb", "target", "from"}]} from standard input and
answers in the same shape. "from" is the index of an earlier case whose version rows are the
starting point, or -1 for an empty version table. Used by tests/it/migrate_alembic.rs.
"""

import json
import sys
import types
import warnings

from alembic.config import Config
from alembic.runtime.migration import HeadMaintainer
from alembic.script import ScriptDirectory
from sqlalchemy import Column, MetaData, String, Table

VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32)))


def maintainer(rows):
    context = types.SimpleNamespace(
        impl=types.SimpleNamespace(_exec=lambda *_: None), _version=VERSION, as_sql=True
    )
    return HeadMaintainer(context, rows)


def answer_case(script, case, rows):
    try:
        plan = script._upgrade_revs if case["verb"] == "upgrade" else script._downgrade_revs
        steps = list(plan(case["target"], tuple(rows)))
        keeper = maintainer(rows)
        for step in steps:
            keeper.update_to_step(step)
        order = [step.revision.revision for step in steps]
        return {"current": rows, "order": order, "rows": sorted(keeper.heads)}
    except Exception as error:  # whatever it is, alembic would fail
        return {"current": rows, "error": f"{type(error).__name__}: {error}"}


def answer(request):
    config = Config()
    config.set_main_option("script_location", request["directory"])
    script = ScriptDirectory.from_config(config)
    try:
        heads = sorted(script.get_heads())
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", "cases": []}
    answers = []
    for case in request["cases"]:
        start = answers[case["from"]] if case["from"] >= 0 else {}
        answers.append(answer_case(script, case, start.get("rows", [])))
    return {"heads": heads, "cases": answers}


warnings.simplefilter("ignore")
json.dump([answer(request) for request in json.load(sys.stdin)], sys.stdout)

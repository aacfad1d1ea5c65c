"""Runs a command and prints what it took as JSON: seconds, its processor's seconds, peak resident
megabytes, exit code.

timed.py COMMAND...    (its own output goes to stderr)
"""
import json
import os
import sys
import time

started = time.monotonic()
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, usage = os.wait4(process, 0)
unit = 1 if sys.platform == "darwin" else 1024
took = {
    "seconds": round(time.monotonic() - started, 4),
    "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
    "peak_mb": round(usage.ru_maxrss * unit / 1e6, 1),
    "exit_code": os.waitstatus_to_exitcode(status),
}
print(json.dumps(took))

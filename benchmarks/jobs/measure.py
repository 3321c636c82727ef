"""Run a command, write its cost to a report, and exit with its status.

Arguments: REPORT COMMAND... This is a small process of its own, because on Linux the largest
resident set of a process is never less than that of the process which started it.
"""

import json
import os
import sys
import time

start = time.perf_counter()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
cost = {
    "wall": time.perf_counter() - start,
    "cpu": usage.ru_utime + usage.ru_stime,
    "peak": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
}
with open(sys.argv[1], "w") as report:  # noqa: PTH123  # Importing pathlib takes memory.
    json.dump(cost, report)
sys.exit(os.waitstatus_to_exitcode(status))

"""Run a command and write what it used to a file.

It is a process of its own because a program is charged with the memory of the process that starts
it: this one is small.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main() -> int:
    """Run it: the first argument is the file, the others are the command.

    Returns:
        The command's exit status. The file has the user and system seconds, `cpu`, and the largest
        resident size in bytes, `peak`.
    """
    path, *command = sys.argv[1:]
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    # In bytes on macOS, in KiB elsewhere.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    cpu = usage.ru_utime + usage.ru_stime
    Path(path).write_text(json.dumps({"cpu": cpu, "peak": peak}), encoding="utf-8")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())

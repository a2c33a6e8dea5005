"""Known vulnerabilities of the packages in uv.lock. Standard library only, as set-up is.

The advisories are asked for over the network. Where they cannot be reached nothing was checked, which is said as loudly
as it can be; it does not fail, as a builder without a network could not do anything about it.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_FOUND, _FAILED = 1, 2
_UNREACHABLE = "error sending request"
_WARNING = """
************************************************************************
 NOTHING WAS AUDITED: the advisories cannot be reached from here.
 The packages of uv.lock may have known vulnerabilities. Run `make audit`
 where there is a network.
************************************************************************
"""


def run(uv: Path, root: Path, options: Sequence[str] = ()) -> int:
    """Ask about every package of the lock, those of the extras and of developers too; the exit status to end with."""
    command = [str(uv), "audit", "--frozen", "--preview-features", "audit-command", "--project", str(root), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if done.returncode == _FAILED and _UNREACHABLE in done.stderr:
        sys.stderr.write(_WARNING)
        return 0
    if done.returncode == _FOUND:
        sys.stderr.write("audit: raise the versions in pyproject.toml where a fix is out, then `make lock`\n")
    return done.returncode

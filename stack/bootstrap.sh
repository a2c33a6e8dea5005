#!/bin/sh
# Finds a Python that fits and hands over to stack/bootstrap.py; the only part of set-up that cannot be Python.
for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
    exec "$candidate" -m stack.bootstrap "$@"
  fi
done
cat >&2 <<END
sensorlake: Python 3.11, 3.12 or 3.13 is not installed (python3 here: $(python3 --version 2>&1 || true)).
  Debian 12+, Ubuntu 24.04+:  apt install python3 python3-venv
  elsewhere:                  install one beside the system's and run: PYTHON=/path/to/python3.12 make setup
END
exit 1

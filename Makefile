# Everything a developer runs. `make setup` is the only target that fetches or compiles; the others call it first.
.PHONY: setup demo test test-long faults lint types lock

setup:
	@sh stack/bootstrap.sh

demo: setup
	@.venv/bin/sensorlake demo

test: setup
	@.venv/bin/pytest

# Minutes long, so not part of `make test`: a day of work from end to end, and servers and runs killed in the middle.
test-long: setup
	@.venv/bin/pytest tests/daily tests/faults

faults: setup
	@.venv/bin/pytest tests/faults

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: setup
	@.venv/bin/mypy

# Resolves every version anew: look at the difference before you commit it.
lock: setup
	@sh stack/bootstrap.sh --lock

# Everything a developer runs. `make setup` is the only target that fetches or compiles; the others call it first.
.PHONY: setup demo test faults bench lint types lock audit sbom

setup:
	@sh stack/bootstrap.sh

demo: setup
	@.venv/bin/sensorlake demo

test: setup
	@.venv/bin/pytest

# An hour long, so only a few of them are part of `make test`: servers, streams and runs killed in the middle. Each tells
# what it did and what came of it.
faults: setup
	@.venv/bin/pytest tests/faults -m "" -s

# Ten minutes or so, on stacks of its own; `sensorlake bench --help` lists all, docs/performance.md says what each means.
bench: setup
	@.venv/bin/sensorlake bench ratio
	@.venv/bin/sensorlake bench latency --rate 1000,10000 --seconds 60 --warmup 60
	@.venv/bin/sensorlake bench catch-up --backlog 600000

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: setup
	@.venv/bin/mypy

# Known vulnerabilities of what uv.lock pins. Without a network it says loudly that nothing was checked, and passes.
audit:
	@sh stack/bootstrap.sh --audit

# What sensorlake is made of, as CycloneDX: dist/sensorlake.cdx.json.
sbom:
	@sh stack/bootstrap.sh --sbom

# Resolves every version anew: look at the difference before you commit it.
lock: setup
	@sh stack/bootstrap.sh --lock

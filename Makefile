# The commands of this checkout.  Each does all the set-up it needs, and little when there is nothing to do.
#
#   make run     start the daemon here, on the test driver, and say how to reach it
#   make test    formatting, lint, types and all tests; the last line counts them
#   make bench   compare speed with libvirtd on this machine
#   make clean   remove what the others made

PYTHON ?= python3
export PYTHON

.PHONY: run test bench clean

run:
	@tools/setup run
	@exec .venv/bin/python tools/run.py

test:
	@tools/setup test || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
	@exec .venv/bin/python tools/check.py

bench:
	@tools/setup test
	@exec .venv/bin/python -m benchmarks

clean:
	rm -rf .venv .run build dist _trial_temp* .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

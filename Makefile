# One command for each thing to do; each sets up what it needs, in .venv, on a machine that has Python 3.11 or newer and make.

export PATH := $(CURDIR)/.venv/bin:$(PATH):$(CURDIR)/.venv/engines/bin
MAKEFLAGS += --no-print-directory
ENGINES := tools/engines.sh .venv/engines

.PHONY: help demo test lint bench docs clean

help:
	@echo 'make demo                 a real stack, watched: PostgreSQL, Odoo data, Prometheus, Alertmanager; Ctrl-C ends it'
	@echo 'make demo SCENARIO=NAME   the same with a fault: from the fault to the page to its end (closewatch demo --list)'
	@echo 'make test                 all checks and tests, as CI runs them'
	@echo 'make lint                 the checks that need no server'
	@echo 'make bench                cost of a scrape, a long queue, 500 databases, restores: 20 minutes, 10 GB of disk'
	@echo 'make docs                 writes docs/reference and the dashboards from the code'
	@echo 'make clean                removes .venv and caches'

demo: .venv/.demo
	@$(ENGINES) monitoring pgbouncer
	@closewatch demo $(if $(SCENARIO),--scenario '$(SCENARIO)')

test: .venv/.test
	@$(ENGINES) monitoring postgresql redis pgbouncer pgbackrest barman barman_cloud restic age curl jq
	@tools/check.sh lint tests

lint: .venv/.test
	@$(ENGINES) monitoring
	@tools/check.sh lint

bench: .venv/.test
	@$(ENGINES) monitoring postgresql redis pgbackrest postgres_exporter redis_exporter blackbox_exporter
	@failed=0; for one in exporters queue redis certificates restores scale; do \
		echo "--- bench.$$one"; python -m bench.$$one || failed=1; \
	done; exit $$failed

docs: .venv/.test
	@python -m tools.reference
	@python -m dashboards.build

clean:
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.%: pyproject.toml
	@tools/environment.sh $*

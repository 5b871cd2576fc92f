# make study   build the environment and run a study: the miniature, or STUDY=name DATA=folder
# make test    the same environment, and every check

STUDY ?= config
DATA ?=
BIN := .venv/bin

.PHONY: study test lint pins clean

# Checked beforehand, since Snakemake says little of a file that it cannot read.
study: .venv/installed
	@$(BIN)/multirm check-study 'config/$(STUDY).yaml'
	$(BIN)/snakemake --profile workflow/profiles/local --cores all \
		--configfile 'config/$(STUDY).yaml' $(if $(DATA),--config 'data=$(DATA)') -- all

test: .venv/installed lint
	$(BIN)/pytest

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

# Written last, so that an interrupted installation is taken up again.
.venv/installed: pyproject.toml envs/constraints.txt
	python3 -m venv .venv
	$(BIN)/pip install --quiet --constraint envs/constraints.txt --editable '.[dev]'
	touch $@

# Pin what .venv holds, for make and for the environments of jobs.
pins: .venv/installed
	$(BIN)/python envs/pin.py

clean:
	rm -rf .venv .snakemake

# make         build the environment
# make study   build the environment and run a study: the miniature, or STUDY=name DATA=folder
# make test    the same environment, and every check
# make vllm    an environment for studies that say `engine: vllm`, on machines without a GPU

STUDY ?= config
DATA ?=
BIN := .venv/bin
# A link is somebody's environment, and nothing is installed into it.
ENVIRONMENT := $(if $(shell test -L .venv && echo link),,.venv/installed)
VLLM := $(if $(shell test -L .venv-vllm && echo link),,.venv-vllm/installed)

.PHONY: install study test lint vllm pins clean

install: $(ENVIRONMENT)

# Checked beforehand, since Snakemake says little of a file that it cannot read.
study: $(ENVIRONMENT)
	@$(BIN)/multirm check-study 'config/$(STUDY).yaml' $(if $(DATA),--data '$(DATA)')
	$(BIN)/snakemake --profile workflow/profiles/local --cores all \
		--configfile 'config/$(STUDY).yaml' $(if $(DATA),--config 'data=$(DATA)') -- all

# Whole studies run beside the rest: they wait a lot, and would take as long again.
WHOLE := tests/cluster tests/faults tests/workflow
test: $(ENVIRONMENT) $(VLLM) lint
	@whole=$$(mktemp); $(BIN)/pytest $(WHOLE) > "$$whole" 2>&1 & \
	$(BIN)/pytest $(WHOLE:%=--ignore=%); rest=$$?; \
	wait $$!; studies=$$?; cat "$$whole"; rm "$$whole"; \
	exit $$(( rest + studies ))

lint: $(ENVIRONMENT)
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

vllm: $(VLLM)

# The list is whole, and pip adds nothing to it: of what vLLM asks for, some packages come only in builds
# for GPUs, beside which transformers cannot be imported.
.venv-vllm/installed: envs/vllm-constraints.txt
	python3 -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet --no-deps --requirement $< --editable .
	touch $@

# Pin what the environments hold, for make and for the environments of jobs.
pins: $(ENVIRONMENT) $(VLLM)
	$(BIN)/python envs/pin.py
	.venv-vllm/bin/python envs/pin.py vllm

clean:
	rm -rf .venv .venv-vllm .snakemake

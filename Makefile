# make demo   watch AURELIA answer a question about a clip, without any key (installs 1.1 GB into .venv)
# make demo-learned  the same with a small learned model as target (0.9 GB more: PyTorch for processors)
# make check  lint, types, the import law, unit and graph tests: a minute and a half on two cores
# make test   all checks and all tests; make test-programs  only those that need chromium or PostgreSQL
# make docs   the documentation as pages in build/site; a dead link or anchor fails
# make live   the tests that need your keys, weights or server; each says what it lacks (tests/live/README.md)
# make pictures  the pictures, the notebook's outputs and the table of settings in docs, from real runs (needs chromium and its driver)
# make bench  the benchmarks, each as a ratio to a named baseline
# make attack  hostile clips, paths, text, failing providers and machines, each figure with its bound
# make effect  the studies of the mini world at small size: what the loop does for a learned model, and what training does
# make lock   renew requirements.lock; make audit  look every locked dependency up among the known faults
# make constraints  renew constraints.txt from the newest versions that pyproject.toml admits

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_READY := $(VENV)/.demo-ready
LEARNED_READY := $(VENV)/.learned-ready
CPU_TORCH := https://download.pytorch.org/whl/cpu
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
DEMO := build/demo
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: demo demo-learned docs lint check test test-programs effect live bench attack lock audit pictures constraints clean

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(READY): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[dev]'
	touch $@

$(DEMO_READY): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing what the demo runs into $(VENV): 1.1 GB. make test needs more."
	@$(PIP) --editable '.[senses]'
	@touch $@

# On Linux the usual torch brings CUDA; PyTorch's own index has builds for processors. Elsewhere the usual one is small.
$(LEARNED_READY): $(DEMO_READY)
	@echo "Adding what the learned model needs: 0.9 GB."
	@if [ "$$(uname -s)" = Linux ]; then $(PIP) --index-url $(CPU_TORCH) torch \
	  || echo "$(CPU_TORCH) cannot be reached: the usual torch is installed, which is large."; fi
	@$(PIP) --editable '.[local]'
	@touch $@

# An environment that has everything has what a demo runs.
demo: $(if $(wildcard $(READY)),,$(DEMO_READY))
	@AURELIA_HOME=$(DEMO)/home $(BIN)/python -m aurelia_offline.demo $(DEMO)

demo-learned: $(if $(wildcard $(READY)),,$(LEARNED_READY))
	@AURELIA_HOME=$(DEMO)/home $(BIN)/python -m aurelia_offline.demo $(DEMO) --learned

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

check: lint
	$(BIN)/pytest tests/unit tests/graph -m 'not slow' --numprocesses auto --dist worksteal

docs: $(READY)
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet

test: lint docs
	$(BIN)/pytest --numprocesses auto --dist loadfile

test-programs: $(READY)
	$(BIN)/pytest -m 'browser or database' --numprocesses auto --dist loadfile

live: $(READY)
	$(BIN)/pytest tests/live --run-live

bench: $(READY)
	$(BIN)/python -m benchmarks.run

effect: $(READY)
	$(BIN)/python -m aurelia mini study --out build/effect --questions 100 --controlled 60 --ablated 24 \
	  --reliant 24 --mixed 12
	$(BIN)/python -m aurelia mini recovery --out build/effect --clips 6
	$(BIN)/python -m aurelia mini learn --out build/effect/learn --questions 60 --others 10 --trained 120 --seeds 1 \
	  --curve 40 --noise 0.3 --graph 12

attack: $(READY)
	$(BIN)/python -m benchmarks.attack.run

pictures: $(READY)
	$(BIN)/python -m tests.docs.pictures

lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	echo 'torch ; python_version < "3"' > build/lock/apart.txt
	build/lock/bin/uv pip compile --quiet pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --constraint constraints.txt --override build/lock/apart.txt --no-header --no-annotate --output-file build/lock/body
	{ echo "# Every dependency with the hashes of its files, for all platforms and Python 3.11 to 3.13; renewed by: make lock"; \
	  echo "# torch is left out, because its build depends on the machine: install one first."; \
	  cat build/lock/body; } > requirements.lock

audit:
	$(PYTHON) -m venv build/audit
	build/audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3'
	$(PYTHON) .ci/audit build/audit/bin/pip-audit

constraints:
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	{ echo "# Versions that were tested together; renewed by: make constraints"; \
	  build/constraints/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > constraints.txt

clean:
	rm -rf build $(VENV)

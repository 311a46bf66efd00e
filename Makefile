# Everything runs in a virtual environment of its own; nothing is installed anywhere else.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
LOWEST := $(VENV)-lowest
PYTHONS := 3.12 3.13 3.14
CORE := tests/unit tests/integration/test_main_job.py tests/integration/test_watching.py \
	--deselect tests/unit/test_report_html.py -k 'not test_ab_ and not test_deploy and not test_benchmarks and not test_server_process'

QUICK := tests/unit $(wildcard tests/test_*.py) tests/integration/test_main_job.py tests/integration/test_names.py

# On a busy machine a test can fail for want of time: what failed runs once more, alone, and must fail there too.
define pytest
$(or $(2),$(BIN))/pytest $(1) || { [ $$? = 1 ] && echo "Once more, alone:" && $(or $(2),$(BIN))/pytest --last-failed $(1) -n 0; }
endef

.PHONY: demo test integration truth lowest pythons matrix fuzz simulation lint types docs bench mutants clean

demo: $(VENV)/.demo  ## Load the embedded chat server for 20 seconds
	$(BIN)/locust -f locustfiles/chat.py --headless --only-summary -u 50 -r 50 -t 20s --ws-build demo

test: $(VENV)/.dev  ## The quick tests, a few minutes
	$(call pytest,$(QUICK))

integration: $(VENV)/.dev  ## All other tests with real servers, browsers and brokers; they mostly wait, so six at a time
	$(call pytest,-n 6 tests --ignore tests/truth $(QUICK:%=--ignore %))

truth: $(VENV)/.dev  ## Figures held to a known truth, by themselves
	$(call pytest,-n 0 tests/truth)

lowest: $(LOWEST)/.test  ## The core's tests with the lowest versions that pyproject.toml allows, two or three minutes
	export WSLOAD_EXAMPLES=10; $(call pytest,$(CORE),$(LOWEST)/bin)

pythons: $(PYTHONS:%=$(VENV)-%/.test)  ## The core's tests and the hot path with each other Python on the PATH or in pyenv
	@export WSLOAD_EXAMPLES=10; failed=; for each in $(PYTHONS); do \
		[ -e $(VENV)-$$each/.test ] || continue; echo "Python $$each:"; \
		$(call pytest,$(CORE),$(VENV)-$$each/bin) || failed="$$failed $$each"; \
		$(VENV)-$$each/bin/python -m benchmarks.hot_path --check || failed="$$failed $$each"; \
	done; [ -z "$$failed" ] || { echo "Failed with Python$$failed"; false; }

matrix: $(VENV)/.dev  ## The truth matrix: user classes, workloads, server behaviours
	WSLOAD_MATRIX=1 $(BIN)/pytest -n 0 tests/truth/test_matrix.py

simulation: $(VENV)/.dev  ## The search for a capacity against thousands of simulated servers
	WSLOAD_SIMULATION=1 $(BIN)/pytest -n 0 tests/truth/test_capacity_simulation.py

lint: $(VENV)/.dev  ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## Types
	$(BIN)/mypy
	$(BIN)/mypy locustfiles

docs: $(VENV)/.dev  ## The documentation, into docs/_build/html
	LOCUST_SKIP_MONKEY_PATCH=1 $(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/.bench  ## wsload beside the others, about 14 minutes
	$(BIN)/python -m benchmarks

fuzz: $(VENV)/.dev  ## Whatever bytes come in: each target for a minute; more by SECONDS=
	cd tests && PYTHONPATH=.:.. $(abspath $(BIN))/python -m fuzz --seconds $(or $(SECONDS),60)

mutants: $(VENV)/.mutants  ## Which changes of the measuring and judging code no test notices, about an hour
	WSLOAD_EXAMPLES=20 $(BIN)/mutmut run
	$(BIN)/mutmut results

clean:
	rm -rf $(VENV) $(LOWEST) $(PYTHONS:%=$(VENV)-%) mutants

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.mutants: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[mutants]'
	@touch $@

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@

$(LOWEST)/.test: pyproject.toml .ci/lowest.py
	$(PYTHON) -m venv --clear $(LOWEST)
	$(PYTHON) .ci/lowest.py >$(LOWEST)/lowest.txt
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check -c $(LOWEST)/lowest.txt -e '.[test]'
	@touch $@

$(VENV)-3.%/.test: pyproject.toml
	@for python in python3.$* "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.$*.*/bin/python; do \
		"$$python" -c '' 2>/dev/null && break; python=; \
	done; if [ -n "$$python" ]; then \
		"$$python" -m venv --clear $(VENV)-3.$* && \
		$(VENV)-3.$*/bin/pip install --quiet --disable-pip-version-check -e '.[test]' && touch $@; \
	else echo "Python 3.$*: skipped, neither on the PATH nor in pyenv"; fi

# `make tutorial` runs the series, `make test` proves it, `make lab` opens it, and
# `make outputs` refreshes the stored outputs.

PYTHON ?= python3
PROFILE ?= sample
VENV := .venv
INSTALLED := $(VENV)/installed

# Large arrays in huge pages: a step of pretraining then takes a sixth less time, which it
# would spend on page faults. For the C library of Linux; others don't read it.
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

.PHONY: tutorial test lab outputs clean

tutorial: $(INSTALLED)
	$(VENV)/bin/python -m helpers.tutorial $(PROFILE) $(SETTINGS)

test: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/python -m pytest tests
	$(VENV)/bin/python -m pytest --nbval --nbval-current-env \
		--nbval-sanitize-with tests/nbval_sanitize.cfg --nbval-cell-timeout 1800 notebooks

lab: $(INSTALLED)
	$(VENV)/bin/jupyter lab notebooks

outputs: $(INSTALLED)
	$(VENV)/bin/python -m helpers.tutorial sample --in-place

# Marked as installed only at the end, so that a broken installation is made again.
$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo 'Python 3.11, 3.12 or 3.13 is needed: make $(or $(MAKECMDGOALS),tutorial) PYTHON=python3.12'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

clean:
	rm -rf $(VENV) artifacts

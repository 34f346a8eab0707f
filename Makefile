# Each target sets up .venv by itself; nothing has to be installed or activated before.
.PHONY: test soak digits lint setup clean
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME

python := .venv/bin/python

test: setup
	$(python) -m pytest -n 2

soak: setup
	$(python) -m pytest -m soak -n 2

digits: setup
	$(python) examples/digits.py

lint:
	scripts/setup dev
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) -m pyright

setup:
	@scripts/setup

clean:
	rm -rf .venv build dist .hypothesis .pytest_cache .ruff_cache runs *.png digits.safetensors
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

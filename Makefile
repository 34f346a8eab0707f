# Each target sets up .venv by itself; nothing has to be installed or activated before.
.PHONY: test soak digits bench bench-all bench-gpu peers hopper lint setup clean
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME

python := .venv/bin/python

test: setup
	$(python) -m pytest -n 2

soak: setup
	$(python) -m pytest -m soak -n 2

digits: setup
	$(python) examples/digits.py

# The CPU table and picture in some minutes, against the others where `make peers` made them.
bench: setup
	$(python) -m benchmarks --quick --rounds 7 --seconds 0.3 --out bench.json

bench-all: setup
	$(python) -m benchmarks --out bench.json

bench-gpu: setup
	$(python) -m benchmarks gpt2 resnet50 vit_b decode lstm --device gpu \
	    --against pytorch --rounds 7 --out bench-gpu.json

peers: setup
	scripts/peers

# What the training steps are made of on an H200, which need not be here.
hopper:
	scripts/hopper --out benchmarks/results/hopper.json

lint:
	scripts/setup dev
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) -m pyright

setup:
	@scripts/setup

clean:
	rm -rf .venv .venv-hopper build dist .hypothesis .pytest_cache .ruff_cache .peers runs *.png *.json digits.safetensors
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

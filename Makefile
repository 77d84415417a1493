# Every target sets up .venv by itself when it is missing or its requirements have changed.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
RUN := .venv/bin/python
READY := .venv/ready

# The paper's experiments that are built, separated by commas.
NO :=
comma := ,
PAPER := $(sort $(filter-out %/table4.yaml,$(wildcard conf/experiment/paper/*.yaml)))
PAPER := $(subst $(NO) $(NO),$(comma),$(PAPER:conf/experiment/%.yaml=%))

.PHONY: setup demo reproduce conformance test test-scale-out gpu lint train-miniature

setup: $(READY)

demo: $(READY)
	$(RUN) -m bench

# Every table and figure of the paper that is built, on the miniature, in short.
reproduce: $(READY)
	$(RUN) -m bench -m scale=quick experiment=$(PAPER)
	@echo "reports:" && ls -1 results/paper_*_quick/report.md

test: $(READY) lint
	$(RUN) -m pytest -q -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder

# Sweeps on the optional launchers and the sweeper, which it installs: make test skips these.
test-scale-out: $(READY)
	$(RUN) -m pip install --quiet -c constraints.txt -e '.[scale-out]'
	$(RUN) -m pytest -q tests/test_scale_out.py

# What only a GPU can show, in less than 25 minutes of an H100 or H200 (an estimate: no GPU has run it yet): tests,
# costs at true size beside the cost model's, torch.compile, and a profile. docs/real-models.md has more.
GPU := backbone=sd15 weights=random judge=none scores=[] device=cuda results=results/gpu
gpu: $(READY)
	$(RUN) -m pytest -q -m gpu tests/gpu
	$(RUN) -m bench experiment=cost backbone=sd15 device=cuda results=results/gpu
	$(RUN) -m bench.costs results/gpu/cost_sd15_random
	$(RUN) -m bench -m experiment=cost backbone=sd15 device=cuda results=results/gpu experiment_name=compiled \
		method=vanilla,lidar backbone.compile=false,true
	$(RUN) -m bench -m experiment=cost backbone=sdxl device=cuda results=results/gpu prompts.limit=1 \
		method=vanilla,lidar,ug
	$(RUN) -m bench.costs results/gpu/cost_sdxl_random
	$(RUN) -m bench profile $(GPU) method=lidar steps=20

# The conformance suite on an estimator or steer of one's own: make conformance PART=my_module.MySteer
conformance: $(READY)
	PART=$(PART) PYTHONPATH=.:$$PYTHONPATH $(RUN) -m pytest -q tests/methods/test_conformance.py

lint: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

train-miniature: $(READY)
	$(RUN) -m training all

$(RUN):
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	"$(PYTHON)" -m venv .venv

$(READY): pyproject.toml constraints.txt | $(RUN)
	$(RUN) -m pip install --quiet -c constraints.txt -e '.[training,judge,dev]'
	touch $@

"""How a GPU computes is the same in every run, whatever the process did before."""

import torch

from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.device import set_precision
from bench.run.cells import prepare


def test_a_run_sets_how_a_gpu_computes_and_its_config_says_so(tmp_path):
    flags = {
        "matmul": torch.get_float32_matmul_precision,
        "convolution": lambda: torch.backends.cudnn.allow_tf32,
        "benchmark": lambda: torch.backends.cudnn.benchmark,
        "deterministic": lambda: torch.backends.cudnn.deterministic,
    }
    set_precision()
    usual = {name: read() for name, read in flags.items()}
    try:
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = torch.backends.cudnn.deterministic = True
        ready = prepare(make_cell(cell_settings(["prompts.limit=1"], [])), tmp_path)
        assert {name: read() for name, read in flags.items()} == usual
    finally:
        set_precision()
    assert usual["matmul"] == "highest" and usual["convolution"]
    assert "matmul float32, convolution tf32" in ready.config["precision"]

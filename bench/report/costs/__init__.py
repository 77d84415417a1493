"""What methods cost, without a judge: seconds by phase, memory, calls, beside the paper's."""

"""What a report sets beside its own numbers: the paper's, and those measured on ground truth."""

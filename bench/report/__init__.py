"""Records -> evidence: tables, figures and an image grid of one results folder."""

"""Each figure of the README: `python -m benchmarks [NAME...] [--quick]`, from a checkout."""

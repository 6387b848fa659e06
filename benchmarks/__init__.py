"""Benchmarks: ``python -m benchmarks.NAME``, compared with peers measured in the same run."""

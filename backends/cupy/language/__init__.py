"""CUDA C: what NumPy's numbers and functions mean in it."""

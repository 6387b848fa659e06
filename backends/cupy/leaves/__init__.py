"""Leaf kernels: operations that no loop of a launch computes, each from a template of its own."""

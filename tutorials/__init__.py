"""Lessons that run: ``python -m tutorials.first_graph``, ``tutorials.logistic_regression``, ``tutorials.mlp``, ...

Each lesson is one file that reads from top to bottom as a symbolic program. What is not the lesson lives beside it:
`tutorials.descent` and `tutorials.training` (minibatches, early stopping), `tutorials.saving` (weights and pictures),
`tutorials.command_line` and `tutorials.flags`.
"""

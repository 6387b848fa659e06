"""GPU benchmarks: whole training steps and single large operations beside PyTorch, JAX and CuPy by hand.

``python -m benchmarks.gpu`` runs each library in a process of its own, one after the other and ours first and last, and
prints a table; ``--json FILE`` keeps every row. Without a GPU it says so and stops; ``--tiny`` runs everything that can
run at sizes that take no time, ours on the emulated device, so that the programs here stay in order.
"""

"""CPU benchmarks: compiled programs beside NumPy written by hand and other compilers, interleaved in one run.

One file holds one family of workloads: what symgraph compiles, the same work in plain NumPy, in NumPy tuned by hand,
and in the peers that are installed. All have to agree before a clock starts. Run them with::

    python -m benchmarks.cpu [--only W1,W5] [--json FILE] [--threads N] [--rounds N] [--tiny]

On a machine that others keep busy, ``--threads 1 --cpu-time`` still gives ratios that mean something.
"""

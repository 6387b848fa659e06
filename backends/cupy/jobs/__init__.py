"""Jobs as CUDA C: the fused kernels of a plan's launches, from `symgraph.plan.jobs`."""

"""Devices: where kernels are compiled, launched and measured, on a GPU or emulated on the CPU."""

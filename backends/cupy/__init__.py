"""The CuPy backend: a plan becomes CUDA C kernels and their launches, on a GPU or on a device emulated for tests."""

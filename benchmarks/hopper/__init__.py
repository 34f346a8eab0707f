"""Our training steps compiled for an H200, on a machine that has none: kernels and bytes.

What is compiled can be read: which library runs a product, what is computed twice, how much memory
a step takes. How long it takes cannot. ``scripts/hopper`` makes the environment.
"""

"""Benchmarks: the same work by jaxnet, by hand-written JAX and by other libraries, in one run.

``python -m benchmarks --help`` says how to run them, README.md what they showed.
"""

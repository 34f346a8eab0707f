"""The workloads: a folder each, with its settings here and a file for each contender.

A folder's ``__init__.py`` has ``WORKLOAD`` and ``data(settings)``, in NumPy alone, since every
contender's environment imports it. ``jaxnet.py`` also has ``weights(settings)``, from which all
contenders start, if there are any. A contender's file has ``build(task, variant)``, or, where whole
processes are timed, is a program that prints its numbers.
"""

"""Benchmarks: figures of whole stacks and of their parts, always compared in one run."""

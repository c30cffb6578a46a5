"""Hostile clips, paths, text, providers and machines: `python -m benchmarks.attack.run`."""

"""Witnesses: open weights that say whether one claim about a clip holds, with three verdicts and a margin.

One module a witness; `base` has their interface, `thresholds.toml` their limits, `panel` who is asked about what.
"""

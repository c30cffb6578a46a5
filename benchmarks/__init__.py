"""The benchmarks (`make bench`) and the attacks (`make attack`): each prints a ratio to a baseline, or a bound."""

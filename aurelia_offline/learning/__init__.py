"""The study of training on reasoning: adapters of the mini target, measured against the loop."""

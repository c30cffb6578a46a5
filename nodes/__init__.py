"""The nodes of the graph: one agent, one file; each reads a narrow part of the state and returns a delta."""

"""The LangGraph application: wiring, routing, traces, and the graphs that a server loads."""

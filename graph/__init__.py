"""The LangGraph application: wiring, routing, and running one question."""

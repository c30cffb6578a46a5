"""What a LangGraph server loads (`langgraph.json`): the graph, with its traces sent as `graph.sender` decides."""

from graph.build import build_graph
from graph.sender import configure

configure()
graph = build_graph()

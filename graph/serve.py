"""What a LangGraph server loads (`langgraph.json`): the graph, with its traces sent as `graph.sender` decides."""

from aurelia.models.desk import Desk
from graph.build import build_graph
from graph.sender import configure

configure()
desk = Desk()
graph = build_graph(desk=desk)

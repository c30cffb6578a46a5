"""What a LangGraph server loads (`langgraph.json`): the graphs, with their traces sent as `graph.sender` decides."""

from aurelia_core.models.client import ModelClient
from graph.build import build_graph, build_zero_shot
from graph.sender import configure_tracing

configure_tracing()
desk = ModelClient()
graph = build_graph(desk=desk)
zero_shot = build_zero_shot(desk)

"""The graphs that a LangGraph server loads (`langgraph.json`)."""

from aurelia_core.models.client import ModelClient
from graph.build import build_graph, build_zero_shot
from graph.tracing import configure_tracing

configure_tracing()
client = ModelClient()
graph = build_graph(client=client)
zero_shot = build_zero_shot(client)

"""What a LangGraph server gets beside the graph: who may come in, clips over HTTP, and refusals that name the key."""

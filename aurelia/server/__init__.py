"""What this project adds to a LangGraph server: access rules, clips over HTTP, and checks of every request."""

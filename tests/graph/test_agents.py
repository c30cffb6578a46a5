"""One list of agents: what derives from it is complete, and an agent is added as docs/adding-an-agent.md says."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

import prompts
from aurelia.run.ask import answer_question as ask
from aurelia.run.history import read_thread
from aurelia_core.errors import InputError
from graph.build import AGENT_ROLES, AGENTS, build_graph
from state.context import ROLES as CONTEXT_ROLES
from state.context import make_context
from tests.support.scripted import scripted, verdict
from tests.support.stage import Stage

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-an-agent.md").read_text(encoding="utf-8")
NO_MODEL = {"prepare", "review"}


def test_every_node_of_the_graph_is_listed_and_every_role_has_a_prompt_and_a_setting() -> None:
    nodes = set(build_graph().get_graph().nodes) - {"__start__", "__end__"}
    assert nodes == {agent.node for agent in AGENTS} | {"review"}
    assert set(CONTEXT_ROLES) <= set(AGENT_ROLES)
    assert {role for role in AGENT_ROLES if role not in prompts.PROMPT_NAMES} == set()
    assert len(AGENT_ROLES) == len(set(AGENT_ROLES))


async def test_every_agent_has_words_in_the_history_and_a_place_on_the_bill(stage: Callable[..., Stage]) -> None:
    at = stage(scripted(evaluator=[verdict(3), verdict(9)]))
    graph = at.graph(InMemorySaver())
    roles = dict.fromkeys(CONTEXT_ROLES, "scripted:one")
    question: Any = {"video": str(at.clip), "question": "What is heard?"}
    await ask(question, make_context(roles), client=at.desk, graph=graph, thread="t")
    history = await read_thread(graph, "t")
    said = {node["node"] for node in history["nodes"] if node["text"]}
    asked = {agent.node for agent in AGENTS} - NO_MODEL - {"describer"}
    assert asked <= said, f"the history has no words of {asked - said}"
    numbered = {node["node"] for node in history["nodes"] if node["attempt"]}
    assert numbered == {agent.node for agent in AGENTS if agent.in_attempt}
    with sqlite3.connect(at.desk.settings.ledger_file) as connection:
        billed = {role for (role,) in connection.execute("SELECT role FROM calls")}
    connection.close()
    assert billed == set(AGENT_ROLES)


async def test_an_agent_that_the_graph_does_not_have_is_refused_by_name(stage: Callable[..., Stage]) -> None:
    with pytest.raises(InputError, match="no agent 'critic'"):
        await stage(scripted()).ask(agents={"critic": "scripted:one"})


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_an_agent_is_added_with_three_files(tmp_path: Path) -> None:
    for folder in (
        "aurelia",
        "aurelia_core",
        "aurelia_offline",
        "graph",
        "nodes",
        "prompts",
        "state",
        "targets",
        "tests",
    ):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "data"))
    (tmp_path / "prompts" / "critic.md").write_text(blocks("markdown")[0])
    node, wiring = blocks("python")
    (tmp_path / "nodes" / "critic.py").write_text(node)
    entry = re.search(r"^    Agent\(.*\n", wiring, re.MULTILINE)
    edges = re.search(r"^    builder\.add_conditional_edges\(.*", wiring, re.MULTILINE | re.DOTALL)
    assert entry and edges
    path = tmp_path / "graph" / "build.py"
    built = path.read_text()
    built = re.sub(r'    builder\.add_conditional_edges\("evaluator".*\n', lambda _: edges[0], built)
    built = built.replace('    Agent("feedback"', entry[0] + '    Agent("feedback"')
    imports = "".join(line + "\n" for line in wiring.splitlines() if line.startswith("from "))
    path.write_text(built.replace("from nodes.describer", imports + "from nodes.describer"))
    script = """
import asyncio, json, sys
from pathlib import Path
from langgraph.checkpoint.memory import InMemorySaver
from aurelia.run.ask import answer_question as ask
from aurelia.run.history import read_thread
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from graph.build import build_graph
from state.context import ROLES, make_context
from tests.support.clips import film
from tests.support.scripted import scripted, verdict

home = Path(sys.argv[1])
model = scripted(evaluator=[verdict(3), verdict(9)], critic=["The first step is in doubt."])
client = ModelClient(Settings(home=home, allow_any_file=True), providers={"scripted": lambda name, store: model})
graph = build_graph(client=client, checkpointer=InMemorySaver())
question = {"video": str(film(home / "clip.mp4", seconds=1.0)), "question": "What is heard?"}
context = make_context({**dict.fromkeys(ROLES, "scripted:one"), "agents": {"critic": "scripted:two"}})
result = asyncio.run(ask(question, context, client=client, graph=graph, thread="t"))
history = asyncio.run(read_thread(graph, "t"))
bill = client.ledger._open().execute("SELECT role, spec FROM calls WHERE role = 'critic'").fetchall()
client.close()
print(json.dumps({"notes": result["iterations"][0].get("notes"), "models": result["models"], "bill": bill,
                  "nodes": [[node["node"], node["attempt"], node["text"]] for node in history["nodes"]]}))
"""
    (tmp_path / "home").mkdir()
    command = [sys.executable, "-c", script, str(tmp_path / "home")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["notes"] == {"critic": "The first step is in doubt."}
    assert found["models"]["critic"] == "scripted:two"
    assert found["bill"] == [["critic", "scripted:two"]]
    assert ["critic", 1, "The first step is in doubt."] in found["nodes"]

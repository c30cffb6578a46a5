"""What can be checked of the deployment without a container engine, and that docs/settings.md is in step."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml
from langgraph_cli.docker import DEFAULT_POSTGRES_URI, DockerCapabilities, Version, compose_as_dict

from state.context import Context
from tests.docs import studio_form

ROOT = Path(__file__).parents[2]
IMAGES_OWN = {"DATABASE_URI", "REDIS_URI", "LANGGRAPH_CLOUD_LICENSE_KEY", "N_JOBS_PER_WORKER"}
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def known_settings() -> set[str]:
    return set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.M))


def patterns(name: str) -> set[str]:
    """What a file of patterns leaves out, without the marks that say where."""
    lines = (line.strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return {line.removeprefix("**/").strip("/") for line in lines if line and not line.startswith("#")}


def test_the_compose_file_names_only_settings_that_exist() -> None:
    named = set(COMPOSE["services"]["aurelia"]["environment"]) - IMAGES_OWN
    assert named and named <= known_settings()
    on_the_page = set(re.findall(r"\b(?:AURELIA|GOOGLE|OPENAI|LANGSMITH)_[A-Z_]+\b", PAGE))
    assert on_the_page <= known_settings()


def test_the_compose_file_asks_for_tokens_and_keeps_what_has_to_be_kept() -> None:
    server, environment = COMPOSE["services"]["aurelia"], COMPOSE["services"]["aurelia"]["environment"]
    assert environment["AURELIA_TOKENS_FILE"] == "/run/secrets/tokens" and server["secrets"] == ["tokens"]
    assert COMPOSE["secrets"]["tokens"]["file"] == "./tokens"
    assert f"home:{environment['AURELIA_HOME']}" in server["volumes"]
    assert "AURELIA_STUDIO" not in environment and "AURELIA_TOKENS" not in environment
    assert all(port.startswith("127.0.0.1:") for port in server["ports"])
    kept = [volume for service in COMPOSE["services"].values() for volume in service.get("volumes", [])]
    assert set(COMPOSE["volumes"]) == {volume.partition(":")[0] for volume in kept}
    assert set(server["depends_on"]) == COMPOSE["services"].keys() - {"aurelia"}
    secrets = {name for name in environment if name.endswith("_KEY")}
    assert secrets and all(environment[name] is None for name in secrets)


def test_the_compose_file_stands_on_the_same_services_as_the_tool_of_the_image() -> None:
    able = DockerCapabilities(Version(27, 0, 0), Version(2, 29, 0), True)
    theirs = compose_as_dict(able, port=8123)["services"]
    ours = COMPOSE["services"]
    for name in ("redis", "postgres"):
        assert ours[name]["image"] == theirs[f"langgraph-{name}"]["image"]
    assert ours["redis"]["healthcheck"]["test"] == theirs["langgraph-redis"]["healthcheck"]["test"]
    assert ours["aurelia"]["healthcheck"]["test"] == theirs["langgraph-api"]["healthcheck"]["test"]
    (port,) = theirs["langgraph-api"]["ports"]
    assert ours["aurelia"]["ports"] == [f"127.0.0.1:{port.strip(chr(34))}"]
    assert DEFAULT_POSTGRES_URI.endswith("?sslmode=disable")
    assert ours["aurelia"]["environment"]["DATABASE_URI"].startswith("postgres://aurelia:")


def test_the_dockerfile_of_the_image_holds_what_the_server_needs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "langgraph_cli", "dockerfile", "-c", str(ROOT / "langgraph.json")]
    ended = subprocess.run([*command, str(tmp_path / "Dockerfile")], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-500:] + ended.stderr[-500:]
    said = (tmp_path / "Dockerfile").read_text(encoding="utf-8")
    config = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))
    assert said.startswith("FROM langchain/langgraph-api:3.11\n")
    assert re.search(rf"^ADD \. /deps/{re.escape(ROOT.name)}$", said, re.M)
    for variable, key in (("LANGGRAPH_AUTH", "auth"), ("LANGGRAPH_HTTP", "http"), ("LANGSERVE_GRAPHS", "graphs")):
        (value,) = re.findall(rf"^ENV {variable}='(.*)'$", said, re.M)
        assert json.loads(value) == config[key]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for client in (*extras["google"], *extras["openai"]):
        assert f"'{client}'" in said


def test_what_git_leaves_out_the_image_leaves_out() -> None:
    left_out = patterns(".dockerignore")
    assert {name for name in patterns(".gitignore") if not name.startswith("deploy/")} <= left_out
    assert {".git", ".env", "deploy", "tests"} <= left_out
    needed = {"README.md", "LICENSE", "pyproject.toml", "aurelia", "graph", "nodes", "state", "prompts", "targets"}
    assert not needed & left_out and all((ROOT / name).exists() for name in needed)
    assert "deploy/tokens" in patterns(".gitignore")


def test_studios_settings_are_in_step() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert studio_form.renewed(page) == page, "make pictures renews the table"
    for name, field in Context.model_fields.items():
        assert f"| {field.title} | `{name}` |" in page

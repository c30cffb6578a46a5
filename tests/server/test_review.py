"""A person steps in over HTTP: a real `langgraph dev` on loopback, driven by the real SDK client."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.langgraph_server import needs_server, serving

pytestmark = needs_server


async def test_a_served_run_waits_refuses_a_bad_answer_and_goes_on(
    tmp_path_factory: pytest.TempPathFactory, duet: Path
) -> None:
    from langgraph_sdk import get_client

    home = tmp_path_factory.mktemp("served")
    (home / "media").mkdir()
    shutil.copy(duet, home / "media" / "duet.mp4")
    question = {"video": "duet.mp4", "question": "How many sounds are heard?"}
    review = {"review": "reasoning"}
    with serving(home) as url:
        async with get_client(url=url) as client:
            thread = (await client.threads.create())["thread_id"]
            waiting: Any = await client.runs.wait(thread, "aurelia", input=question, context=review)
            (pause,) = waiting["__interrupt__"]
            assert (pause["value"]["best_iteration"], pause["value"]["why_no_more"]) == (1, None)

            bad = {"resume": {"action": "agree"}}
            refused: Any = await client.runs.wait(thread, "aurelia", command=bad, context=review, raise_error=False)
            assert refused["__error__"]["error"] == "InputError"
            assert "The run still waits" in refused["__error__"]["message"]
            state: Any = await client.threads.get_state(thread)
            assert state["next"] == ["review"] and len(state["interrupts"]) == 1

            events, last = [], None
            good: Any = {"resume": {"action": "accept"}}
            async for part in client.runs.stream(thread, "aurelia", command=good, stream_mode=["custom", "values"]):
                assert part.event != "error", part.data
                if part.event == "custom":
                    events.append(part.data["event"])
                elif part.event == "values":
                    last = part.data
            assert events == ["review", "target"]
            assert last and (last["answer"], last["zero_shot_answer"], last["warnings"]) == ("2", "2", [])
            assert last["usage"]["calls"] == 5

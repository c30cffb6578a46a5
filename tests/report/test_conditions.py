"""The recipes that compare conditions, through the real runner and graph, with a scripted model of known behaviour."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aurelia.bench.conditions import Condition, read_condition
from aurelia.bench.hearing import HEARD, SEEN
from aurelia.bench.recipe_costs import forecast
from aurelia.bench.records import read_records
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources
from aurelia.bench.sampling import TABLE1_COMPOSITION, draw_sample
from aurelia.bench.senses import SENSES, write_sense_records
from aurelia.cli.bench import bench_app
from aurelia.report.baselines import baseline_conditions, run_baselines
from aurelia.report.condition_tables import NOTHING, interval_text
from aurelia.report.hearing import probe_models
from aurelia.report.paper_recipes import run_table1, run_table4, run_table5, run_table6
from aurelia.report.recipes import RecipeInput
from aurelia.report.senses import run_senses
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from state.context import ROLES, Context, make_context
from tests.bench.test_sampling import record
from tests.support.bench_runs import write_lines
from tests.support.scripted import ScriptedChat, reasoning, scripted, verdict
from tests.support.stage import no_wait

CHOICES = ["a bell", "a drum", "a flute", "a horn"]


def number_of(fields: dict[str, Any]) -> int:
    return int(fields["question"].split("#")[1])


def generator(fields: dict[str, Any], messages: Any) -> Any:
    """Right on the first attempt for even questions, on a later one for all."""
    right = number_of(fields) % 2 == 0 or fields["iteration"] > 1
    step = {"step": f"#{number_of(fields)}# {right}", "justification": "x", "answer": "y", "modality": "audio"}
    return {"steps": [step], "answer": CHOICES[0] if right else CHOICES[1]}


def target(fields: dict[str, Any], messages: Any) -> str:
    """Right with right steps; alone, right for every fourth question, whatever the frames."""
    if fields.get("task") == "steps":
        return f"1. #{number_of(fields)}# False\n"
    if fields["reasoning"]:
        return CHOICES[0] if "True" in fields["reasoning"]["steps"][0]["step"] else CHOICES[1]
    return CHOICES[0] if number_of(fields) % 4 == 0 else CHOICES[1]


def player() -> ScriptedChat:
    return scripted(
        generator=generator,
        summarizer=lambda fields, messages: {"caption": fields["reasoning"]["steps"][0]["step"]},
        evaluator=lambda fields, messages: verdict(9 if "True" in fields["caption"] else 4),
        target=target,
        describer=["0.20-0.70 s, heard: a tone."],
    )


class Place:
    """A folder with clips and questions, and the model that answers."""

    def __init__(self, folder: Path, clip: Path, questions: int) -> None:
        self.folder, self.model = folder, player()
        (folder / "clips").mkdir()
        content = clip.read_bytes()
        lines = []
        for number in range(questions):
            name = f"{number // 2}.mp4"
            # Each clip has content of its own: a box that players skip.
            more = (12).to_bytes(4, "big") + b"free" + (number // 2).to_bytes(4, "big")
            (folder / "clips" / name).write_bytes(content + more)
            lines.append({
                "id": f"q{number}", "column": ["music-avqa", "avsd"][number % 2], "video": name, "choices": CHOICES,
                "question": f"What is heard #{number}#?", "answers": [CHOICES[0]], "source": {"dataset": "made"},
            })  # fmt: skip
        self.file = write_lines(folder / "questions.jsonl", lines)
        self.settings = Settings(home=folder / "home", allow_any_file=True)

    def work(self, name: str) -> RecipeInput:
        resources = RunResources(
            self.settings, self.folder / "clips", {"scripted": lambda name, store: self.model}, None, no_wait
        )
        return RecipeInput(self.file, self.folder / name, resources, Plan(concurrency=4))


def context(**more: Any) -> Context:
    return make_context({**{role: "scripted:one" for role in ROLES}, **more})


@pytest.fixture
def place(tmp_path: Path, duet: Path) -> Place:
    return Place(tmp_path, duet, 12)


def rows_of(page: Path, caption: str) -> dict[str, list[str]]:
    """The rows of one table of a page, by their first cell."""
    text = page.read_text("utf-8").replace("\\", "").split(f"**{caption}**")[1].split("**", 1)[0]
    text = page.read_text("utf-8").replace("\\", "").split(f"**{caption}**")[1].split("\n## ")[0]
    cells = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {row[0]: row[1:] for row in cells[2:]}


async def test_baselines_have_equal_calls_and_are_resumed_for_free(place: Place) -> None:
    settings = context(unsupported_modality="describe:scripted:one")
    written = await run_baselines(place.work("base"), settings, clip_calls=7)
    rows = rows_of(written.markdown, "Baselines at 7 calls with the clip, against zero-shot")
    right = {name: cells[0].split()[0] for name, cells in rows.items()}
    assert right == {
        "zero-shot": "25.0", "refine": "100.0", "refine, score alone": "100.0", "refine, no guide": "100.0",
        "best of 3": "50.0", "vote of 7": "25.0", "own steps": "0.0", "script, then text only": "25.0",
    }  # fmt: skip
    assert "(n = 12)" in rows["refine"][0]
    assert rows["refine"][2] == "9 / 0"
    assert rows["own steps"][2] == "0 / 3"
    cost = rows_of(written.markdown, "Cost and candidates")
    clip_calls = {name: cells[1] for name, cells in cost.items()}
    assert (clip_calls["zero-shot"], clip_calls["vote of 7"], clip_calls["best of 3"]) == ("1.00", "7.00", "5.00")
    assert (clip_calls["refine"], clip_calls["own steps"], clip_calls["script, then text only"]) == (
        "4.00", "2.00", "0.50"
    )  # fmt: skip
    # Two questions about a clip have one script.
    assert (cost["refine"][7], cost["refine"][8]) == ("100.0", "50.0")
    assert (cost["vote of 7"][7], cost["vote of 7"][8]) == ("25.0", "25.0")
    assert "agentic video mode" in written.markdown.read_text("utf-8")
    said = Counter(place.model.said)
    again = await run_baselines(place.work("base"), settings, clip_calls=7)
    assert place.model.said == said
    assert again.markdown.read_text("utf-8") == written.markdown.read_text("utf-8")


async def test_a_refused_condition_is_a_row_with_its_reason(place: Place) -> None:
    written = await run_baselines(place.work("base"), context(), clip_calls=5)
    rows = rows_of(written.markdown, "Baselines at 5 calls with the clip, against zero-shot")
    assert rows["script, then text only"][0] == "not run"
    assert "needs a describer" in written.markdown.read_text("utf-8")
    assert rows["best of 2"][0].startswith("50.0")


def test_calls_that_allow_no_comparison_are_refused(tmp_path: Path) -> None:
    for clip_calls, said in ((3, "too few"), (17, "too many")):
        with pytest.raises(InputError, match=said):
            baseline_conditions(tmp_path / "x", Context(), clip_calls)


async def test_a_forecast_asks_nothing_and_later_measures(place: Place) -> None:
    conditions = baseline_conditions(place.file, context(), 7)
    work = place.work("base")
    resources = work.resources
    client = ModelClient(resources.settings, providers=resources.providers, store=resources.clip_store())
    before = {one.name: one for one in forecast(conditions, work.out, client)}
    assert not place.model.said
    assert before["zero-shot"].calls == (12, 12)
    assert before["refine"].calls == (12 * 4, 12 * 12)
    assert before["refine, no guide"].calls == (12 * 4, 12 * 10)
    assert before["best of 3"].calls == (12 * 10, 12 * 10)
    assert (before["vote of 7"].clip_calls, before["vote of 7"].calls) == (12 * 7, (12 * 7, 12 * 8))
    assert before["refine"].cost is None
    assert not before["refine"].measured
    await run_baselines(work, context(), clip_calls=7)
    after = {one.name: one for one in forecast(conditions, work.out)}
    assert (after["refine"].questions, after["refine"].measured, after["refine"].cost) == (0, True, 0.0)


async def test_the_senses_say_what_an_answer_needs(place: Place) -> None:
    def hears(fields: dict[str, Any], messages: Any) -> str:
        own = f"{number_of(fields) // 2}.mp4"
        heard = fields["tracks"][0]["name"] if fields["tracks"] else fields["clip"]["name"]
        return CHOICES[0] if fields["reasoning"] is not None and heard.endswith(own) else CHOICES[1]

    place.model.script["target"] = hears
    place.model.script["generator"] = lambda fields, messages: reasoning(f"True #{number_of(fields)}#")
    written = await run_senses(place.work("senses"), context(max_iterations=1))
    rows = rows_of(written.markdown, "AURELIA without a sense, against all of the clip")
    right = {sense: rows[f"{sense}, AURELIA"][0].split()[0] for sense in SENSES}
    assert right == {
        "full": "100.0", "mute": "0.0", "blind": "100.0", "another sound": "0.0", "another picture": "100.0",
        "text only": "0.0",
    }  # fmt: skip
    gain = rows_of(written.markdown, "The gain of the reasoning, by sense")
    assert [gain[sense][2] for sense in ("full", "mute", "blind")] == ["100.0", "0.0", "100.0"]
    assert rows_of(written.markdown, "By sense, AVSD")["blind"][1].startswith("100.0 [")


def test_records_without_a_video_with_sound_are_left_out(place: Place) -> None:
    records = list(read_records(place.file))
    silent = records[0].model_copy(update={"id": "sound", "video": None, "audio": ["0.mp4"]})
    store = ClipStore(Settings(home=place.folder / "home", media_roots=(place.folder / "clips",)))
    found = write_sense_records([*records, silent], place.folder / "media", store)
    assert found.left_out == 1
    other = list(read_records(found.files["another picture"]))
    assert all(one.video != one.audio[0] for one in other)
    with pytest.raises(InputError, match="two clips or more"):
        write_sense_records(records[:2], place.folder / "one", store)


async def test_table_1_has_both_zero_shot_figures_of_the_paper(place: Place) -> None:
    written = await run_table1(place.work("one"), context(), ["scripted:one", "scripted:two"])
    rows = rows_of(written.markdown, "Table 1: these runs and the paper")
    music, avsd = rows["scripted:one"][:2]
    assert music.startswith("50.0 [")
    assert "→ 100.0 [" in music and "(n = 6)" in music and "p = " in music
    assert avsd.startswith("0.0 [0.0, ")
    assert rows["scripted:one"] == rows["scripted:two"]
    assert rows["scripted:one"][4] == "–"
    assert rows["X-InstructBLIP (13B)"][4].startswith("27.6 / 14.5 → 29.0")
    composition = rows_of(written.markdown, "Questions by column")
    assert (composition["Music-AVQA"], composition["all"]) == (["6", "1000"], ["12", "4500"])
    with pytest.raises(InputError, match="named twice"):
        await run_table1(place.work("one"), context(), ["scripted:one", "scripted:one"])


async def test_tables_4_5_and_6_compare_settings_pair_by_pair(place: Place) -> None:
    four = await run_table4(place.work("four"), {"long": context(), "short": context(max_iterations=1)})
    rows = rows_of(four.markdown, "Agents against long")
    assert (rows["long"][0].split()[0], rows["short"][0].split()[0], rows["short"][2]) == ("100.0", "50.0", "0 / 6")
    with pytest.raises(InputError, match="Two or more profiles"):
        await run_table4(place.work("four"), {"one": context()})
    five = await run_table5(place.work("five"), context())
    rows = rows_of(five.markdown, "Table 5, against T = 1")
    assert [rows[f"T = {cap}"][0].split()[0] for cap in (1, 2, 5)] == ["50.0", "100.0", "100.0"]
    assert rows["T = 2"][2] == "6 / 0"
    assert "27.5 % at T = 1" in five.markdown.read_text("utf-8")
    six = await run_table6(place.work("six"), context())
    rows = rows_of(six.markdown, "Table 6, against tau = 4")
    assert [rows[f"tau = {tau}"][0].split()[0] for tau in (4, 5, 9)] == ["50.0", "100.0", "100.0"]
    assert rows_of(six.markdown, "Cost")["tau = 5"][1] == "4.00"


async def test_a_server_that_drops_the_sound_is_found(place: Place) -> None:
    truth = {f"{sense}-{trial}.mp4": answer for sense, answers in (
        (HEARD, ["high beeps", "a low hum", "a hiss", "nothing, it is silent"]),
        (SEEN, ["red", "green", "blue", "yellow"]),
    ) for trial, answer in enumerate(answers * 2)}  # fmt: skip

    def deaf(fields: dict[str, Any], messages: Any) -> str:
        if fields["question"].startswith("What is heard"):
            return "nothing, it is silent"
        return truth[Path(fields["clip"]["name"]).name]

    place.model.script["target"] = deaf
    models = ["scripted:one", "nowhere:model"]
    found = {(one.model, one.sense): one for one in await probe_models(place.work("probe"), models, context())}
    heard, seen = found["scripted:one", HEARD], found["scripted:one", SEEN]
    assert (heard.right, heard.asked, seen.right, seen.asked) == (2, 8, 8, 8)
    assert heard.verdict.startswith("no sign that it hears (2 of 8 right")
    assert seen.verdict.startswith("sees (8 of 8 right")
    assert found["nowhere:model", HEARD].verdict.startswith("not asked: ")
    store = ClipStore(place.settings)
    clips = place.folder / "probe" / "clips"
    refs = [store.admit(str(clips / f"heard-{trial}.mp4")) for trial in range(8)]
    assert all(ref["has_audio"] and ref["duration"] == pytest.approx(4.0, abs=0.2) for ref in refs)
    loud = [float(abs(store.audio(ref)[0].samples).max()) for ref in refs[:4]]
    assert loud[3] < 0.01 < 0.1 < min(loud[:3])


def test_the_papers_sample_of_4500_is_drawn_by_column() -> None:
    records = [record(f"{column}/{number}", column, "") for column in TABLE1_COMPOSITION for number in range(1100)]
    drawn = draw_sample(records, None, 0, "columns")
    assert Counter(one.column for one in drawn.records) == TABLE1_COMPOSITION
    assert len(drawn.records) == 4500
    small = draw_sample(records, 45, 0, "columns")
    assert Counter(one.column for one in small.records)["av-meme"] == 1


def test_an_interval_that_says_nothing_is_marked() -> None:
    from aurelia.bench.intervals import share_interval

    assert interval_text(share_interval([1.0, 0.0], ["a", "a"])) == f"50.0 (n = 2) {NOTHING}"
    assert interval_text(share_interval([1.0] * 285, [str(n) for n in range(285)])) == "100.0 [98.7, 100.0] (n = 285)"


def test_the_commands_forecast_and_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURELIA_HOME", str(place.folder / "home"))
    monkeypatch.chdir(place.folder)
    common = ["questions.jsonl", "--media", "clips", "--dry-run"]
    commands = [
        ["baselines", *common, "--clip-calls", "7"], ["senses", *common], ["table5", *common], ["table6", *common],
        ["floor", *common],
        ["table1", *common, "--target", "offline:measure"], ["hearing", "--dry-run", "--target", "offline:measure"],
        ["table4", *common, "--profile", "offline", "--profile", "gemini", "--model", "target=offline:measure"],
    ]  # fmt: skip
    for command in commands:
        found = CliRunner().invoke(bench_app, ["recipe", *command], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        assert "total" in found.stdout and "To come, without retries" in found.stdout
        assert "Written" not in found.output


def test_a_condition_reads_its_own_arm(place: Place) -> None:
    work = place.work("own")
    condition = Condition("a, b/c d", context(), "aurelia", place.file)
    assert condition.file_name == "a-b-c-d.run"
    written = asyncio.run(run_table4(work, {"one": context(), "two": context(max_iterations=1)}))
    figures = read_condition("two", work.out / "two.run", "aurelia")
    assert (figures.questions, figures.failed, figures.refused) == (12, 0, None)
    assert figures.usage["calls"] == figures.questions * 4
    assert written.tables.is_dir()
    assert json.dumps(sorted(path.name for path in written.tables.iterdir())).count(".csv") == 4

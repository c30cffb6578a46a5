"""A run's answers as a table in three forms, its reasoning as a training set, and how far it is."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from aurelia.bench import export
from aurelia.bench.run_file import RunFile, StoredScore
from aurelia.bench.training import TrainingOptions, export_training_set
from aurelia.cli.bench import bench_app
from aurelia_core.errors import InputError, ModelError
from tests.support.bench_runs import Bench, line, player
from tests.support.scripted import verdict


@pytest.fixture
async def ran(tmp_path: Path, duet: Path) -> Path:
    """A run of three questions with every arm; of the third, the target gives no answer."""

    def target(fields: dict[str, Any], messages: Any) -> Any:
        if "(3)" in fields["question"]:
            return ModelError("no answer")
        return "B. with" if fields["reasoning"] else "ohne"

    def evaluator(fields: dict[str, Any], messages: Any) -> Any:
        return verdict(9 if "(1)" in fields["caption"] else 4)

    place = Bench.reading(duet.parent, tmp_path, player(target=target, evaluator=evaluator))
    lines = [line(1, choices=["ohne", "with"]), line(2, answers=["ß", "with"], licence="MIT"), line(3)]
    await place.run(lines, max_iterations=2)
    with RunFile.open(place.out) as run:
        run.store_scores(
            [
                StoredScore("q1", "aurelia", 0, "correct", 1.0, "rule"),
                StoredScore("q1", "aurelia", 0, "bleu4", None, "x"),
            ]
        )
    return place.out


def read_csv(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_three_forms_say_the_same(ran: Path, tmp_path: Path) -> None:
    for form in ("jsonl", "csv", "parquet"):
        assert export.export_table(ran, tmp_path / f"x.{form}") == 6
    lines = [json.loads(text) for text in (tmp_path / "x.jsonl").read_text().splitlines()]
    columns = parquet.read_table(tmp_path / "x.parquet")
    rows, texts = columns.to_pylist(), read_csv(tmp_path / "x.csv")
    assert list(lines[0]) == list(rows[0]) == list(texts[0]) == list(export.EXPORT_COLUMNS)
    for whole, row, text in zip(lines, rows, texts, strict=True):
        for name, kind in export.EXPORT_COLUMNS.items():
            nested = json.dumps(whole[name], ensure_ascii=False) if whole[name] is not None else None
            assert row[name] == (nested if kind is dict else whole[name])
            plain = "" if whole[name] is None else str(whole[name])
            assert text[name] == (nested or "" if kind in (dict, list) else plain)
    assert [row["arm"] for row in lines] == ["aurelia", "zero_shot"] * 3
    first = lines[0]
    assert (first["answer"], first["choice"], first["score"], first["attempts"]) == ("B. with", "with", 9, 1)
    assert first["marks"] == {"correct": 1.0, "bleu4": None}
    assert first["reasoning"]["steps"][0]["answer"].endswith("found")
    assert (lines[1]["answer"], lines[1]["score"], lines[1]["marks"], lines[1]["calls"]) == ("ohne", None, None, 1)
    assert (lines[2]["attempts"], lines[2]["stop_reason"], lines[2]["calls"]) == (2, "max_iterations", 6)
    assert (lines[4]["state"], lines[4]["answer"], lines[4]["error"]) == ("failed", None, "no answer")


@pytest.mark.parametrize(
    ("said", "cell"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'), ("+1+cmd", "'+1+cmd"), ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"), ("\r=1", "'\r=1"), ("\n=1", "'\n=1"), ("-", "'-"),
        ("-1\n=2", "'-1\n=2"), ("-1.5", "-1.5"), ("+3,5", "+3,5"), ("a=b", "a=b"), ("'=1", "'=1"), ("7 - 2", "7 - 2"),
    ],
)  # fmt: skip
def test_a_cell_that_a_spreadsheet_would_calculate_becomes_text(said: str, cell: str) -> None:
    assert export._spreadsheet_text(said) == cell


async def test_no_answer_is_a_formula_in_a_spreadsheet(tmp_path: Path, duet: Path) -> None:
    said = '=HYPERLINK("http://x")'
    model = player(target=lambda fields, messages: said)
    place = Bench.reading(duet.parent, tmp_path, model)
    await place.run([line(1, question="@SUM(1)", answers=[said])], max_iterations=1)
    for form in ("jsonl", "csv", "parquet"):
        export.export_table(place.out, tmp_path / f"x.{form}")
    kept = json.loads((tmp_path / "x.jsonl").read_text().splitlines()[0])
    assert (kept["answer"], kept["answers"]) == (said, [said])
    assert parquet.read_table(tmp_path / "x.parquet").to_pylist()[0]["answer"] == said
    first = read_csv(tmp_path / "x.csv")[0]
    assert (first["answer"], first["question"]) == (f"'{said}", f"'{kept['question']}")
    assert kept["question"].startswith("@") and first["score"] == str(kept["score"])


def test_a_training_set_holds_the_reasoning_that_was_good_enough(ran: Path, tmp_path: Path) -> None:
    assert export_training_set(ran, tmp_path / "t.jsonl").examples == 1
    example = json.loads((tmp_path / "t.jsonl").read_text())
    user, assistant = example["messages"]
    assert user["content"] == [
        {"type": "video", "video": "duet.mp4"},
        {"type": "audio", "audio": "duet.mp4"},
        {"type": "text", "text": "What is heard (1)?\nA. ohne\nB. with"},
    ]
    said = assistant["content"][0]["text"].splitlines()
    assert said[0].startswith("1. Find What is heard (1)?.") and "found" in said[0]
    assert said[-1] == "Answer: B. with"
    assert (example["id"], example["score"], example["right"], example["answers"]) == ("q1", 9, True, ["with"])
    assert (example["generator"], example["licence"]) == ("scripted:one", "unknown")
    assert export_training_set(ran, tmp_path / "t.jsonl", TrainingOptions(4)).examples == 2
    second = json.loads((tmp_path / "t.jsonl").read_text().splitlines()[1])
    assert (second["right"], second["licence"]) == (True, "MIT")


@pytest.mark.filterwarnings("ignore")
def test_trl_loads_the_rows_and_hands_the_clip_to_the_processor(ran: Path, tmp_path: Path) -> None:
    trainer = pytest.importorskip("trl.trainer.sft_trainer", reason="trl is not installed")
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    import torch

    export_training_set(ran, tmp_path / "t.jsonl", TrainingOptions(4, media=str(tmp_path)))
    rows = list(
        datasets.load_dataset(
            "json", data_files=str(tmp_path / "t.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
        )
    )
    heard: list[Any] = []

    class Processor:
        tokenizer = SimpleNamespace(pad_token_id=0, padding_side="right")

        def apply_chat_template(self, messages: Any, **options: Any) -> dict[str, Any]:
            heard.extend(messages)
            ones = torch.ones((len(messages), 3), dtype=torch.long)
            return {"input_ids": ones, "attention_mask": ones}

    # The trainer chooses this collator for rows with the key `images`, and drops the media of all others.
    assert all("images" in row for row in rows)
    batch = trainer.DataCollatorForVisionLanguageModeling(Processor())(rows)
    assert batch["input_ids"].shape == (2, 3)
    for messages in heard:
        clip, sound, _ = messages[0]["content"]
        assert (clip["type"], clip["video"]) == ("video", f"{tmp_path}/duet.mp4")
        assert (sound["type"], sound["audio"]) == ("audio", f"{tmp_path}/duet.mp4")
        assert messages[1]["content"][0]["text"].count("Answer: ") == 1


@pytest.mark.parametrize("style", ["swift", "llama-factory"])
def test_other_trainers_get_marks_in_the_text_and_lists_of_files(ran: Path, tmp_path: Path, style: Any) -> None:
    options = TrainingOptions(4, style, media="/data/clips/")
    assert export_training_set(ran, tmp_path / "t.jsonl", options).examples == 2
    for line_text in (tmp_path / "t.jsonl").read_text().splitlines():
        example = json.loads(line_text)
        user, assistant = example["messages"]
        assert user["content"].startswith("<video><audio>What is heard")
        assert example["videos"] == example["audios"] == ["/data/clips/duet.mp4"]
        assert assistant["content"].count("Answer: ") == 1
    info = tmp_path / "dataset_info.json"
    assert info.exists() == (style == "llama-factory")
    if info.exists():
        assert json.loads(info.read_text())["t"]["columns"]["videos"] == "videos"


@pytest.mark.filterwarnings("ignore")
def test_ms_swift_finds_clip_and_sound_in_the_sample(ran: Path, tmp_path: Path, duet: Path) -> None:
    data = pytest.importorskip("swift.dataset", reason="ms-swift is not installed")
    from swift.template.template_inputs import StdTemplateInputs
    from swift.template.vision_utils import load_audio

    export_training_set(ran, tmp_path / "t.jsonl", TrainingOptions(4, "swift", media=str(duet.parent)))
    rows, _ = data.load_dataset([str(tmp_path / "t.jsonl")], load_from_cache_file=False)
    assert len(rows) == 2
    for row in rows:
        read = StdTemplateInputs.from_dict(row)
        assert read.videos == read.audios == [str(duet)]
        assert read.messages[0]["content"].startswith("<video><audio>What is heard")
        assert len(load_audio(read.audios[0], 16_000)) > 16_000


@pytest.mark.filterwarnings("ignore")
def test_llama_factory_finds_clip_and_sound_in_the_sample(ran: Path, tmp_path: Path, duet: Path) -> None:
    loader = pytest.importorskip("llamafactory.data.loader", reason="llamafactory is not installed")
    from llamafactory.data.template import TEMPLATES
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import Seq2SeqTrainingArguments

    export_training_set(ran, tmp_path / "t.jsonl", TrainingOptions(4, "llama-factory"))
    model, known = ModelArguments(model_name_or_path="none"), Seq2SeqTrainingArguments(output_dir=str(tmp_path))
    data = DataArguments(dataset="t", dataset_dir=str(tmp_path), media_dir=str(duet.parent))
    rows = loader._get_merged_dataset(["t"], model, data, known, "sft")
    assert len(rows) == 2
    plugin = TEMPLATES["qwen2_omni"].mm_plugin
    plugin.expand_mm_tokens = False
    parts = SimpleNamespace(image_processor=SimpleNamespace(merge_size=2), video_processor=1, feature_extractor=1)
    for row in rows:
        assert row["_videos"] == row["_audios"] == [str(duet)]
        said = plugin.process_messages(row["_prompt"], [], row["_videos"], row["_audios"], parts)[0]["content"]
        assert said.count("<|VIDEO|>") == said.count("<|AUDIO|>") == 1 and "<video>" not in said
        frames = plugin._regularize_videos(
            row["_videos"], image_max_pixels=65_536, image_min_pixels=256, video_fps=2.0, video_maxlen=16
        )
        assert len(frames["videos"][0]) >= 2
        assert len(plugin._regularize_audios(row["_audios"], 16_000)["audios"][0]) > 16_000


async def test_what_must_not_be_learned_is_left_out_counted_and_said(tmp_path: Path, duet: Path) -> None:
    """A right answer, a wrong one, an abstention, a caption, a question of a test split, a low score, and a failure."""

    def target(fields: dict[str, Any], messages: Any) -> Any:
        if "(7)" in fields["question"]:
            return ModelError("no answer")
        return {"(2)": "A. ohne", "(3)": "unknown"}.get(fields["question"][-4:-1], "B. with")

    def evaluator(fields: dict[str, Any], messages: Any) -> Any:
        return verdict(2 if "(6)" in fields["caption"] else 9)

    place = Bench.reading(duet.parent, tmp_path, player(target=target, evaluator=evaluator))
    lines = [line(number, choices=["ohne", "with"]) for number in range(1, 8)]
    lines[3] = line(4, column="av-captioning")
    lines[4]["source"] = {"dataset": "test", "split": "Test"}
    await place.run(lines, max_iterations=1)
    out = tmp_path / "t.jsonl"
    left_out = {"of a test split": 1, "that abstain or cannot be read": 1, "with reasoning scored below 8": 1}
    assert export_training_set(place.out, out) == (3, left_out | {"failed": 1})
    examples = [json.loads(text) for text in out.read_text().splitlines()]
    assert [(one["id"], one["right"]) for one in examples] == [("q1", True), ("q2", False), ("q4", None)]
    said = CliRunner().invoke(bench_app, ["export", str(place.out), "--out", str(out), "--training", "--right-only"])
    assert said.stderr.startswith("t.jsonl: 1 examples; left out: 2 not right, 1 ")
    card = (tmp_path / "t.jsonl.card.md").read_text()
    for reason in (*left_out, "failed"):
        assert f"1 {reason}" in said.stderr and f"1 {reason}" in card
    assert "right answers only;" in card and "| right: True | 1 |" in card


def test_an_unknown_style_is_refused(ran: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no style 'other'"):
        export_training_set(ran, tmp_path / "t.jsonl", TrainingOptions(style="other"))  # type: ignore[arg-type]


def test_status_counts_by_arm(ran: Path) -> None:
    found = export.run_status(ran)
    assert (found["questions"], found["answered"], found["failed"]) == (
        3,
        {"zero_shot": 2, "aurelia": 2},
        {"zero_shot": 1, "aurelia": 1},
    )
    assert (found["calls"], found["tokens"]) == (4 + 6 + 5 + 2, 15 * 17)
    assert found["cost_usd"] == pytest.approx(0.17)


def test_what_cannot_be_written_leaves_what_is_there(
    ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept.jsonl"
    kept.write_text("old")

    def broken(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"x.dat has no known format: name it .jsonl, .csv or .parquet"):
        export.export_table(ran, tmp_path / "x.dat")
    with pytest.raises(InputError, match="no run file 'none.run'"):
        export.export_table(tmp_path / "none.run", kept)
    monkeypatch.setattr("aurelia.bench.export.json.dumps", broken)
    with pytest.raises(InputError, match="kept.jsonl cannot be written: No space left on device"):
        export.export_table(ran, kept)
    assert kept.read_text() == "old"
    assert not list(tmp_path.glob("*.part"))

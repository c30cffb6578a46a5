"""`aurelia train` from run files to an adapter that plays a role, with tiny random weights of a real architecture."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from aurelia.bench.runner import RunResources
from aurelia.run.ask import answer_question
from aurelia.train import trainer as trainers
from aurelia.train.examples import ExampleSelection, select_examples
from aurelia.train.memory import estimate_memory
from aurelia.train.requests import ExampleRequests
from aurelia.train.run import train_on_runs
from aurelia.train.settings import TrainSettings
from aurelia_core.errors import InputError, MediaError, ModelError, StorageError
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.client import ModelClient
from aurelia_core.models.local import loading
from aurelia_core.models.local.chat import LocalChat, make_local
from aurelia_core.models.local.loading import choose_placement, load_model, load_processor_with_writer
from aurelia_core.models.local.training import SampleEncoder
from aurelia_core.models.local.weights import find_weights
from state.context import make_context
from targets import find_target
from tests.support import tiny_qwen_omni
from tests.support.scripted import scripted
from tests.support.stage import no_wait
from tests.train.conftest import CLIPS, Runs, record

pytestmark = pytest.mark.slow
FAST = TrainSettings(rank=4, rate=0.02, max_steps=4, batch=2, every=2)
ROOT = Path(__file__).parents[2]


async def made(runs: Runs) -> Path:
    return await runs.make("a", [record(number) for number in range(CLIPS)])


def spec(folder: Path) -> str:
    return f"transformers:{folder}"


def logits(name: str, runs: Runs, example: Any) -> torch.Tensor:
    """What a model thinks of every token of an example."""
    weights = find_weights(name)
    loaded = load_processor_with_writer(weights)
    encoder = SampleEncoder(weights.model_id, loaded, runs.resources.clip_store(), torch.float32)
    requests = ExampleRequests(f"transformers:{name}", runs.resources.clip_store(), {example.run: {"frames": 2}})
    inputs = encoder.encode(requests.messages(example), example.reply).inputs
    with torch.no_grad():
        found: torch.Tensor = load_model(weights, choose_placement())(**inputs).logits
    return found


async def test_an_adapter_is_trained_described_and_plays_a_role(runs: Runs, tiny_omni: Path) -> None:
    run, out, lines = await made(runs), runs.folder / "adapter", list[str]()
    settings = FAST
    trained = train_on_runs([run], spec(tiny_omni), out, runs.resources, None, settings, lines.append)
    assert trained.record["result"]["steps"] == 4 and trained.record["result"]["held_out_loss"] > 0
    assert sorted(file.name for file in out.iterdir() if file.suffix != ".lock") == [
        "README.md", "adapter_config.json", "adapter_model.safetensors", "training.json",
    ]  # fmt: skip
    said = "\n".join(lines)
    assert said.index("its weights take about") < said.index("Memory: about") < said.index("step 2 of 4, held-out loss")
    assert said.count("step 4 of 4, held-out loss") == 1
    card = (out / "README.md").read_text()
    stored = json.loads((out / "training.json").read_text())
    assert stored == json.loads(json.dumps(trained.record))
    for part in ("a.run", stored["examples_sha256"][:16], "| trl |", "Clip and sound are in every example", "target"):
        assert part in card
    for file in out.iterdir():
        if file.suffix in (".json", ".md"):
            assert str(tiny_omni.parent) not in file.read_text()

    ledger = CallLedger(runs.settings.ledger_file, sleep=no_wait)
    play = scripted()
    client = ModelClient(runs.settings, ledger=ledger, providers={"scripted": lambda name, store: play})
    roles = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback"), "scripted:one")
    adapted = f"{spec(tiny_omni)}+{out}"
    question: Any = {"video": str(runs.media / "0.mp4"), "question": "What is heard?"}
    answers = []
    for target in (adapted, spec(tiny_omni)):
        context = make_context({**roles, "target": target, "frames": 2, "max_iterations": 1})
        answers.append(await answer_question(question, context, client=client))
    ledger.close()
    assert answers[0]["reply"] != answers[1]["reply"]
    assert len(loading._engines) == 2
    assert [engine.prefixes.encoded_count for engine in loading._engines.values()] == [1, 1]


async def test_every_sample_holds_the_frames_and_the_sound_of_its_clip(runs: Runs, tiny_omni: Path) -> None:
    run = await made(runs)
    examples = select_examples([run], ExampleSelection(("use",), held_out=0)).train
    weights = find_weights(str(tiny_omni))
    loaded, store = load_processor_with_writer(weights), runs.resources.clip_store()
    encoder = SampleEncoder(weights.model_id, loaded, store, torch.float32)
    requests = ExampleRequests(spec(tiny_omni), store, {run.name: {"frames": 2}})
    samples = [encoder.encode(requests.messages(example), example.reply) for example in examples]
    for sample in samples:
        assert sample.media_count == 3
        assert sample.inputs["image_grid_thw"].shape[0] == 2
        assert sample.inputs["input_features"].abs().sum() > 0
        learned = sample.inputs["labels"][0]
        assert (learned != -100).sum() == sample.reply_length and (learned[-sample.reply_length :] >= 0).all()
    assert not torch.equal(samples[0].inputs["input_features"], samples[1].inputs["input_features"])
    text = loaded.processor.tokenizer.decode(samples[0].inputs["input_ids"][0])
    assert "Find What is heard (0)?." in text and text.endswith("Answer: What is heard (0)? answer<|im_end|>")


async def test_the_request_of_a_sample_is_the_one_that_inference_sends(
    runs: Runs, tiny_omni: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await made(runs)
    example = next(e for e in select_examples([run], ExampleSelection(("use",), held_out=0)).train if e.id == "q0")
    requests = ExampleRequests(spec(tiny_omni), runs.resources.clip_store(), {run.name: {"frames": 2}})
    sent: list[Any] = []

    def heard(self: LocalChat, messages: Any, *more: Any) -> Any:
        sent.append(self._converter.parse(messages))
        raise ModelError("heard")

    monkeypatch.setattr(LocalChat, "_answer", heard)
    ledger = CallLedger(runs.settings.ledger_file, sleep=no_wait)
    play = scripted(generator=lambda fields, messages: {**example.reasoning})
    client = ModelClient(runs.settings, ledger=ledger, providers={"scripted": lambda name, store: play})
    roles = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback"), "scripted:one")
    context = make_context({**roles, "target": spec(tiny_omni), "frames": 2, "max_iterations": 1, "compare": False})
    question: Any = {"video": str(runs.media / "0.mp4"), "question": example.record.question}
    with pytest.raises(ModelError, match="heard"):
        await answer_question(question, context, client=client)
    ledger.close()
    chat = LocalChat(weights=find_weights(str(tiny_omni)), placement=choose_placement(), store=client.store)
    wanted = chat._converter.parse(requests.messages(example))
    asked = next(one for one in sent if "Find" in one.turns[0][1])
    assert (asked.system, asked.clip_facts, asked.turns) == (wanted.system, wanted.clip_facts, wanted.turns)
    assert asked.clip.cache_key == wanted.clip.cache_key


async def test_merging_changes_what_the_training_changed_and_the_base_stays(runs: Runs, tiny_omni: Path) -> None:
    run, out = await made(runs), runs.folder / "adapter"
    before = logits(str(tiny_omni), runs, select_examples([run], ExampleSelection(held_out=0)).train[0])
    train_on_runs([run], spec(tiny_omni), out, runs.resources, ExampleSelection(held_out=0), FAST)
    example = select_examples([run], ExampleSelection(held_out=0)).train[0]
    assert torch.equal(logits(str(tiny_omni), runs, example), before)
    assert not torch.allclose(logits(f"{tiny_omni}+{out}", runs, example), before)


async def test_adapters_that_change_the_encoders_have_their_own_encodings(runs: Runs, tiny_omni: Path) -> None:
    run, found = await made(runs), dict[str, str]()
    for seed in (0, 1):
        out = runs.folder / f"adapter-{seed}"
        settings = TrainSettings(rank=4, rate=0.02, max_steps=2, batch=1, layers="all", seed=seed)
        train_on_runs([run], spec(tiny_omni), out, runs.resources, ExampleSelection(held_out=0), settings)
        weights = find_weights(f"{tiny_omni}+{out}")
        model = load_model(weights, choose_placement())
        towers = [p.detach().sum().item() for name, p in model.named_parameters() if "visual" in name]
        found[weights.fingerprint] = str(towers)
    plain = load_model(find_weights(str(tiny_omni)), choose_placement())
    found[find_weights(str(tiny_omni)).fingerprint] = str(
        [p.detach().sum().item() for name, p in plain.named_parameters() if "visual" in name]
    )
    assert len(set(found.values())) == len(found) == 3


@pytest.mark.timeout(300)
async def test_a_killed_training_resumes_after_its_last_whole_checkpoint(runs: Runs, tiny_omni: Path) -> None:
    check_killed_training(await made(runs), runs, tiny_omni)


def check_killed_training(run: Path, runs: Runs, tiny_omni: Path) -> None:
    out = runs.folder / "adapter"
    options = ["--max-steps", "6", "--batch", "2", "--every", "2", "--rank", "4", "--held-out", "0"]
    command = [sys.executable, "-m", "aurelia", "train", str(run), "--base", spec(tiny_omni), "--out", str(out)]
    command += ["--media", str(runs.media), *options]
    environment = {**os.environ, "AURELIA_HOME": str(runs.settings.home), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr
    for line in process.stderr:
        if line.startswith("step 3"):
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    broken = out / "checkpoints" / "checkpoint-4"
    broken.mkdir(exist_ok=True)
    (broken / "trainer_state.json").unlink(missing_ok=True)
    other = subprocess.run([*command, "--rate", "1"], env=environment, capture_output=True, text=True)
    assert other.returncode == 2 and "another --rate:" in other.stderr
    again = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "Resumed after step 2." in again.stderr and "step 1 of" not in again.stderr
    assert again.stdout.strip() == f"{spec(tiny_omni)}+{out}"
    assert json.loads((out / "training.json").read_text())["result"]["steps"] == 6
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "is trained already" in done.stderr and time.monotonic() - began < 60


async def test_too_little_memory_is_named_with_the_remedy(
    runs: Runs, tiny_omni: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await made(runs)

    def full(*arguments: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainers, "_run", full)
    with pytest.raises(ModelError, match="does not fit into the memory of cpu: set AURELIA_LOCAL_DTYPE=bfloat16, make"):
        train_on_runs([run], spec(tiny_omni), runs.folder / "x", runs.resources, ExampleSelection(held_out=0), FAST)


def test_the_estimate_counts_weights_adapter_and_the_longest_example(tiny_omni: Path) -> None:
    model = load_model(find_weights(str(tiny_omni)), choose_placement())
    found = estimate_memory(model, choose_placement(), FAST, longest=100, adapted=1000)
    assert found.weights == 4 * sum(p.numel() for p in model.parameters())
    assert found.adapter == 16_000
    assert found.activations == (2 + 18) * 100 * 64 * 4
    assert found.total < found.free


async def test_a_clip_that_is_missing_is_named_before_anything_is_loaded_or_stored(runs: Runs, tiny_omni: Path) -> None:
    run, out, lines = await made(runs), runs.folder / "adapter", list[str]()
    media = runs.folder / "some"
    media.mkdir()
    for number in range(CLIPS - 1):
        (media / f"{number}.mp4").write_bytes((runs.media / f"{number}.mp4").read_bytes())
    resources = RunResources(runs.settings, media)
    with pytest.raises(MediaError, match=r"3.mp4 does not exist.*Name the folder of the clips of a.run with --media"):
        train_on_runs([run], spec(tiny_omni), out, resources, None, FAST, lines.append)
    assert not (out / "training.json").exists() and not [line for line in lines if "Loading" in line]
    with pytest.raises(StorageError, match=r"folder .a.run. cannot be used \(File exists\): name another with --out"):
        train_on_runs([run], spec(tiny_omni), run, runs.resources, None, FAST)


@pytest.mark.parametrize("name", ["trl", "peft", "bitsandbytes"])
async def test_a_missing_package_is_named_with_the_command(
    name: str, runs: Runs, tiny_omni: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda one, *more: None if one == name else find(one, *more))
    settings = TrainSettings(qlora=name == "bitsandbytes")
    with pytest.raises(InputError, match=rf"not installed \({name}\): pip install"):
        train_on_runs([runs.folder / "no.run"], spec(tiny_omni), runs.folder / "x", runs.resources, None, settings)


@pytest.mark.parametrize(
    ("base", "said"),
    [("openai:gpt-4o", "only open weights on this machine"), ("transformers:", "only open weights on this machine")],
)
def test_only_local_weights_are_trained(base: str, said: str, runs: Runs) -> None:
    with pytest.raises(InputError, match=said):
        train_on_runs([runs.folder / "no.run"], base, runs.folder / "x", runs.resources)


def test_4_bits_need_a_gpu() -> None:
    with pytest.raises(InputError, match="needs a CUDA device"):
        trainers.check_devices(choose_placement()._replace(device="cpu"), qlora=True)


async def test_an_adapter_that_cannot_be_used_is_refused_before_anything_runs(
    runs: Runs, tiny_omni: Path, tmp_path: Path
) -> None:
    run, out = await made(runs), runs.folder / "adapter"
    train_on_runs([run], spec(tiny_omni), out, runs.resources, ExampleSelection(held_out=0), FAST)
    sizes = {**tiny_qwen_omni.SIZES, "text": {**tiny_qwen_omni.SIZES["text"], "num_hidden_layers": 1}}
    other = tiny_qwen_omni.write(tmp_path / "other", sizes=sizes)
    with pytest.raises(InputError, match="does not fit this base .it was trained on tiny-omni."):
        find_weights(f"{other}+{out}")
    marked = out.rename(runs.folder / "plan+use")
    assert find_weights(f"{tiny_omni}+{marked}").model_id == "transformers:tiny-omni+plan+use"
    marked.rename(out)
    (out / "training.json").unlink()
    with pytest.raises(InputError, match="does not fit this base"):
        load_model(find_weights(f"{other}+{out}"), choose_placement())
    with pytest.raises(InputError, match="There is no adapter 'none'"):
        find_weights(f"{tiny_omni}+{tmp_path / 'none'}")
    with pytest.raises(InputError, match="has an adapter already"):
        find_weights(f"{tiny_omni}+{out}+{out}")
    with pytest.raises(InputError, match="train an adapter of the base alone"):
        train_on_runs([run], f"{spec(tiny_omni)}+{out}", runs.folder / "y", runs.resources)
    (out / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match="pickled weights are not loaded"):
        find_weights(f"{tiny_omni}+{out}")
    (out / "adapter_config.json").write_text('{"peft_type": "IA3"}')
    with pytest.raises(InputError, match="only LoRA adapters are merged"):
        find_weights(f"{tiny_omni}+{out}")


def test_an_adapter_is_asked_as_its_base_is() -> None:
    assert find_target("transformers:mini+somewhere/adapter") is find_target("transformers:mini")
    assert find_target("transformers:mini+somewhere/plan+use") is find_target("transformers:mini")
    assert find_target("transformers:Qwen/Qwen2.5-Omni-7B+a") is find_target("transformers:Qwen/Qwen2.5-Omni-7B")


def test_a_run_with_a_media_folder_takes_weights_from_any_folder_of_a_person_and_of_nobody_else(
    runs: Runs, tiny_omni: Path
) -> None:
    assert make_local(str(tiny_omni), runs.resources.clip_store()).weights.folder == tiny_omni.resolve()
    served = RunResources(replace(runs.settings, allow_any_file=False), runs.media)
    with pytest.raises(InputError, match="below the folders of AURELIA_LOCAL_MODELS"):
        make_local(str(tiny_omni), served.clip_store())

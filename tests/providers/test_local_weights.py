"""Local weights that are missing, damaged or of another kind: found, named, refused, each with what to do."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Qwen2_5OmniConfig, Qwen2_5OmniForConditionalGeneration

from aurelia.cli.doctor import examine_machine, render_findings
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.capabilities import WeightsFamily, find_family
from aurelia_core.models.client import ModelClient
from aurelia_core.models.local import loading as local_load
from aurelia_core.models.local.content import RequestConverter
from aurelia_core.models.local.processor import ModelSenses
from aurelia_core.models.local.prompt_writer import PromptWriter
from aurelia_core.models.local.weights import find_weights, missing_weights
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.settings import Settings
from aurelia_core.types import MediaRef
from tests.support import tiny_qwen_omni
from tests.support.clips import film
from tests.support.local_fixtures import local
from tests.support.requests import compose_messages

HUB = "Qwen/Qwen2.5-Omni-3B"


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty hub cache, and no choices of the operator."""
    for name in ("DTYPE", "CACHE_MB", "TOKENS", "THREADS", "MODELS"):
        monkeypatch.delenv(f"AURELIA_LOCAL_{name}", raising=False)
    monkeypatch.setenv("AURELIA_LOCAL_DEVICE", "cpu")
    from huggingface_hub import constants

    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def copy(tiny_omni: Path, tmp_path: Path) -> Path:
    """A checkpoint that a test may spoil."""
    return Path(shutil.copytree(tiny_omni, tmp_path / "spoilt"))


@pytest.fixture
def desk(settings: Settings, session_store: ClipStore) -> Iterator[ModelClient]:
    yield ModelClient(settings, store=session_store)
    local_load.unload_all()


def refused(desk: ModelClient, name: Any) -> str:
    with pytest.raises(InputError) as raised:
        desk.model(f"transformers:{name}")
    said = str(raised.value)
    assert "\n" not in said and "/tmp" not in said and len(said) < 400
    return said


def test_weights_that_are_not_there_come_with_the_command_that_gets_them(desk: ModelClient) -> None:
    assert refused(desk, HUB) == f"The weights of transformers:{HUB} are not on this machine: hf download {HUB}"
    assert "There is no folder 'nowhere'" in refused(desk, "/tmp/nowhere")
    assert missing_weights(HUB) == [f"the weights (hf download {HUB})"]


def test_a_downloaded_model_is_found_by_its_id_and_known_by_its_commit(hub: Path, tiny_omni: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = hub / "models--Qwen--Qwen2.5-Omni-3B"
    shutil.copytree(tiny_omni, folder / "snapshots" / commit)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    first = find_weights(HUB)
    assert (first.model_id, first.folder.name, first.model_type) == (
        f"transformers:{HUB}",
        commit,
        "qwen2_5_omni_thinker",
    )
    assert missing_weights(HUB) == []
    (folder / "snapshots" / commit / "model.safetensors").unlink()
    assert missing_weights(HUB) == [f"the weights (hf download {HUB})"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "contains no model: its config.json is missing"),
        (lambda folder: (folder / "config.json").write_text("[]"), "contains no model: its config.json is missing"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
        (
            lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
            "contains pickled weights",
        ),
        (
            lambda folder: (folder / "model.safetensors.index.json").write_text(
                json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors"}})
            ),
            "model-00001-of-00002.safetensors is missing",
        ),
        (
            lambda folder: (folder / "config.json").write_text('{"model_type": "brand_new_omni"}'),
            "has the architecture 'brand_new_omni', which this transformers cannot run",
        ),
        (
            lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'),
            "has the architecture 'bert', which this transformers cannot run",
        ),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "preprocessor_config.json is missing"),
        (lambda folder: (folder / "chat_template.jinja").unlink(), "transformers:spoilt has no usable chat template"),
    ],
)
def test_what_is_no_usable_model_is_named(desk: ModelClient, copy: Path, spoil: Any, said: str) -> None:
    spoil(copy)
    assert said in refused(desk, copy)


def test_weights_that_do_not_fit_their_config_fail_with_a_name(copy: Path, session_store: ClipStore) -> None:
    (copy / "model.safetensors").write_bytes(b"no tensors in here")
    with pytest.raises(InputError, match="transformers:spoilt cannot be loaded"):
        local(copy, session_store)


def test_a_server_reads_folders_only_below_those_that_are_allowed(
    tmp_path: Path, tiny_omni: Path, session_store: ClipStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = ModelClient(Settings(home=tmp_path / "served", media_roots=(tmp_path,)), store=None)
    assert "There is no folder 'tiny-omni' below the folders of AURELIA_LOCAL_MODELS" in refused(served, tiny_omni)
    monkeypatch.setenv("AURELIA_LOCAL_MODELS", str(tiny_omni.parent))
    assert served.model(f"transformers:{tiny_omni}")


def test_changed_weights_are_another_model(copy: Path) -> None:
    first = find_weights(str(copy)).fingerprint
    assert find_weights(str(copy)).fingerprint == first
    template = copy / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    second = find_weights(str(copy)).fingerprint
    tiny_qwen_omni.write(copy, seed=1)
    assert len({first, second, find_weights(str(copy)).fingerprint}) == 3


def test_of_a_model_that_also_speaks_only_what_writes_is_loaded(
    tiny_omni: Path, session_store: ClipStore, duet: Path, tmp_path: Path
) -> None:
    alone = local(tiny_omni, session_store)
    whole = Path(shutil.copytree(tiny_omni, tmp_path / "speaking"))
    config = Qwen2_5OmniConfig(thinker_config=alone.engine.model.config.to_dict(), enable_audio_output=False)
    model = Qwen2_5OmniForConditionalGeneration(config)
    model.thinker.load_state_dict(alone.engine.model.state_dict())
    model.save_pretrained(whole)
    (whole / "generation_config.json").unlink(missing_ok=True)
    request = alone.parse(session_store.admit(duet), "Say.")
    speaking = local(whole, session_store)
    assert json.loads((whole / "config.json").read_text())["model_type"] == "qwen2_5_omni"
    assert type(speaking.engine.model) is type(alone.engine.model)
    assert torch.equal(alone.logits(request), speaking.logits(request))


def heard_by(
    store: ClipStore, hears: bool, seconds: float | None = None, sees: Any = "images", rate: int = 16000
) -> RequestConverter:
    return RequestConverter(
        store, "transformers:other", ModelSenses(sees, hears, False, rate, seconds, WeightsFamily(most_frames=8))
    )


def test_a_model_that_cannot_hear_refuses_or_reads_what_was_measured(session_store: ClipStore, duet: Path) -> None:
    deaf, ref = heard_by(session_store, False), session_store.admit(duet)
    fields: dict[str, Any] = {"clip": ref, "tracks": [], "frames": 4, "when_deaf": "error"}
    with pytest.raises(InputError, match='transformers:other does not hear.*unsupported_modality = "evidence"'):
        deaf.check_clip(MediaRequest.parse(fields), sees_clip=True)
    deaf.check_clip(MediaRequest.parse(fields), sees_clip=False)
    fields["when_deaf"] = "evidence"
    request = deaf.parse(compose_messages("What?", fields, sees_clip=True))
    assert request.clip
    shown = deaf.head(request)
    assert "440 Hz" in "".join(block.get("text", "") for block in shown.blocks)
    assert (len(shown.images), shown.sounds, request.notes) == (
        4, [], ["transformers:other does not hear: it was given measurements of the sound instead."]
    )  # fmt: skip
    with pytest.raises(InputError, match="takes 8 images in one request, and this one has 16"):
        deaf.check_clip(MediaRequest.parse({**fields, "frames": 16}), sees_clip=True)
    blind = heard_by(session_store, True, sees="none")
    request = blind.parse(compose_messages("What?", fields, sees_clip=True))
    assert request.clip and "red" in blind.head(request).blocks[0]["text"]


def test_what_was_described_stands_once_for_what_the_model_cannot_take(session_store: ClipStore, duet: Path) -> None:
    deaf, ref = heard_by(session_store, False), session_store.admit(duet)
    fields: dict[str, Any] = {"clip": ref, "tracks": [], "frames": 4, "when_deaf": "describe:openai:ear"}
    assert deaf.missing_modalities(MediaRequest.parse(fields)) == ["sound"]
    assert heard_by(session_store, True).missing_modalities(MediaRequest.parse(fields)) == []
    fields |= {"described": {"sound": "A horn, twice."}, "looks": [[], [{"start": 0.5, "end": 1.0}]]}
    request = deaf.parse(compose_messages("What?", fields, sees_clip=True))
    assert request.clip
    shown = "".join(block.get("text", "") for block in [*deaf.head(request).blocks, *request.closer_look.blocks])
    assert shown.count("A horn, twice.") == 1
    assert "Hz" not in shown
    assert request.notes == [
        "transformers:other does not hear: it was given the description of the sound by openai:ear instead."
    ]
    asked = {**fields, "when_deaf": "error", "described": {}, "looks": [[]], "only": "sound"}
    hearing = heard_by(session_store, True)
    request = hearing.parse(compose_messages("What is heard?", asked, sees_clip=True))
    assert request.clip
    only = hearing.head(request)
    assert (len(only.images), len(only.sounds)) == (0, 1)


def test_sound_is_cut_into_parts_that_the_model_takes_at_its_rate(session_store: ClipStore, duet: Path) -> None:
    ref = session_store.admit(duet)
    converter = heard_by(session_store, True, 0.75, rate=8000)
    request = converter.parse(compose_messages("What?", {"clip": ref, "tracks": [], "frames": 4}, sees_clip=True))
    assert request.clip
    shown = converter.head(request)
    assert [len(part) for part in shown.sounds[:2]] == [6000, 6000]
    assert sum(map(len, shown.sounds)) == pytest.approx(16_000, abs=400)
    assert "0.75-1.50 s: " in "".join(block.get("text", "") for block in shown.blocks)
    loud = [float(np.abs(part).max()) for part in shown.sounds]
    assert loud[0] > 0.1 > loud[-1]


def test_a_silent_clip_is_shown_without_sound(session_store: ClipStore, tmp_path: Path, tiny_omni: Path) -> None:
    ref: MediaRef = session_store.admit(film(tmp_path / "silent.mp4"))
    model = local(tiny_omni, session_store)
    request = model.parse(ref, "Say.")
    head = model.converter.head(request)
    assert not head.sounds and all(shown.sound is None for shown in head.videos)
    assert model.encoded(request, reuse=True).media_count == len(head.images) + len(head.videos) > 0
    assert "It has no sound track" in request.clip_facts


NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}{% if c['type'] == 'image' %}<|IMAGE|>"
    "{% elif c['type'] == 'audio' %}<|AUDIO|>{% else %}{{ c['text'] | trim }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}"
)


def test_a_model_without_a_system_role_reads_it_first(copy: Path, session_store: ClipStore, duet: Path) -> None:
    (copy / "chat_template.jinja").write_text(NO_SYSTEM)
    weights = find_weights(str(copy))
    reader = local_load.load_processor_with_writer(weights)
    writer, converter = (
        PromptWriter(weights.model_id, reader.processor, reader.senses),
        RequestConverter(session_store, "x", reader.senses),
    )
    request = converter.parse(
        compose_messages("Say.", {"clip": session_store.admit(duet), "tracks": [], "frames": 2}, sees_clip=True)
    )
    text = writer.conversation_text(request, [{"type": "image"}])
    assert text.startswith("<|im_start|>user\nYou take part in answering") and text.count("You take part") == 1
    assert text.startswith(writer.head_text(request, [{"type": "image"}]))
    assert text.index("You take part") < text.index("<|IMAGE|>") < text.index("About the clip") < text.index("Say.")


def test_the_table_knows_the_native_families_and_says_what_was_tried() -> None:
    known = ("qwen2_5_omni", "qwen3_omni_moe", "gemma4", "phi4_multimodal", "nemotron_h_omni")
    rows = [find_family(name) for name in known]
    assert all(row and row.hears and row.sees != "none" for row in rows)
    assert find_family("qwen2_5_omni_thinker") == find_family("qwen2_5_omni")
    assert rows[0] and (rows[0].state, rows[0].reuse) == ("tested", True)
    assert find_family("brand_new_omni") is None


def test_doctor_says_where_weights_run_and_what_profiles_lack(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = examine_machine(settings)
    lacks = {profile["name"]: profile["lacks"] for profile in found["profiles"]}
    assert lacks["local"] == ["the weights (hf download Qwen/Qwen2.5-Omni-7B)"]
    assert "the weights (hf download google/gemma-4-E4B-it)" in lacks["open-agents"]
    assert "Local weights: cpu, float32, 2048 MB for cached clips; clips are shown " in render_findings(found)
    monkeypatch.setenv("AURELIA_LOCAL_DTYPE", "int2")
    assert "AURELIA_LOCAL_DTYPE='int2' cannot be used" in render_findings(examine_machine(settings))

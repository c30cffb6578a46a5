"""Local weights: one encoding per clip gives what encoding it again gives; it is made once, kept, dropped, mended."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from aurelia_core.errors import ModelError
from aurelia_core.media import ClipStore
from aurelia_core.models.local.prefix_cache import PrefixCache
from aurelia_core.types import MediaRef
from tests.support.clips import tune
from tests.support.local_fixtures import Local, changed, clip, local
from tests.support.stage import DUET

CLOSE = 2e-5
LOOKS: dict[str, Any] = {"looks": [[], [{"start": 0.2, "end": 0.9}, {"start": 1.0, "end": 1.6}]]}


@pytest.fixture
def model(tiny_omni: Path, session_store: ClipStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Local]:
    for name in ("DTYPE", "CACHE_MB", "TOKENS", "THREADS"):
        monkeypatch.delenv(f"AURELIA_LOCAL_{name}", raising=False)
    monkeypatch.setenv("AURELIA_LOCAL_DEVICE", "cpu")
    yield local(tiny_omni, session_store)


@pytest.fixture
def duet_clip(session_store: ClipStore, duet: Path) -> MediaRef:
    return session_store.admit(duet)


def counts(model: Local) -> tuple[int, int]:
    return model.engine.prefixes.encoded_count, model.engine.prefixes.hit_count


@pytest.mark.parametrize("more", [{}, LOOKS], ids=["whole", "closer look"])
def test_reuse_changes_nothing(model: Local, duet_clip: MediaRef, more: dict[str, Any]) -> None:
    model.said(model.parse(duet_clip, "You are the Evaluator. Judge."))
    request = model.parse(duet_clip, "You are the Reasoning Generator. What is heard?", **more)
    reused, whole = model.encoded(request, reuse=True), model.encoded(request, reuse=False)
    assert reused.inputs["input_ids"].tolist() == whole.inputs["input_ids"].tolist()
    assert (reused.cached_tokens > 250, whole.cached_tokens) == (True, 0)
    assert bool(request.closer_look.media_count) == bool(more)
    assert reused.media_count == request.closer_look.media_count, "only a closer look is encoded anew"
    one, other = model.logits(request), model.logits(request, reuse=False)
    assert (one - other).abs().max().item() < CLOSE
    assert one.abs().max().item() > 1
    assert model.said(request).text == model.whole(request)


def test_the_first_request_on_a_clip_gives_the_same_too(model: Local, duet_clip: MediaRef) -> None:
    request = model.parse(duet_clip, "What is heard?")
    assert (model.logits(request) - model.logits(request, reuse=False)).abs().max().item() < CLOSE


def test_sound_and_picture_each_matter_and_keep_their_own_encoding(
    model: Local, session_store: ClipStore, duet_clip: MediaRef, tmp_path: Path
) -> None:
    heard = clip(session_store, tmp_path / "heard.mp4", changed(DUET, "sounds", 0, pitch=1760.0))
    seen = clip(session_store, tmp_path / "seen.mp4", changed(DUET, "shapes", 0, colour="yellow", x=0.5))
    asked = {name: model.parse(ref, "Say.") for name, ref in (("duet", duet_clip), ("heard", heard), ("seen", seen))}
    first = {name: model.logits(request) for name, request in asked.items()}
    assert counts(model) == (3, 0)
    again = {name: model.logits(request) for name, request in asked.items()}
    assert counts(model) == (3, 3)
    for name in asked:
        assert torch.equal(first[name], again[name])
        assert all((first[name] - first[other]).abs().max() > 1e-3 for other in asked if other != name)


def test_clips_of_other_lengths_take_turns(
    model: Local, session_store: ClipStore, duet_clip: MediaRef, tmp_path: Path
) -> None:
    short = clip(session_store, tmp_path / "wide.mp4", {**DUET, "width": 480, "height": 120, "sounds": []})
    asked = [model.parse(duet_clip, "Say."), model.parse(short, "Say.", frames=2)]
    lengths = [model.said(request).prompt.length for request in asked]
    assert abs(lengths[0] - lengths[1]) > 20
    for request in (*asked, *asked):
        one = model.logits(request)
        assert (one - model.logits(request, reuse=False)).abs().max().item() < CLOSE
        other = asked[0] if request is asked[1] else asked[1]
        model.logits(other)
        assert torch.equal(model.logits(request), one)
    assert counts(model)[0] == 2


def test_a_longer_conversation_starts_from_the_same_head(model: Local, duet_clip: MediaRef) -> None:
    request = model.parse(duet_clip, "Score it.")
    model.said(request)
    longer = request._replace(turns=[*request.turns, ("assistant", "seven"), ("user", "That reply cannot be used.")])
    assert (model.logits(longer) - model.logits(longer, reuse=False)).abs().max().item() < CLOSE
    assert (model.logits(request) - model.logits(request, reuse=False)).abs().max().item() < CLOSE
    assert counts(model)[0] == 1


def test_separate_tracks_are_part_of_the_head(
    model: Local, session_store: ClipStore, duet_clip: MediaRef, tmp_path: Path
) -> None:
    high = session_store.admit(tune(tmp_path / "high.wav", seconds=1.0, tone=2000.0), kind="audio")
    low = session_store.admit(tune(tmp_path / "low.wav", seconds=1.5, tone=200.0), kind="audio")
    one, other = model.parse(duet_clip, "Which?", [high, low]), model.parse(duet_clip, "Which?", [low, high])
    assert (model.logits(one) - model.logits(other)).abs().max() > 1e-3
    assert (model.logits(one) - model.logits(one, reuse=False)).abs().max().item() < CLOSE
    assert counts(model) == (2, 1)


def test_a_text_that_changes_the_heads_last_token_is_encoded_again(model: Local, duet_clip: MediaRef) -> None:
    # Before a space the head's last two line breaks are one token, before a letter two.
    model.said(model.parse(duet_clip, " Say what is heard."))
    request = model.parse(duet_clip, "Say what is heard.")
    assert (model.logits(request) - model.logits(request, reuse=False)).abs().max().item() < CLOSE
    assert (model.logits(request) - model.logits(request, reuse=False)).abs().max().item() < CLOSE
    assert counts(model) == (2, 1)


def test_the_least_recently_used_clip_is_dropped_by_size(
    model: Local, session_store: ClipStore, duet_clip: MediaRef, tmp_path: Path
) -> None:
    refs = [
        duet_clip,
        *(clip(session_store, tmp_path / f"{n}.mp4", changed(DUET, "sounds", 0, pitch=500.0 + n)) for n in (1, 2)),
    ]
    asked = [model.parse(ref, "Say.") for ref in refs]
    model.said(asked[0])
    prefixes = model.engine.prefixes
    prefixes.max_bytes = int(prefixes.total_bytes * 2.5)
    model.said(asked[1])
    model.said(asked[0])
    model.said(asked[2])
    assert (len(prefixes), counts(model)) == (2, (3, 1))
    assert prefixes.total_bytes <= prefixes.max_bytes
    model.said(asked[0])
    assert counts(model) == (3, 2), "the one in use stayed"
    model.said(asked[1])
    assert counts(model) == (4, 2), "the oldest one went"


def test_a_clip_too_large_to_keep_is_answered_all_the_same(model: Local, duet_clip: MediaRef) -> None:
    model.engine.prefixes = PrefixCache(1000)
    request = model.parse(duet_clip, "Say.")
    said = model.said(request)
    assert said.text == model.whole(request)
    assert (len(model.engine.prefixes), said.prompt.cached_tokens) == (0, 0)


def broken(model: Local, fault: Exception, times: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Makes the model's own forward fail so many times; returns the calls that reached it."""
    tower, calls = model.engine.model.model.language_model, [0]
    real = type(tower).forward

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] <= times:
            raise fault
        return real(self, *args, **kwargs)

    monkeypatch.setattr(type(tower), "forward", forward)
    return calls


def test_a_failure_drops_the_kept_encoding(model: Local, duet_clip: MediaRef, monkeypatch: pytest.MonkeyPatch) -> None:
    request = model.parse(duet_clip, "Say.")
    before = model.said(request).text
    broken(model, RuntimeError("cuBLAS gave up"), 1, monkeypatch)
    with pytest.raises(ModelError, match=r"transformers:tiny-omni failed \(RuntimeError: cuBLAS gave up\)"):
        model.said(request)
    assert len(model.engine.prefixes) == 0
    assert model.said(request).text == before


@pytest.mark.parametrize(
    "fault", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_without_memory_kept_clips_go_first_and_then_the_remedy_is_named(
    model: Local, duet_clip: MediaRef, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    request = model.parse(duet_clip, "Say.")
    before = model.said(request).text
    other = model.parse(duet_clip, "Say.", frames=2)
    model.said(other)
    with monkeypatch.context() as once:
        broken(model, fault, 1, once)
        assert model.said(request).text == before
    with monkeypatch.context() as always:
        broken(model, fault, 10_000, always)
        with pytest.raises(ModelError, match="does not fit into the memory of cpu.*lower frames") as raised:
            model.said(request)
    assert not raised.value.transient
    assert model.said(request).text == before

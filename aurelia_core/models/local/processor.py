"""The processor of local weights: the family's own, or, where torchvision is missing, one without its video part.

A family's video processor needs torchvision, its image processor does not: without it a clip is shown as frames.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from aurelia_core.errors import InputError
from aurelia_core.models.capabilities import VisualInput, WeightsFamily, find_family
from aurelia_core.models.local.weights import Weights

_NAMING = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")


def load_options(weights: Weights) -> dict[str, Any]:
    """What every loader of transformers is request: nothing is downloaded, and whether the folder's own code runs."""
    # Left out, transformers would ask at the terminal whether to run it.
    return {"trust_remote_code": weights.trusted, "local_files_only": True}


class ModelSenses(NamedTuple):
    """What a model is given of a clip, and in which measure.

    Attributes:
        sees: none, images (frames after their times), or video (frames through its own video processor).
        hears: whether it takes sound.
        interleaved: whether the sound goes with the video into one part (only where `sees` is video).
        rate: samples a second of the sound.
        part_seconds: longest sound in one part; None: any.
        row: its row of the capability table; that of an unknown family where there is none.
    """

    sees: VisualInput
    hears: bool
    interleaved: bool
    rate: int
    part_seconds: float | None
    row: WeightsFamily


class MissingVideoProcessor:
    """Stands where a video processor would, for the parts of a processor that ask it for names."""

    model_input_names: list[str] = []
    valid_kwargs = None
    merge_size = 1
    temporal_patch_size = 1


def load_processor(weights: Weights) -> Any:
    """The processor that lies beside the weights.

    Raises:
        InputError: it is missing, damaged, or needs a package that is not there.
    """
    from transformers import AutoProcessor

    auto: Any = AutoProcessor
    try:
        return auto.from_pretrained(weights.folder, **load_options(weights))
    except (ImportError, RuntimeError) as fault:
        if "torchvision" not in str(fault).lower():
            raise _unusable(weights, fault) from fault
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as fault:
        raise _unusable(weights, fault) from fault
    try:
        return _without_video(weights)
    except (ImportError, RuntimeError, OSError, ValueError, TypeError, KeyError, AttributeError) as fault:
        raise _unusable(weights, fault) from fault


def senses_of(weights: Weights, processor: Any, config: Any = None) -> ModelSenses:
    """What the model is given: the table's row, or for an unknown family what its processor has parts for.

    Args:
        weights: the model.
        processor: its processor.
        config: its configuration: some members of a family come without an audio tower, whatever the processor has.
    """
    row = find_family(weights.model_type)
    if row is None:
        seeing, hearing = hasattr(processor, "image_processor"), _ears(processor) is not None
        row = WeightsFamily(sees="images" if seeing else "none", hears=hearing)
    row = _as_trained(weights, row)
    deaf = config is not None and getattr(config, "audio_config", config) is None
    ears = _ears(processor) if row.hears and not deaf else None
    video = getattr(processor, "video_processor", None)
    native = row.sees == "video" and video is not None and not isinstance(video, MissingVideoProcessor)
    sees: VisualInput = "video" if native else "images" if row.sees == "video" else row.sees
    rate = int(getattr(ears, "sampling_rate", 16_000) or 16_000)
    most = getattr(ears, "n_samples", None)
    part = row.audio_seconds or (most / rate if most else None)
    interleaved = native and ears is not None and hasattr(processor, "load_audio_from_video")
    return ModelSenses(sees, ears is not None, interleaved, rate, part, row)


def _as_trained(weights: Weights, row: WeightsFamily) -> WeightsFamily:
    """The row with what the checkpoint's own `clip.json` says: how clips were shown to it when it was trained.

    Raises:
        InputError: that file holds something else than fields of a row.
    """
    file = weights.folder / "clip.json"
    if not file.is_file():
        return row
    try:
        return WeightsFamily.model_validate({**row.model_dump(), **json.loads(file.read_text("utf-8"))})
    except (ValueError, TypeError):
        known = ", ".join(WeightsFamily.model_fields)
        raise InputError(
            f"clip.json of {weights.model_id} cannot be used: it may hold {known}, and nothing else."
        ) from None


def _ears(processor: Any) -> Any:
    return getattr(processor, "feature_extractor", None) or getattr(processor, "audio_processor", None)


def _without_video(weights: Weights) -> Any:
    """The family's processor put together from its parts, without the video processor."""
    from transformers import AutoFeatureExtractor, AutoImageProcessor, AutoTokenizer

    folder, request = weights.folder, load_options(weights)
    kind = _kind(folder, request)
    makers = {"tokenizer": AutoTokenizer, "image_processor": AutoImageProcessor}
    found, _ = kind.get_processor_dict(folder)
    parts = []
    for name in kind.get_attributes():
        maker: Any = makers.get(name, AutoFeatureExtractor)
        parts.append(MissingVideoProcessor() if name == "video_processor" else maker.from_pretrained(folder, **request))

    class Bare(kind):  # type: ignore[misc, valid-type]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            # transformers asks each part for its class; what stands for the missing one has none.
            known = super().check_argument_for_proper_class
            return (
                MissingVideoProcessor if isinstance(argument, MissingVideoProcessor) else known(argument_name, argument)
            )

        def to_dict(self) -> dict[str, Any]:
            return {name: value for name, value in super().to_dict().items() if name != "video_processor"}

    return Bare.from_args_and_dict(parts, found)


def _kind(folder: Path, request: dict[str, Any]) -> Any:
    """The processor's class, as one of the checkpoint's files names it."""
    import transformers

    for name in _NAMING:
        file = folder / name
        named = json.loads(file.read_text("utf-8")).get("processor_class") if file.is_file() else None
        if named and hasattr(transformers, named):
            return getattr(transformers, named)
    from transformers import AutoConfig
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    return PROCESSOR_MAPPING[type(AutoConfig.from_pretrained(folder, **request))]


def _unusable(weights: Weights, fault: Exception) -> InputError:
    said = " ".join(str(fault).split())
    remedy = "check that the folder holds all files of the checkpoint, and that transformers is new enough"
    for package in ("torchvision", "timm", "sentencepiece", "torchcodec", "librosa"):
        if package in said.lower():
            build = ", in the same build (CPU or CUDA) as torch" if package == "torchvision" else ""
            remedy = f"pip install {package}{build}"
            break
    return InputError(f"The processor of {weights.model_id} cannot be loaded ({type(fault).__name__}): {remedy}.")

"""Loads the processor of local weights: the family's own, or without torchvision one that lacks the video part.

A family's video processor needs torchvision, its image processor does not: without torchvision a clip is shown as
frames.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from aurelia_core.errors import InputError
from aurelia_core.models.capabilities import VisualInput, WeightsFamily, find_family
from aurelia_core.models.local.weights import Weights

_CLASS_FILES = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")


def load_options(weights: Weights) -> dict[str, Any]:
    """Options for every loader of transformers: no download, and whether the folder's own code may run."""
    # Without an explicit value transformers asks at the terminal whether to run the code.
    return {"trust_remote_code": weights.trusted, "local_files_only": True}


class ModelSenses(NamedTuple):
    """The parts of a clip that a model receives, and their limits.

    Attributes:
        sees: none, images (each frame after its time), or video (frames through its own video processor).
        hears: whether it accepts sound.
        audio_in_video: whether the sound is part of the video (only if `sees` is video).
        sample_rate: sample rate of the sound, Hz.
        part_seconds: longest sound in one part, seconds; None: no limit.
        family: its row of the capability table; default values for an unknown family.
    """

    sees: VisualInput
    hears: bool
    audio_in_video: bool
    sample_rate: int
    part_seconds: float | None
    family: WeightsFamily


class MissingVideoProcessor:
    """Replaces the video processor: it has the attributes that other parts of a processor read."""

    model_input_names: list[str] = []
    valid_kwargs = None
    merge_size = 1
    temporal_patch_size = 1


def load_processor(weights: Weights) -> Any:
    """The processor in the folder of the weights.

    Raises:
        InputError: it is missing or damaged, or needs a package that is not installed.
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
    """The model's inputs, from its row of the table; for an unknown family from the parts of its processor.

    Args:
        weights: the model.
        processor: its processor.
        config: its configuration: some members of a family have no audio tower, although their processor has one.
    """
    family = find_family(weights.model_type) or _unknown_family(processor)
    family = _with_checkpoint_values(weights, family)
    audio_processor = None
    lacks_audio_tower = config is not None and getattr(config, "audio_config", config) is None
    if family.hears and not lacks_audio_tower:
        audio_processor = _audio_processor(processor)
    hears = audio_processor is not None
    video_processor = getattr(processor, "video_processor", None)
    has_video_processor = video_processor is not None and not isinstance(video_processor, MissingVideoProcessor)
    sees: VisualInput = family.sees
    if sees == "video" and not has_video_processor:
        sees = "images"
    rate = int(getattr(audio_processor, "sampling_rate", 16_000) or 16_000)
    part_seconds = family.audio_seconds
    max_samples = getattr(audio_processor, "n_samples", None)
    if not part_seconds and max_samples:
        part_seconds = max_samples / rate
    audio_in_video = sees == "video" and hears and hasattr(processor, "load_audio_from_video")
    return ModelSenses(sees, hears, audio_in_video, rate, part_seconds, family)


def _unknown_family(processor: Any) -> WeightsFamily:
    sees: VisualInput = "none"
    if hasattr(processor, "image_processor"):
        sees = "images"
    return WeightsFamily(sees=sees, hears=_audio_processor(processor) is not None)


def _with_checkpoint_values(weights: Weights, family: WeightsFamily) -> WeightsFamily:
    """The row with the values of the checkpoint's own `clip.json`: how it received clips in training.

    Raises:
        InputError: the file has other keys than the fields of a row.
    """
    file = weights.folder / "clip.json"
    if not file.is_file():
        return family
    try:
        return WeightsFamily.model_validate({**family.model_dump(), **json.loads(file.read_text("utf-8"))})
    except (ValueError, TypeError):
        known = ", ".join(WeightsFamily.model_fields)
        raise InputError(f"clip.json of {weights.model_id} cannot be used: it may contain only {known}.") from None


def _audio_processor(processor: Any) -> Any:
    return getattr(processor, "feature_extractor", None) or getattr(processor, "audio_processor", None)


def _without_video(weights: Weights) -> Any:
    """The family's processor, built from its parts without the video processor."""
    from transformers import AutoFeatureExtractor, AutoImageProcessor, AutoTokenizer

    folder = weights.folder
    options = load_options(weights)
    processor_class = _processor_class(folder, options)
    loaders = {"tokenizer": AutoTokenizer, "image_processor": AutoImageProcessor}
    settings, _ = processor_class.get_processor_dict(folder)
    parts: list[Any] = []
    for name in processor_class.get_attributes():
        if name == "video_processor":
            parts.append(MissingVideoProcessor())
            continue
        loader: Any = loaders.get(name, AutoFeatureExtractor)
        parts.append(loader.from_pretrained(folder, **options))

    class ProcessorWithoutVideo(processor_class):  # type: ignore[misc, valid-type]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            # transformers checks the class of each part, and does not know this one.
            if isinstance(argument, MissingVideoProcessor):
                return MissingVideoProcessor
            return super().check_argument_for_proper_class(argument_name, argument)

        def to_dict(self) -> dict[str, Any]:
            return {name: value for name, value in super().to_dict().items() if name != "video_processor"}

    return ProcessorWithoutVideo.from_args_and_dict(parts, settings)


def _processor_class(folder: Path, options: dict[str, Any]) -> Any:
    """The processor's class, named in one of the checkpoint's files."""
    import transformers

    for name in _CLASS_FILES:
        file = folder / name
        if not file.is_file():
            continue
        class_name = json.loads(file.read_text("utf-8")).get("processor_class")
        if class_name and hasattr(transformers, class_name):
            return getattr(transformers, class_name)
    from transformers import AutoConfig
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    return PROCESSOR_MAPPING[type(AutoConfig.from_pretrained(folder, **options))]


def _unusable(weights: Weights, fault: Exception) -> InputError:
    text = str(fault).lower()
    remedy = "check that the folder contains all files of the checkpoint, and that transformers is new enough"
    for package in ("torchvision", "timm", "sentencepiece", "torchcodec", "librosa"):
        if package in text:
            remedy = f"pip install {package}"
            if package == "torchvision":
                remedy += ", in the same build (CPU or CUDA) as torch"
            break
    return InputError(f"The processor of {weights.model_id} cannot be loaded ({type(fault).__name__}): {remedy}.")

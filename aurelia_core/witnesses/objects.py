"""Which things are seen, how many, where and in what colour: OWLv2 for boxes, and SigLIP 2 as a second opinion.

A count is the largest that stays the same in neighbouring frames; a colour is that of the pixels inside the box.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from aurelia_core.arrays import Images, Vector
from aurelia_core.claims import Claim, ClaimKind, Finding
from aurelia_core.signals.colours import COLOUR_NAMES, colour_indices
from aurelia_core.signals.observation import describe_position
from aurelia_core.witnesses.base import ClipView, decide, threshold, undecided
from aurelia_core.witnesses.checkpoint import Checkpoint, WeightsWitness, load_checkpoint

_BOXES, _MATCHES = "owlv2", "siglip2"
_SIDES = frozenset({"left", "right", "centre", "top", "bottom"})


class Box(NamedTuple):
    """A thing on one frame: the number of the frame, its score 0..1, and its edges as fractions of the picture."""

    frame: int
    score: float
    left: float
    top: float
    right: float
    bottom: float

    @property
    def place(self) -> str:
        """Where its centre lies, in words."""
        return describe_position((self.left + self.right) / 2, (self.top + self.bottom) / 2)

    def overlap(self, other: "Box") -> float:
        """The shared part of both boxes, as a share of their union."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        return width * height / (self.area + other.area - width * height)

    @property
    def area(self) -> float:
        """Its share of the picture."""
        return (self.right - self.left) * (self.bottom - self.top)


class ObjectWitness(WeightsWitness):
    """Claims that a thing is seen, how many there are, where, and of what colour, by OWLv2."""

    name = _BOXES
    kinds: frozenset[ClaimKind] = frozenset({"object", "object_count", "place", "colour"})

    def check(self, claim: Claim, view: ClipView) -> Finding:
        """By the boxes of the claim's subject in frames of the window."""
        words = claim.get("subject", "")
        if not view.has_picture or not words:
            return undecided(claim, self.name, "there is no picture" if words else "the claim names no thing")
        images = sampled_frames(claim, view, _BOXES)
        boxes = self.boxes(words, images)
        best = max((box.score for box in boxes), default=0.0)
        limits = threshold(_BOXES, "no"), threshold(_BOXES, "yes")
        seen = decide(claim, self.name, best, limits, f"{words!r}: the best box of {len(images)} frames has {best:.2f}")
        if claim["kind"] == "object" or best < limits[1]:
            return seen if claim["kind"] == "object" else undecided(claim, self.name, seen["reason"])
        clear = [box for box in boxes if box.score >= limits[1]]
        if claim["kind"] == "object_count":
            return self._check_count(claim, boxes, len(images))
        if claim["kind"] == "place":
            return self._check_place(claim, clear)
        return self._check_colour(claim, clear, images)

    def boxes(self, words: str, images: Images) -> list[Box]:
        """The boxes of a thing on frames, uint8[N, H, W, 3], without those that another box covers."""
        checkpoint = load_checkpoint(
            self._weights, "Owlv2ForObjectDetection", {"image": "Owlv2ImageProcessorPil", "text": "AutoTokenizer"}
        )
        found: list[Box] = []
        for number, image in enumerate(images):
            best: list[Box] = []
            for box in sorted(_detect(checkpoint, words, image, number), key=lambda box: -box.score):
                if all(box.overlap(other) < threshold(_BOXES, "overlap") for other in best):
                    best.append(box)
            found += best
        return found

    def _check_count(self, claim: Claim, boxes: list[Box], frames: int) -> Finding:
        count = claim.get("count")
        if count is None:
            return undecided(claim, self.name, "the claim names no number")
        no, yes = threshold(_BOXES, "no"), threshold(_BOXES, "yes")
        numbers = {stable_count(boxes, frames, least) for least in (yes, (yes + no) / 2, 1.3 * yes)}
        if len(numbers) > 1:
            return undecided(claim, self.name, f"the number depends on the limit: {sorted(numbers)}")
        number = numbers.pop()
        holds = number >= count if claim.get("relation") == "at least" else number == count
        return decide(claim, self.name, float(holds), (0.0, 1.0), f"{number} in neighbouring frames")

    def _check_place(self, claim: Claim, boxes: list[Box]) -> Finding:
        claimed = _SIDES & set(claim.get("value", "").casefold().replace("center", "centre").split())
        if not claimed:
            return undecided(claim, self.name, "the claim names no side of the picture")
        share = float(np.mean([claimed <= set(box.place.split()) for box in boxes]))
        places = sorted({box.place for box in boxes})
        return decide(claim, self.name, share, (0.1, 0.6), f"its boxes lie at the {', '.join(places)}")

    def _check_colour(self, claim: Claim, boxes: list[Box], images: Images) -> Finding:
        claimed = set(COLOUR_NAMES) & set(claim.get("value", "").casefold().replace("gray", "grey").split())
        if len(claimed) != 1:
            return undecided(claim, self.name, "the claim names no one colour")
        shares = [box_colours(images[box.frame], box) for box in boxes]
        share = float(np.median([found.get(next(iter(claimed)), 0.0) for found in shares]))
        widest = max(shares[0], key=lambda name: shares[0][name])
        return decide(claim, self.name, share, (0.1, 0.4), f"most of the best box is {widest}")


class PictureWitness(WeightsWitness):
    """Claims that a thing is seen, by SigLIP 2: the frame that fits best decides."""

    name = _MATCHES
    kinds: frozenset[ClaimKind] = frozenset({"object"})

    def check(self, claim: Claim, view: ClipView) -> Finding:
        """By the highest probability of the claim's subject over frames of the window."""
        words = claim.get("subject", "")
        if not view.has_picture or not words:
            return undecided(claim, self.name, "there is no picture" if words else "the claim names no thing")
        checkpoint = load_checkpoint(
            self._weights, "Siglip2Model", {"image": "Siglip2ImageProcessorPil", "text": "AutoTokenizer"}
        )
        chances = _match(checkpoint, words, sampled_frames(claim, view, _MATCHES))
        best = float(chances.max())
        limits = threshold(_MATCHES, "no"), threshold(_MATCHES, "yes")
        return decide(claim, self.name, best, limits, f"{words!r}: the best of {len(chances)} frames has {best:.3f}")


def sampled_frames(claim: Claim, view: ClipView, witness: str) -> Images:
    """Frames of a claim's window, as many and as high as the witness's thresholds say."""
    count, height = int(threshold(witness, "frames")), int(threshold(witness, "height"))
    images: Images = view.frames(claim["window"], count, height)[1]
    return images


def stable_count(boxes: list[Box], frames: int, least: float) -> int:
    """The largest number of boxes that two neighbouring frames share, or that of the only frame."""
    numbers = [sum(box.frame == frame and box.score >= least for box in boxes) for frame in range(frames)]
    if len(numbers) < 2:
        return sum(numbers)
    return max(min(pair) for pair in pairwise(numbers))


def box_colours(image: Images, box: Box) -> dict[str, float]:
    """The share of each colour in the inner half of a box, where little of the background is."""
    height, width = image.shape[:2]
    x, y = (box.left + box.right) / 2 * width, (box.top + box.bottom) / 2 * height
    across, down = max(1.0, (box.right - box.left) * width / 4), max(1.0, (box.bottom - box.top) * height / 4)
    part = image[max(0, round(y - down)) : round(y + down) + 1, max(0, round(x - across)) : round(x + across) + 1]
    counts = np.bincount(colour_indices(part).ravel(), minlength=len(COLOUR_NAMES))
    return {name: count / counts.sum() for name, count in zip(COLOUR_NAMES, counts, strict=True) if count}


def _detect(checkpoint: Checkpoint, words: str, image: Images, number: int) -> list[Box]:
    """All boxes of one frame above the lower limit."""
    import torch

    tokens = checkpoint.parts["text"](
        [f"a photo of a {words}"], return_tensors="pt", padding="max_length", truncation=True, max_length=16
    )
    pixels = checkpoint.parts["image"](images=[image], return_tensors="pt")["pixel_values"]
    given = {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"], "pixel_values": pixels}
    with torch.inference_mode():
        found = checkpoint.model(**{key: value.to(checkpoint.device) for key, value in given.items()})
    scores = torch.sigmoid(found.logits[0, :, 0].float()).cpu().numpy()
    centres = found.pred_boxes[0].float().cpu().numpy()
    # The picture is padded to a square at the bottom or the right before it is resized.
    high, wide = image.shape[:2]
    scale = np.array([max(high, wide) / wide, max(high, wide) / high])
    return [
        _box(number, float(score), centre, scale)
        for score, centre in zip(scores, centres, strict=True)
        if score > threshold(_BOXES, "no")
    ]


def _box(number: int, score: float, centre: Any, scale: Vector) -> Box:
    x, y = centre[:2] * scale
    width, height = centre[2:] * scale
    edges = np.clip([x - width / 2, y - height / 2, x + width / 2, y + height / 2], 0.0, 1.0)
    return Box(number, score, *map(float, edges))


def _match(checkpoint: Checkpoint, words: str, images: Images) -> Vector:
    """The probability that each frame shows a thing, float64[frames]."""
    import torch

    tokens = checkpoint.parts["text"](
        [f"this is a photo of {words.casefold()}."],
        return_tensors="pt",
        padding="max_length",
        truncation=True,
        max_length=64,
    )
    pixels = checkpoint.parts["image"](images=list(images), return_tensors="pt")
    given = {"input_ids": tokens["input_ids"], **pixels}
    with torch.inference_mode():
        logits = checkpoint.model(**{key: value.to(checkpoint.device) for key, value in given.items()}).logits_per_image
    return np.asarray(torch.sigmoid(logits[:, 0].float()).cpu(), np.float64)

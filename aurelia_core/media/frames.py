"""The decoded frames of one clip: choice of the frames for a request, and decoding of those that the cache lacks.

At the usual height the cache stores whole grids: one grid for a clip up to 40 s, else a coarse grid over the clip and
fine grids of 20 s where a request needs them. Other heights are stored frame by frame.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aurelia_core.arrays import FrameIndices, Images, Mask, Vector
from aurelia_core.media import sampling
from aurelia_core.media.cache import ClipCache
from aurelia_core.media.ingest import ClipFacts
from aurelia_core.media.picture import Orientation
from aurelia_core.media.readers import FrameRequest
from aurelia_core.types import Span

GRID_HEIGHT = 180
"""Height of the frames in grids, pixels."""
MAX_ASPECT_RATIO = 4
"""Largest width of an image, as a multiple of the requested height: a header can declare pixels of any shape."""
_FINE_WINDOW_SECONDS = 120.0
"""Longest total length of windows, in seconds, for which fine grids of a longer clip are decoded."""

FrameDecoder = Callable[[Path, FrameRequest], int]


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """The decoded frames of one clip.

    Attributes:
        clip_id: the id of the clip.
        facts: the facts of the probe.
        times, key_flags: time stamps (seconds from the clip's start) and key flags of all frames.
        cache: the cache of decoded frames.
        decode: decodes requested frames into a file, in a child process.
    """

    clip_id: str
    facts: ClipFacts
    times: Vector
    key_flags: Mask
    cache: ClipCache
    decode: FrameDecoder

    def select_frames(
        self, spans: Sequence[Span], count: int, height: int, shift: float = 0.0
    ) -> tuple[Vector, Images]:
        """At most `count` frames spread over spans: their times, float64[n], and images, uint8[n, H, W, 3]."""
        grids = self._grids(spans, count)
        grid = np.concatenate([indices for _, indices in grids])
        chosen = grid[sampling.pick_frames(self.times[grid], spans, count, shift)]
        if height != GRID_HEIGHT:
            return self.times[chosen], self._single_frames(chosen, height)
        parts = []
        for entry, indices in grids:
            selected = np.isin(indices, chosen)
            if selected.any():
                images = self._grid_images(entry, indices)
                if not selected.all():
                    images = images[selected]
                parts.append(images)
        if len(parts) == 1:
            # Not copied: the images of a whole grid stay mapped from the cache.
            return self.times[chosen], parts[0]
        return self.times[chosen], np.concatenate(parts)

    def image_size(self, height: int) -> tuple[int, int]:
        """(width, height) of the images for a requested height; the aspect is preserved and nothing is enlarged.

        The width is at most `MAX_ASPECT_RATIO` times the requested height; a wider picture becomes lower.
        """
        full_width, full_height = self.facts["width"] or 1, self.facts["height"] or 1
        tall = min(height, full_height)
        wide = max(1, round(full_width * tall / full_height))
        if wide <= MAX_ASPECT_RATIO * height:
            return wide, tall
        return MAX_ASPECT_RATIO * height, max(1, round(MAX_ASPECT_RATIO * height * full_height / full_width))

    def _grids(self, spans: Sequence[Span], count: int) -> list[tuple[str, FrameIndices]]:
        """The grids for a request, in order of time: (entry name, frame indices)."""
        duration = self.facts["duration"]
        if duration <= sampling.FULL_GRID_SECONDS:
            return [(f"grid-{GRID_HEIGHT}.npy", sampling.grid_indices(self.times, 0.0, duration, sampling.GRID_RATE))]
        total = sum(end - start for start, end in spans)
        if total > _FINE_WINDOW_SECONDS or total / count >= duration / sampling.COARSE_GRID_FRAMES:
            return [(f"coarse-{GRID_HEIGHT}.npy", sampling.coarse_grid_indices(self.times, self.key_flags, duration))]
        numbers: set[int] = set()
        for start, end in spans:
            first = int(start // sampling.FRAME_RANGE_SECONDS)
            last = int(np.ceil(end / sampling.FRAME_RANGE_SECONDS - 1e-9))
            numbers.update(range(first, max(last, first + 1)))
        return [self._fine_grid(number) for number in sorted(numbers)]

    def _fine_grid(self, number: int) -> tuple[str, FrameIndices]:
        start = number * sampling.FRAME_RANGE_SECONDS
        end = min(start + sampling.FRAME_RANGE_SECONDS, self.facts["duration"])
        indices = sampling.grid_indices(self.times, start, end, sampling.GRID_RATE)
        # A frame that is still shown when the range starts belongs to the range before.
        own = indices[self.times[indices] >= start - 1e-6]
        if not len(own):
            own = indices
        return f"fine-{GRID_HEIGHT}-{number}.npy", own

    def _grid_images(self, entry: str, indices: FrameIndices) -> Images:
        width, height = self.image_size(GRID_HEIGHT)
        shape = (len(indices), height, width, 3)
        found = self.cache.read_array(self.clip_id, entry, shape, np.uint8)
        if found is None:
            with self.cache.lock(self.clip_id):
                found = self.cache.read_array(self.clip_id, entry, shape, np.uint8)
                if found is None:
                    found = self._decode_into_cache(entry, indices, GRID_HEIGHT)
        return found

    def _decode_into_cache(self, entry: str, indices: FrameIndices, height: int) -> Images:
        """Decode frames and store them as one entry."""
        with self.cache.workspace() as folder:
            images = self._decode_frames(folder, indices, height)
            self.cache.store_entry(folder / "frames.npy", self.clip_id, entry)
        self.cache.trim(self.clip_id)
        return images

    def _decode_frames(self, folder: Path, indices: FrameIndices, height: int) -> Images:
        width, image_height = self.image_size(height)
        stamps = (self.times[indices] + self.facts["origin"]).tolist()
        wanted = FrameRequest(
            stream=self.facts["picture_stream"] or 0,
            times=stamps,
            width=width,
            height=image_height,
            orientation=Orientation(*self.facts["orientation"]),
            numbers=indices.tolist(),
            count=len(self.times),
            by_number=self.facts["ordinal"],
            origin=self.facts["origin"],
            restarts={number: shift for number, shift in self.facts["restarts"]},
        )
        self.decode(folder / "frames.npy", wanted)
        images: Images = np.load(folder / "frames.npy", mmap_mode="r")
        return images

    def _single_frames(self, chosen: FrameIndices, height: int) -> Images:
        """Frames that are stored one by one; the missing ones are decoded in one job."""
        width, image_height = self.image_size(height)
        shape = (image_height, width, 3)
        images: dict[int, Images | None] = {}
        with self.cache.lock(self.clip_id):
            for index in chosen.tolist():
                images[index] = self.cache.read_array(self.clip_id, f"frame-{height}-{index}.npy", shape, np.uint8)
            missing = np.array([index for index, image in images.items() if image is None], np.int64)
            if len(missing):
                with self.cache.workspace() as folder:
                    decoded = self._decode_frames(folder, missing, height)
                    for index, image in zip(missing.tolist(), decoded, strict=True):
                        images[index] = np.array(image)
                        np.save(folder / "one.npy", image)
                        self.cache.store_entry(folder / "one.npy", self.clip_id, f"frame-{height}-{index}.npy")
                self.cache.trim(self.clip_id)
        return np.stack([image for image in images.values() if image is not None])

"""Turning of a decoded frame into the picture that a player shows, as RGB of the requested size.

Applies the display matrix, deinterlaces, reads untagged HD as BT.709, maps HDR and wide colours to SDR, and puts
transparent pixels over black.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import Colorspace

from aurelia_core.arrays import Images
from aurelia_core.media.tone_mapping import map_to_sdr, needs_mapping

_SIDE_DATA_TYPES = 64
"""More than FFmpeg has."""
_UNSPECIFIED = 2
_HD_HEIGHT, _HD_WIDTH = 720, 1280
"""Size from which a picture without a colour tag is BT.709."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a decoded picture becomes upright: first swapped along its diagonal, then mirrored."""

    swapped: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @classmethod
    def of(cls, frame: Any) -> "Orientation":
        """The orientation in a frame's display matrix, to the nearest quarter turn (ISO 14496-12, section 6.2.2)."""
        found = _known_side_data(frame).get("DISPLAYMATRIX")
        if found is None:
            return cls()
        a, b, _, c, d = np.frombuffer(bytes(found), np.int32)[:5].tolist()
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    def apply(self, image: Images) -> Images:
        """The upright image of a decoded one, uint8[height, width, 3]."""
        if self.swapped:
            image = image.swapaxes(0, 1)
        if self.mirrored_x:
            image = image[:, ::-1]
        if self.mirrored_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


class PictureRenderer:
    """Renders the frames of one clip at one size; it keeps the scaler between frames."""

    def __init__(self, width: int, height: int, orientation: Orientation) -> None:
        """Prepare the scaler.

        Args:
            width: width of the upright pictures, pixels.
            height: their height.
            orientation: the clip's orientation.
        """
        self._width, self._height = width, height
        if orientation.swapped:
            self._width, self._height = height, width
        self._orientation = orientation
        self._scaler = av.video.reformatter.VideoReformatter()

    def render(self, frame: Any) -> Images:
        """The upright picture of a decoded, progressive frame, uint8[height, width, 3] RGB."""
        image: Images
        if needs_mapping(frame):
            image = map_to_sdr(self._scale(frame, "rgb48le"), frame)
        elif any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8":
            pixels = self._scale(frame, "rgba").astype(np.uint16)
            image = ((pixels[..., :3] * pixels[..., 3:] + 127) // 255).astype(np.uint8)
        else:
            image = self._scale(frame, "rgb24")
        return self._orientation.apply(image)

    def _scale(self, frame: Any, form: str) -> Any:
        source = None
        if _is_untagged_hd(frame):
            source = Colorspace.ITU709
        filtering = "BICUBIC"
        if 2 * self._height <= frame.height:
            # As sharp as bicubic for so much smaller pictures, in half the time.
            filtering = "AREA"
        scaled = self._scaler.reformat(
            frame, self._width, self._height, form, src_colorspace=source, interpolation=filtering, threads=1
        )
        return scaled.to_ndarray()


def deinterlace(before: Any | None, frame: Any, after: Any | None) -> Any:
    """The progressive picture of an interlaced frame, from its neighbours in time (bwdif)."""
    graph = av.filter.Graph()
    source = _add_source(graph, frame)
    filtered = graph.add("bwdif", "mode=send_frame:deint=all")
    sink = graph.add("buffersink")
    source.link_to(filtered)
    filtered.link_to(sink)
    graph.configure()
    same = [one for one in (before, frame, after) if one is not None and _is_alike(one, frame)]
    for number, one in enumerate(same):
        one.pts = number
        one.time_base = Fraction(1, 25)
        graph.push(one)
    graph.push(None)
    result = None
    for _ in range(same.index(frame) + 1):
        result = graph.pull()
    return result


def _known_side_data(frame: Any) -> Any:
    """The frame's side data; PyAV raises ValueError for types that it does not know, such as EXIF, so they go first."""
    try:
        return frame.side_data
    except ValueError:
        known: list[Any] = [one.value for one in SideDataType.__members__.values()]
        graph = av.filter.Graph()
        unknown = [
            graph.add("sidedata", f"delete:{number}") for number in range(_SIDE_DATA_TYPES) if number not in known
        ]
        graph.link_nodes(_add_source(graph, frame), *unknown, graph.add("buffersink")).configure()
        frame.pts = frame.pts or 0
        graph.push(frame)
        return graph.pull().side_data


def _is_alike(one: Any, frame: Any) -> bool:
    return (one.width, one.height, one.format.name) == (frame.width, frame.height, frame.format.name)


def _is_untagged_hd(frame: Any) -> bool:
    is_hd = frame.height >= _HD_HEIGHT or frame.width >= _HD_WIDTH
    return bool(is_hd and frame.colorspace == _UNSPECIFIED)


def _add_source(graph: Any, frame: Any) -> Any:
    return graph.add(
        "buffer",
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/25"
        f":colorspace={int(frame.colorspace)}:range={int(frame.color_range)}",
    )

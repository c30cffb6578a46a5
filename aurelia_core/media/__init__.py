"""Clips: path checks, decoding in child processes, and the cache of decoded clips, named by content."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aurelia_core.media.store import AudioSegment, ClipStore, Frames

__all__ = ["AudioSegment", "ClipStore", "Frames"]


def __getattr__(name: str) -> Any:
    """Import the public names on first use: a decoding child needs only a part of this package."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from aurelia_core.media import store

    if name == "ClipStore":
        # STAND-IN: delete these lines with the module.
        from aurelia_core.media.stand_in import StandInStore

        return StandInStore
    return getattr(store, name)

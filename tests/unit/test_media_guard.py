"""The guard: what may be opened, what is refused, and how it is said."""

import os
import socket

import pytest

from aurelia_core.errors import MediaError
from aurelia_core.media import ClipStore
from aurelia_core.media.guard import detect_demuxer, display_name, open_media_file
from aurelia_core.settings import Settings
from tests.support import clips


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    clips.tune(folder / "tone.wav", seconds=0.2)
    return folder


@pytest.fixture
def strict(tmp_path, root):
    return Settings(home=tmp_path / "home", media_roots=(root,))


@pytest.fixture
def open_house(tmp_path):
    return Settings(home=tmp_path / "home", allow_any_file=True)


def refusal(name, settings):
    with pytest.raises(MediaError) as caught, open_media_file(str(name), settings):
        pass
    message = str(caught.value)
    parent = os.path.dirname(str(name))
    assert len(parent) < 2 or parent not in message
    return message


def test_a_relative_name_is_looked_up_in_the_roots(strict, root):
    with open_media_file("tone.wav", strict) as file:
        assert file.path == root / "tone.wav"
        assert file.demuxer == "wav"
        assert file.stamp.size == (root / "tone.wav").stat().st_size


def test_a_relative_name_is_looked_up_here_when_any_file_may_be_read(open_house, root, monkeypatch):
    monkeypatch.chdir(root)
    with open_media_file("tone.wav", open_house) as file:
        assert file.path == root / "tone.wav"


def test_outside_the_roots_is_refused_whether_or_not_it_exists(strict, tmp_path):
    clips.tune(tmp_path / "out.wav", seconds=0.1)
    there, absent = refusal(tmp_path / "out.wav", strict), refusal(tmp_path / "absent.wav", strict)
    assert there == absent.replace("absent", "out")
    assert "outside the folders" in there
    assert "outside the folders" in refusal("../out.wav", strict)


def test_a_link_out_of_the_roots_is_refused_unless_any_file_may_be_read(strict, open_house, root, tmp_path):
    target = clips.tune(tmp_path / "out.wav", seconds=0.1)
    (root / "link.wav").symlink_to(target)
    (root / "inner.wav").symlink_to(root / "tone.wav")
    assert "outside the folders" in refusal("link.wav", strict)
    with open_media_file("inner.wav", strict) as file:
        assert file.path == root / "tone.wav"
    with open_media_file(str(root / "link.wav"), open_house) as file:
        assert file.path == target


def test_a_loop_of_links_is_refused(strict, root):
    (root / "a.wav").symlink_to(root / "b.wav")
    (root / "b.wav").symlink_to(root / "a.wav")
    assert "a.wav" in refusal("a.wav", strict)


def test_missing_empty_and_directory(strict, root):
    (root / "empty.mp4").touch()
    assert "empty.mp4 is empty" in refusal("empty.mp4", strict)
    assert "absent.mp4 does not exist" in refusal("absent.mp4", strict)
    assert "root is a directory" in refusal(str(root), strict)


def test_a_name_that_no_system_takes(strict):
    assert "impossible" in refusal("", strict)
    assert "impossible" in refusal("a\0b.mp4", strict)
    assert "cannot be" in refusal("x" * 3000 + ".mp4", strict)


def test_a_fifo_is_refused_without_waiting_for_its_writer(strict, root):
    os.mkfifo(root / "pipe.mp4")
    assert "pipe.mp4 is a FIFO" in refusal("pipe.mp4", strict)


def test_a_device_is_refused(open_house):
    assert "zero is a device" in refusal("/dev/zero", open_house)


def test_a_socket_is_refused(strict, root, monkeypatch):
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock.mp4")
        assert "sock.mp4 is not a regular file" in refusal("sock.mp4", strict)


@pytest.mark.parametrize("url", ["http://example.org/a.mp4", "https://x/a.mp4", "file:///etc/passwd", "rtsp://x/a"])
def test_urls_are_refused(url, open_house):
    assert "is a URL" in refusal(url, open_house)


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
def test_a_playlist_is_refused_by_its_content(name, strict, root):
    (root / name).write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{root}/tone.wav\n#EXT-X-ENDLIST\n")
    assert "playlist" in refusal(name, strict)


@pytest.mark.parametrize("text", ["ffconcat version 1.0\nfile tone.wav\n", "[playlist]\nFile1=a\n", "<smil></smil>"])
def test_other_lists_are_refused(text, strict, root):
    (root / "list.mp4").write_text(text)
    assert "playlist" in refusal("list.mp4", strict)


def test_a_text_named_mp4_is_no_clip(strict, root):
    (root / "notes.mp4").write_text("dear diary, today I saw a clip")
    assert "no known clip" in refusal("notes.mp4", strict)


def test_a_file_beyond_the_size_limit_is_refused(tmp_path, root):
    settings = Settings(home=tmp_path, media_roots=(root,), max_media_bytes=1000)
    assert "more than" in refusal("tone.wav", settings)


@pytest.mark.parametrize(
    ("head", "demuxer"),
    [
        (b"\x00\x00\x00\x20ftypisom", "mov"),
        (b"\x00\x00\x00\x20moov", "mov"),
        (b"\x1aE\xdf\xa3\x01", "matroska"),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
        (b"fLaC\0", "flac"),
        (b"OggS\0", "ogg"),
        (b"ID3\x04", "mp3"),
        (b"\xff\xfb\x90\x00", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"RIFF\0\0\0\0WEBP", "webp_pipe"),
        (b"\x89PNG\r\n\x1a\n", "png_pipe"),
        (b"GIF89a", "gif"),
    ],
)
def test_containers_are_known_by_their_first_bytes(head, demuxer):
    assert detect_demuxer(head.ljust(64, b"\0"), "x") == demuxer


@pytest.mark.parametrize(
    "head", [b"RIFF\0\0\0\0sfbk", b"BM\x36\0\0\0", b"\0\0\0\x20ftypavif", b"%PDF-1.4", b"MThd\0\0\0\x06", b"PK\x03\x04"]
)
def test_other_files_are_no_clips(head):
    with pytest.raises(MediaError, match="no known clip"):
        detect_demuxer(head, "x")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"BM\x36\0\0\0", "a BMP picture"),
        (b"II*\0\x08", "a TIFF picture"),
        (b"MM\0*\0", "a TIFF picture"),
        (b"\0\0\0\x20ftypavif", "an AVIF picture"),
        (b"\0\0\0\x2cftypavis", "an AVIF picture"),
        (b"\0\0\0\x20ftypheic", "a HEIF picture"),
        (b"\0\0\0\x20ftyphevc", "a HEIF picture"),
        (b"\xff\x0a\xfa\x1f", "a JPEG XL picture"),
        (b"%PDF-1.4", "a PDF document"),
        (b"MThd\0\0\0\x06", "a MIDI file"),
    ],
)
def test_what_is_not_read_is_refused_by_its_name(head, kind):
    with pytest.raises(MediaError, match=f"x is no known clip: it is {kind}.*; convert it to png, wav or mp4"):
        detect_demuxer(head.ljust(64, b"\0"), "x")


def test_names_are_shown_without_folders_and_without_control_characters():
    assert display_name("/srv/secret/clip.mp4") == "clip.mp4"
    assert display_name("a\nb\x1b[31m.mp4") == "a?b?[31m.mp4"
    assert len(display_name("x" * 500)) == 80


def test_spaces_and_other_alphabets(tmp_path):
    path = clips.film(tmp_path / "мой клип 映像 ü.mp4", seconds=0.5)
    for reader in ("decord", "pyav"):
        store = ClipStore(Settings(home=tmp_path / reader, media_roots=(tmp_path,)), reader=reader)
        ref = store.admit("мой клип 映像 ü.mp4")
        assert ref["name"] == path.name
        assert len(store.frames(ref, [], 3).times) == 3


def test_an_id_is_known_only_after_the_clip_was_admitted(strict):
    store = ClipStore(strict)
    with pytest.raises(MediaError, match="No clip with the id 000000000000"):
        store.admit("0" * 64)
    ref = store.admit("tone.wav", "audio")
    assert store.admit(ref["id"], "audio") == ref


def test_an_id_does_not_open_what_the_roots_no_longer_allow(strict, tmp_path):
    ref = ClipStore(strict).admit("tone.wav", "audio")
    (tmp_path / "other").mkdir()
    narrower = Settings(home=strict.home, media_roots=(tmp_path / "other",))
    with pytest.raises(MediaError, match="outside the folders"):
        ClipStore(narrower).admit(ref["id"], "audio")


def test_a_folder_that_becomes_a_link_after_the_check_is_not_followed(strict, root, tmp_path, monkeypatch):
    inner, outside = root / "inner", tmp_path / "outside"
    for folder in (inner, outside):
        folder.mkdir()
        clips.tune(folder / "tone.wav", seconds=0.1)
    checked, opened_files = os.stat, []

    def swapping(path, *rest, **more):
        status = checked(path, *rest, **more)
        if not os.path.islink(inner) and str(path).endswith("tone.wav"):
            inner.rename(root / "away")
            inner.symlink_to(outside)
        return status

    opening = os.open

    def noting(path, *rest, **more):
        found = opening(path, *rest, **more)
        opened_files.append(os.readlink(f"/proc/self/fd/{found}") if os.path.exists("/proc/self/fd") else "")
        return found

    monkeypatch.setattr(os, "stat", swapping)
    monkeypatch.setattr(os, "open", noting)
    assert "changed while it was opened" in refusal("inner/tone.wav", strict)
    assert not any(name.startswith(str(outside)) for name in opened_files)

"""What leads elsewhere: names in every form, and files that refer to other files or addresses."""

import base64
import os
import shutil
import socket
import struct
from pathlib import Path

from benchmarks.attack.elements import elements, replaced

_GUESSED = (".m3u8", ".mpd", ".sdp", ".ffconcat")
"""Kinds of text that a library may find in the midst of a file."""


def names(root: Path, outside: Path, port: int) -> list[str]:
    """Names that must open nothing; links, FIFOs and sockets that some of them need are made in the root."""
    secret = f"{outside}/secret.mp4"
    up = f"../{outside.name}/secret.mp4"
    web = f"127.0.0.1:{port}/secret.mp4"
    (root / "inner").mkdir()
    found = [
        *(
            secret,
            f"/{secret}",
            f"/.{secret}",
            up,
            f"./{up}",
            f"inner/../{up}",
            f"inner/../../{outside.name}/secret.mp4",
        ),
        *(f"{root}/{up}", f"{root}/inner/../{up}", f"{root}/./../{outside.name}//secret.mp4", f"{root}/../{up}"),
        *("../" * 30 + secret.lstrip("/"), f"{secret}/", f"{secret}/.", f"good.mp4/../{up}", "~/secret.mp4"),
        *(f"good.mp4\0{secret}", f"{secret}\0.mp4", "\0", "", " ", ".", "..", "/", str(root), str(outside)),
        *(
            up.replace("/", "\\"),
            up.replace("/", "%2f"),
            "%2e%2e/" + up[3:],
            "..%c0%af" + up[3:],
            up.replace("/", "\uff0f"),
        ),
        *(
            "\uff0e\uff0e/" + up[3:],
            "\u2025/" + up[3:],
            f"{up}\n",
            f"\n{secret}",
            f"{secret} ",
            f" {secret}",
            f"'{secret}'",
        ),
        *(f'"{secret}"', f"$(cat {secret})", f"`{secret}`", f"{secret}|", f"|{secret}", f"<{secret}", f"@{secret}"),
        *(
            "x" * 300,
            "x/" * 2000,
            "../" * 5000,
            "\udcff.mp4",
            "\u202e4pm.terces",
            "-i",
            "--help",
            "-",
            "*.mp4",
            "s?cret.mp4",
        ),
    ]
    found += [
        f"{scheme}{secret}" for scheme in ("file:", "file://", "file://localhost", "FILE:", "fIlE:///", "file:////")
    ]
    found += [f"{scheme}{up}" for scheme in ("file:", "file://", "concat:", "crypto:", "cache:", "async:", "subfile:")]
    found += [f"concat:{secret}", f"concat:{root}/good.mp4|{secret}", f"concatf:{secret}", f"concat:file:{secret}|{up}"]
    found += [
        f"subfile,,start,0,end,0,,:{secret}",
        f"subfile,,start,0,end,4096,,:file:{secret}",
        f"crypto+file:{secret}",
    ]
    found += [
        f"{scheme}{secret}"
        for scheme in ("crypto:", "cache:", "async:", "fd:", "tee:", "md5:", "hls+file://", "lavfi:")
    ]
    found += [
        f"{scheme}://{web}" for scheme in ("http", "HTTP", "https", "ftp", "tcp", "udp", "rtmp", "rtp", "rtsp", "srt")
    ]
    found += [
        f"{scheme}://{web}" for scheme in ("hls+http", "mmsh", "icecast", "gopher", "ws", "sftp", "s3", "gs", "x-y.z")
    ]
    found += [
        f"http:{web}",
        f"http:/{web}",
        f"http:\\\\{web}",
        f"//{web}",
        f"cache:http://{web}",
        f"async:http://{web}",
    ]
    found += [
        f"concat:http://{web}|{secret}",
        f"\thttp://{web}",
        f" http://{web}",
        f"url:http://{web}",
        f"http%3a//{web}",
    ]
    found += [
        "data:video/mp4;base64," + base64.b64encode(b"ftyp").decode(),
        "data:,x",
        "pipe:",
        "pipe:0",
        "fd:0",
        "unix:x",
    ]
    found += [
        f"/proc/self/root{secret}",
        f"/proc/self/cwd/{secret}",
        f"/proc/{os.getpid()}/root{secret}",
        "/proc/self/mem",
    ]
    found += [
        "/proc/self/environ",
        "/proc/self/maps",
        "/proc/kcore",
        "/proc/kmsg",
        "/proc/self/fd/0",
        "/proc/1/environ",
    ]
    found += ["/dev/zero", "/dev/random", "/dev/stdin", "/dev/fd/0", "/dev/tty", "/dev/full", "/dev/mem", "/dev/shm"]
    found += [
        "/etc/passwd",
        "/etc/shadow",
        "C:\\Windows\\win.ini",
        "\\\\127.0.0.1\\share\\x.mp4",
        "//127.0.0.1/share/x.mp4",
    ]
    return found + _links(root, outside)


def _links(root: Path, outside: Path) -> list[str]:
    """Links out of the root, straight and over other links, and what is no file."""
    targets = {
        "link.mp4": outside / "secret.mp4",
        "relative.mp4": Path("..") / outside.name / "secret.mp4",
        "folder": outside,
        "parent": root.parent,
        "system": Path("/"),
        "process": Path(f"/proc/{os.getpid()}/root"),
        "own": Path("/proc/self/root"),
        "null.mp4": Path("/dev/null"),
        "zero.mp4": Path("/dev/zero"),
        "input.mp4": Path("/proc/self/fd/0"),
        "loop.mp4": root / "loop.mp4",
        "chain.mp4": root / "link.mp4",
    }
    for name, target in targets.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe.mp4")
    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as server:
        # A socket's name may have a hundred characters, so it is given from its folder.
        os.chdir(root)
        server.bind("socket.mp4")
        os.chdir(here)
    inside = str(outside.relative_to("/")) + "/secret.mp4"
    found = [
        "link.mp4",
        "relative.mp4",
        "chain.mp4",
        "loop.mp4",
        "folder/secret.mp4",
        f"parent/{outside.name}/secret.mp4",
    ]
    found += [f"{name}/{inside}" for name in ("system", "process", "own")]
    found += ["null.mp4", "zero.mp4", "input.mp4", "pipe.mp4", "socket.mp4", "folder/../outside/secret.mp4", "folder"]
    return found + [f"{root}/{name}" for name in ("link.mp4", "folder/secret.mp4", "pipe.mp4", "inner")]


def files(root: Path, outside: Path, port: int, clip: bytes) -> list[Path]:
    """Files in the root that refer to canaries: playlists, scripts, descriptions, and containers with them inside."""
    made: dict[str, bytes] = {}
    for name, target in (("file", f"{outside}/secret.mp4"), ("up", f"../{outside.name}/part.ts")):
        made |= _texts(name, target)
    made |= _texts("uri", f"file://{outside}/secret.mp4")
    made |= _texts("web", f"http://127.0.0.1:{port}/secret.mp4")
    texts = list(made.items())
    for ending in ("mp4", "wav"):
        made |= {f"{name}.{ending}": text for name, text in texts}
    for name, text in texts:
        if name.startswith(("file.", "web.")) and name.endswith(_GUESSED):
            made |= _hidden(name, text, clip)
    for number, entry in enumerate(_references(outside, port)):
        made[f"reference{number}.mov"] = _with_reference(clip, entry)
    folder = root / "lures"
    folder.mkdir()
    # A playlist's neighbours are within its reach in many players.
    shutil.copy(root / "good.mp4", folder / "good.mp4")
    for name, content in made.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in made]


def _texts(name: str, target: str) -> dict[str, bytes]:
    hls = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.5,\n{target}\n#EXT-X-ENDLIST\n"
    key = f'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n'
    key += "#EXTINF:1,\ngood.mp4\n#EXT-X-ENDLIST\n"
    dash = '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="'
    dash += 'urn:mpeg:dash:profile:isoff-on-demand:2011" mediaPresentationDuration="PT1S"><Period><AdaptationSet '
    dash += f'mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL>'
    dash += "</Representation></AdaptationSet></Period></MPD>\n"
    host = "127.0.0.1"
    texts = {
        "m3u8": hls,
        "key.m3u8": key,
        "map.m3u8": hls.replace("#EXTINF", f'#EXT-X-MAP:URI="{target}"\n#EXTINF', 1),
        "bom.m3u8": "\ufeff" + hls,
        "late.m3u8": "\n \t" + hls,
        "m3u": f"{target}\n",
        "mpd": dash,
        "ffconcat": f"ffconcat version 1.0\nfile '{target}'\n",
        "pls": f"[playlist]\nFile1={target}\nNumberOfEntries=1\nVersion=2\n",
        "asx": f'<asx version="3.0"><entry><ref href="{target}"/></entry></asx>',
        "smil": f'<smil><body><video src="{target}"/></body></smil>',
        "xspf": f'<playlist version="1"><trackList><track><location>{target}</location></track></trackList></playlist>',
        "svg": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{target}"/></svg>',
        "sdp": f"v=0\no=- 0 0 IN IP4 {host}\ns=x\nc=IN IP4 {host}\nt=0 0\nm=video 9 RTP/AVP 96\na=control:{target}\n",
        "ram": f"{target}\n",
        "avs": f'DirectShowSource("{target}")\n',
        "txt": f"file {target}\n",
        "url": f"[InternetShortcut]\nURL={target}\n",
        "rt": f"RTSPtext\nrtsptextrtsp://{target}\n",
    }
    return {f"{name}.{ending}": text.encode() for ending, text in texts.items()}


def _hidden(name: str, text: bytes, clip: bytes) -> dict[str, bytes]:
    """A text inside what looks like a container: libraries that guess by content may take it for a playlist."""
    head = struct.unpack_from(">I", clip)[0]
    room = head - 8
    boxed = {kind: struct.pack(">I4s", 8 + len(text), kind) + text for kind in (b"free", b"skip", b"wide")}
    made = {f"{name}.{kind.decode()}.mp4": box + _moved(clip, len(box)) for kind, box in boxed.items()}
    made[f"{name}.brand.mp4"] = clip[:8] + text[:room].ljust(room) + clip[head:]
    made[f"{name}.after.mp4"] = clip + text
    made[f"{name}.tag.mp3"] = b"ID3\x04\0\0" + bytes((0, 0, len(text) >> 7 & 0x7F, len(text) & 0x7F)) + text + text
    made[f"{name}.sync.mp3"] = b"\xff\xfb" + text
    made[f"{name}.riff.wav"] = b"RIFF" + struct.pack("<I", len(text)) + b"WAVE" + text
    made[f"{name}.riff.avi"] = b"RIFF" + struct.pack("<I", len(text)) + b"AVI " + text
    made[f"{name}.head.mkv"] = b"\x1aE\xdf\xa3" + text
    made[f"{name}.flac"] = b"fLaC" + text
    made[f"{name}.ogg"] = b"OggS" + text
    return made


def _moved(clip: bytes, by: int) -> bytes:
    """An mp4 that stays a valid one when so many bytes are put before it."""
    data = bytearray(clip)
    for part in elements(clip):
        if part.kind == b"stco":
            for at in range(part.body + 8, part.end, 4):
                struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + by)
    return bytes(data)


def _references(outside: Path, port: int) -> list[bytes]:
    """Entries of a data reference box that point at canaries: addresses, and alias records of either kind."""
    secret = f"{outside}/secret.mp4"
    entries = []
    for target in (
        secret,
        f"file://{secret}",
        f"http://127.0.0.1:{port}/secret.mp4",
        f"../../{outside.name}/secret.mp4",
    ):
        for kind in (b"url ", b"urn "):
            content = bytes(4) + target.encode() + b"\0"
            entries.append(struct.pack(">I4s", 8 + len(content), kind) + content)
        for up in (0, 1, 2):
            place = target.encode() + b"\0" * (len(target) % 2)
            record = bytes(11 + 27 + 12) + bytes((10,)) + b"secret.mp4".ljust(63, b"\0") + bytes(16)
            record += struct.pack(">HH", up, 1) + bytes(16) + struct.pack(">HH", 2, len(target)) + place
            record += struct.pack(">HH", 0, 7) + b"outside\0" + struct.pack(">HH", 0xFFFF, 0)
            entries.append(struct.pack(">I4sI", 12 + len(record), b"alis", 0) + record)
    return entries


def _with_reference(clip: bytes, entry: bytes) -> bytes:
    """A clip of which every track's media lie elsewhere."""
    box = struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry
    data = clip
    for which in range(sum(part.kind == b"dref" for part in elements(clip))):
        parts = elements(data)
        numbers = [number for number, part in enumerate(parts) if part.kind == b"dref"]
        data = replaced(data, parts, numbers[which], box)
    return data

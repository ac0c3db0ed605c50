"""Malformed sources of images that are no folder: lists, tables, archives of tar, TFRecords and films."""

import io
import struct
import tarfile
from pathlib import Path

import numpy as np

from tools.faults.faulty_images import ask_command, draw, make_image
from tools.faults.faulty_tables import FURTHER_FILES, say
from tools.faults.mangle import odd_name, spoil_bytes, spoil_text
from tools.faults.trials import FaultyInput, Kind, Place

CLASS_NAMES = ("red", "green", "blue")
FILMS = {".avi": "MJPG", ".mp4": "mp4v"}
PLAYLISTS = {  # that FFmpeg would follow
    "HLS": "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1.0,\n{secret}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile {secret}\n",
    "subtitles": "[SCRIPT INFO]\nScriptType: v4.00+\n",
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "an image": "P6 4 4 255 ",
}


class Sources(Kind):
    """One of them, spoiled, listed and read as main.py does; one in thirty by main.py itself."""

    def prepare(self, place: Place) -> None:
        """Makes a film of each kind, and records."""
        import utils

        utils.load_tensorflow()
        self.films = {
            ending: self._film(place.outside.parent / f"film{ending}", code) for ending, code in FILMS.items()
        }
        self.records = self._records(place.outside.parent / "train.tfrecord")

    def make(self, rng: np.random.Generator, place: Place) -> FaultyInput:
        """A source, and what it names."""
        ways = (self._list, self._table, self._tar, self._tar, self._tar, self._record, self._make_film, self._pattern)
        words, source, names = ways[rng.integers(len(ways))](rng, place)
        if rng.random() < 0.03:
            argv = [
                f"--test_images_folder_path={source}",
                "--model_name=ResNetDemo",
                "--explanation_method=GRADCAM",
                "--limit=2",
                f"--output_folder_path={place.inside / 'results'}",
            ]
            return FaultyInput(f"main.py, {words}", lambda: ask_command("main", argv), names)
        return FaultyInput(words, lambda: self._use(source), names)

    def _use(self, source: str) -> int:
        from data.sample_table import open_samples

        samples = open_samples(source, limit=20)
        if hasattr(samples, "labelled"):
            samples = samples.labelled(CLASS_NAMES)
        n_failed = 0
        for sample in samples[:12]:
            try:
                sample.read()
                sample.read_size()
            except ValueError as error:
                n_failed += 1
                say(str(error))
            say(f"{sample.name[:200]} {sample.label}")
            if "/" in sample.stem or "\\" in sample.stem or sample.stem in (".", ".."):
                raise RuntimeError(f"a stem that leaves its folder: {sample.stem!r}")
        return int(n_failed > 0)

    # --- kinds of them --------------------------------------------------------------------------------------------
    def _images(self, rng, folder: Path) -> list[str]:
        names = []
        for number in range(3):
            name = f"{number}{odd_name(rng, '.png')}"
            (folder / name).write_bytes(draw(rng, "PNG")[1])
            names.append(name)
        return names

    def _list(self, rng, place):
        names = self._images(rng, place.inside)
        path = place.inside / "images.txt"
        odd = ["images.txt", ".", "..", "nowhere.png", "a\tb.png", "::", "x://y", "file://", "zip://a.png::images.txt"]
        odd += [
            "https://user:4711@127.0.0.1:1/x.png",
            "-",
            "0",
            "{0..9}.png",
            "*.png",
            str(place.inside),
            "\x1b[31m.png",
        ]
        lines = [*names, *(odd[n] for n in rng.integers(0, len(odd), rng.integers(0, 3)))]
        words, content = spoil_text(rng, "\n".join(lines) + "\n")
        if rng.random() < 0.3:
            words, content = "as it is", "\n".join(lines).encode("utf-8", "surrogatepass")
        path.write_bytes(content)
        return f"a list of {lines[3:]}: {words}", str(path), [path.name, f"{place.inside}/", *lines]

    def _table(self, rng, place):
        names = self._images(rng, place.inside)
        ending = str(rng.choice([".csv", ".tsv"]))
        path = place.inside / f"images{ending}"
        mark = "," if ending == ".csv" else "\t"
        text = (
            mark.join(("image", "label")) + "\n" + "".join(f"{name}{mark}red\n" for name in names if "\n" not in name)
        )
        words, content = spoil_text(rng, text)
        if rng.random() < 0.15:
            words = str(rng.choice(list(FURTHER_FILES)))
            content = FURTHER_FILES[words]
        path.write_bytes(content)
        return f"a table {path.name}: {words}", str(path), [path.name, f"{place.inside}/", *names]

    def _tar(self, rng, place):
        path, words = place.inside / "shard-000.tar", []
        odd = ["../x.png", "/x.png", "a/../../x.png", "x\x00.png", "\x1b[31m.png", "a" * 300 + ".png", "", ".", "x.cls"]
        kinds = [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
        file, names = io.BytesIO(), [path.name]
        form = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT][rng.integers(3)]
        with tarfile.open(fileobj=file, mode="w", format=form) as archive:
            for number in range(3):
                name = f"{number}.png"
                if rng.random() < 0.3:
                    name = odd[rng.integers(len(odd))]
                    words.append(repr(name))
                member, content = tarfile.TarInfo(name.replace("\x00", "")), make_image(rng)[2]
                member.size = len(content)
                if rng.random() < 0.15:
                    member.type, member.linkname = kinds[rng.integers(len(kinds))], str(place.secret)
                    words.append(f"type {member.type}")
                names += [name, f"{number}."]
                label = tarfile.TarInfo(f"{number}.cls")
                text = [b"1", b"red", b"999", b"9" * 5000, b"\xff", b"\x1b[31m", b"-1", b"\xc2\xb2", b""][
                    rng.integers(9)
                ]
                label.size = len(text)
                try:
                    archive.addfile(member, io.BytesIO(content))
                    archive.addfile(label, io.BytesIO(text))
                except ValueError:  # a name that this form cannot hold
                    words.append("a member left out")
        content = bytearray(file.getvalue())
        if rng.random() < 0.3:  # a size that is negative or far too large, its head's checksum made right
            number = int(rng.choice([-512, -1, -(2**40), 2**62, 2**33]))
            content[124:136] = (
                b"\xff" * 4 + struct.pack(">q", number) if number < 0 else b"\x80\0\0\0" + struct.pack(">q", number)
            )
            content[148:156] = b" " * 8
            content[148:156] = b"%06o\0 " % sum(content[:512])
            words.append(f"a member of {number} bytes")
        if rng.random() < 0.5:
            more, content = spoil_bytes(rng, bytes(content))
            words.append(more)
        path.write_bytes(content)
        return f"a tar: {', '.join(words)}", str(path), names

    def _records(self, path: Path) -> bytes:
        import tensorflow as tf

        rng = np.random.default_rng(0)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for number in range(3):
                writer.write(self._example(draw(rng, "PNG")[1], number))
        return path.read_bytes()

    def _example(self, content: bytes, label) -> bytes:
        import tensorflow as tf

        kinds = {int: ("int64_list", tf.train.Int64List), float: ("float_list", tf.train.FloatList)}
        name, kind = kinds.get(type(label), ("bytes_list", tf.train.BytesList))
        feature = {
            "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[content])),
            "image/class/label": tf.train.Feature(**{name: kind(value=[label])}),
        }
        return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()

    def _record(self, rng, place):
        import tensorflow as tf

        path, words = place.inside / "train.tfrecord", "as it is"
        labels = [1, -1, 2**62, float("nan"), float("inf"), b"red", b"\xff", b"\x1b[31m", b""]
        if rng.random() < 0.4:
            words, content = spoil_bytes(rng, self.records)
            path.write_bytes(content)
        else:  # records with right checksums, that hold something else
            examples = [self._example(make_image(rng)[2], labels[rng.integers(len(labels))]) for _ in range(3)]
            if rng.random() < 0.6:
                place_ = int(rng.integers(3))
                words, examples[place_] = spoil_bytes(rng, examples[place_])
            with tf.io.TFRecordWriter(str(path)) as writer:
                for example in examples:
                    writer.write(example)
        return f"records: {words}", str(path), [path.name, "train:"]

    def _film(self, path: Path, code: str) -> bytes:
        import cv2

        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 10.0, (64, 48))
        for number in range(6):
            writer.write(np.full((48, 64, 3), 40 * number, np.uint8))
        writer.release()
        return path.read_bytes()

    def _make_film(self, rng, place):
        ending = str(rng.choice([*FILMS, ".gif", ".mkv"]))
        path = place.inside / f"film{ending}"
        choice = rng.random()
        if choice < 0.3:
            words = str(rng.choice(list(PLAYLISTS)))
            path.write_text(PLAYLISTS[words].format(secret=place.secret))
        elif choice < 0.4:
            words = str(rng.choice(list(FURTHER_FILES)))
            path.write_bytes(FURTHER_FILES[words])
        else:
            content = self.films.get(ending) or draw(rng, "GIF")[1]
            words, content = spoil_bytes(rng, content)
            path.write_bytes(content)
        return f"{path.name}: {words}", str(path), [path.name, "frame_"]

    def _pattern(self, rng, place):
        odd = [
            "x-{000..99999999999}.tar",
            "x-{9..0}.tar",
            "{0..1}{0..1}{0..1}.png",
            "*",
            "**/*",
            "[",
            "x[.tar",
            "a.tar.gz",
        ]
        odd += ["x.tar::y.tar", "nowhere.csv", "https://user:4711@127.0.0.1:1/a.tar", "file://", "x://y", "://", "1e9"]
        source = odd[rng.integers(len(odd))]
        if "://" not in source:
            source = f"{place.inside}/{source}"
        return f"the source {source}", source, [source, source.partition("{")[0], "x-0", "127.0.0.1"]

"""Malformed image files: explained as the page explains a photograph, or a folder of them as main.py does."""

import functools
import importlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tools.faults.mangle import odd_name, spoil_bytes
from tools.faults.trials import FaultyInput, Kind, Place

FORMATS = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "GIF": ".gif",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "PPM": ".ppm",
    "AVIF": ".avif",
}
MODES = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("RGB", "RGBA", "LA", "P", "1", "I;16"),
    "GIF": ("P",),
    "BMP": ("RGB", "L"),
    "TIFF": ("RGB", "L", "I;16", "F", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
    "PPM": ("RGB", "L"),
    "AVIF": ("RGB", "RGBA"),
}
OTHERS = {  # what is sent as an image and is none
    "nothing": b"",
    "NULs": bytes(5000),
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(canary.txt) (w) file closefile\n",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "HTML": b"<html><script>alert(1)</script>",
    "PDF": b"%PDF-1.7\n1 0 obj<<>>endobj",
    "MVG": b"push graphic-context\nfill 'url(https://127.0.0.1/x.jpg\"|touch canary.txt)'\n",
    "FLI": b"\x10\0\0\0\x11\xaf" + bytes(200),
    "PCX": b"\x0a\x05\x01\x08" + b"\xff" * 200,
    "ICNS": b"icns\0\0\xff\xff" + b"ic10" * 50,
    "PSD": b"8BPS\0\x01" + b"\xff" * 60,
    "WMF": b"\xd7\xcd\xc6\x9a\0\0" + b"\x10" * 60,
}


def draw(rng: np.random.Generator, kind: str | None = None) -> tuple[str, bytes]:
    """(format, content) of a sound image of at most 96 x 96 pixels, of any mode of its format."""
    kind = kind or str(rng.choice(list(FORMATS)))
    mode = MODES[kind][rng.integers(len(MODES[kind]))]
    height, width = rng.integers(1, 97, 2)
    if mode in ("I;16", "F"):
        values = rng.uniform(0, 1, (height, width)).astype(np.float32)
        image = Image.fromarray(values if mode == "F" else (65535 * values).astype(np.uint16))
    else:
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8)).convert(mode)
    options = {}
    if kind in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF") and rng.random() < 0.3:
        exif = Image.Exif()
        exif[0x0112] = int(rng.integers(*((1, 9) if kind == "TIFF" else (0, 10))))  # libtiff writes no others
        options["exif"] = exif
    # Not both of an AVIF: Pillow 12.3 dies when it writes several frames with an orientation of 2 to 8.
    if kind in ("GIF", "AVIF", "WEBP") and rng.random() < 0.3 and not (options and kind == "AVIF"):
        options |= {"save_all": True, "append_images": [image.rotate(180)] * 3}
    if kind == "TIFF" and rng.random() < 0.5:
        options["compression"] = str(rng.choice(["tiff_lzw", "tiff_adobe_deflate", "packbits"]))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return kind, file.getvalue()


def png(width: int, height: int, depth: int = 8, colour: int = 2, data: bytes = b"", further: bytes = b"") -> bytes:
    """A PNG file whose head says so, whatever it holds."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + further + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff_loop() -> bytes:
    """A TIFF file whose directory is its own successor."""
    entries = [
        (256, 3, 1, 4),
        (257, 3, 1, 4),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (279, 4, 1, 16),
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 8)


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def exif_ring(rng: np.random.Generator) -> bytes:
    """A JPEG whose EXIF directories name themselves and each other."""
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8), struct.pack("<HHII", 0x8825, 4, 1, 8)
    turn = struct.pack("<HHIHH", 0x0112, 3, 1, int(rng.integers(0, 2**16)), 0)
    block = b"II*\0" + struct.pack("<IH", 8, 3) + turn + b"".join(entry) + struct.pack("<I", 8)
    segment = b"Exif\0\0" + block
    content = draw(rng, "JPEG")[1]
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + content[2:]


def exif_kinds(rng: np.random.Generator) -> bytes:
    """A PNG whose EXIF orientation is of some type of TIFF's, a text or a fraction among them."""
    entry = struct.pack("<HHI", 0x0112, int(rng.integers(1, 14)), int(rng.integers(0, 4))) + rng.bytes(4)
    file = io.BytesIO()
    Image.new("RGB", (9, 5)).save(file, "PNG", exif=b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(12))
    return file.getvalue()


def gif_canvas(rng: np.random.Generator) -> bytes:
    """A GIF of one pixel on a canvas as large as can be said."""
    content = bytearray(draw(rng, "GIF")[1])
    content[6:10] = struct.pack("<HH", *(int(2 ** rng.uniform(10, 16)) - 1 for _ in range(2)))
    return bytes(content)


def png_bomb(name: bytes, head: bytes) -> Callable[[np.random.Generator], bytes]:
    """What makes a PNG that unpacks to a hundred megabytes beside its pixels."""
    return lambda rng: png(4, 4, data=bytes(4 * 13), further=chunk(name, head + zlib.compress(bytes(10**8), 9)))


def polyglot(rng: np.random.Generator) -> bytes:
    """A PNG that is a zip archive too, of a member that climbs out of its folder."""
    file = io.BytesIO(draw(rng, "PNG")[1])
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("../canary.txt", "x")
        archive.writestr("config.json", '{"class_name": "Lambda", "config": {}}')
    return file.getvalue()


SPECIAL = {
    "EXIF in a ring": (".jpg", exif_ring),
    "EXIF of another type": (".png", exif_kinds),
    "a canvas": (".gif", gif_canvas),
    "a packed profile": (".png", png_bomb(b"iCCP", b"x\0\0")),
    "a packed text": (".png", png_bomb(b"zTXt", b"x\0\0")),
    "an archive too": (".png", polyglot),
    "many frames": (".png", lambda rng: png(4, 4, data=bytes(52), further=chunk(b"acTL", b"\x7f\xff\xff\xff" * 2))),
    "long numbers": (".ppm", lambda rng: b"P6 " + b"9" * 10_000 + b" 1 255\n" + bytes(99)),
    "a negative height": (".bmp", lambda rng: (c := draw(rng, "BMP")[1])[:22] + struct.pack("<i", -(2**31)) + c[26:]),
}


def make_image(rng: np.random.Generator) -> tuple[str, str, bytes]:
    """(in words, ending, content) of a malformed image."""
    choice = rng.random()
    if choice < 0.12:
        name = str(rng.choice(list(OTHERS)))
        return f"{name} called an image", str(rng.choice(list(FORMATS.values()))), OTHERS[name]
    if choice < 0.24:
        width, height = (int(2 ** rng.uniform(0, 31)) for _ in range(2))
        return (
            f"a PNG of {width} x {height}",
            ".png",
            png(width, height, int(rng.choice([1, 8, 16, 3])), int(rng.integers(0, 8))),
        )
    if choice > 0.94:
        name = str(rng.choice(list(SPECIAL)))
        ending, build = SPECIAL[name]
        return f"{name}", ending, build(rng)
    if choice < 0.26:
        return "a TIFF whose directories are a ring", ".tif", tiff_loop()
    if choice < 0.30:
        values = rng.choice(np.float32([np.nan, np.inf, -1, 0, 1e38, 0.5]), (8, 8))
        file = io.BytesIO()
        Image.fromarray(values).save(file, "TIFF")
        return "a TIFF of NaN and infinity", ".tif", file.getvalue()
    kind, content = draw(rng)
    ending = str(rng.choice(list(FORMATS.values()))) if rng.random() < 0.1 else FORMATS[kind]
    if rng.random() < 0.08:
        return f"a sound {kind}", ending, content
    words, content = spoil_bytes(rng, content)
    return f"{kind}: {words}", ending, content


class Images(Kind):
    """One photograph, or gaze map, at a time, by the page's way; one in thirty a folder of six, by main.py's."""

    def prepare(self, place: Place) -> None:
        """Loads the embedded network once."""
        import utils

        utils.load_tensorflow()
        self.classifier = share_classifier()

    def make(self, rng: np.random.Generator, place: Place) -> FaultyInput:
        """One image, or a folder of them."""
        if rng.random() < 0.03:
            return self._make_folder(rng, place)
        what, ending, content = make_image(rng)
        path = place.inside / odd_name(rng, ending)
        path.write_bytes(content)
        as_gaze = rng.random() < 0.25
        return FaultyInput(
            f"{'gaze map ' if as_gaze else ''}{path.name!r}: {what}", lambda: self._explain(path, as_gaze), [path.name]
        )

    def _make_folder(self, rng, place):
        folder = place.inside / "images"
        folder.mkdir()
        (folder / "sound.png").write_bytes(draw(rng, "PNG")[1])
        words, names = [], [folder.name]
        for number in range(6):
            what, ending, content = make_image(rng)
            names.append(f"{number}{odd_name(rng, ending)}")
            (folder / names[-1]).write_bytes(content)
            words.append(what)
        argv = [
            f"--test_images_folder_path={folder}",
            "--model_name=ResNetDemo",
            f"--output_folder_path={place.inside / 'results'}",
        ]
        return FaultyInput(f"a folder: {'; '.join(words)}", lambda: ask_command("main", argv), names)

    def _explain(self, path: Path, as_gaze: bool) -> int:
        from data.images import note_reading

        return explain(path, self.classifier, as_gaze, (check_size, note_reading))


def check_size(path: Path) -> None:
    """Raises RuntimeError for an image of another size than its head is said to tell."""
    from data.images import read_image, read_size

    told, read = read_size(path), read_image(path).shape[:2]
    if told != read:
        raise RuntimeError(f"its size is told as {told}, and read as {read}")


def explain(path: Path, classifier, as_gaze: bool = False, further=()) -> int:
    """The exit code, 0, once the page's way has explained an image by Grad-CAM; RuntimeError for a map that is none.

    as_gaze: the file is where people looked at a sound image. further: what else is asked of the file.
    """
    from explainers.registry import METHODS
    from webpage.case import Case
    from webpage.work import Watch

    photograph = path
    if as_gaze:
        photograph = path.with_name("photograph.png")
        Image.fromarray(np.full((60, 80, 3), 99, np.uint8)).save(photograph)
    case = Case(photograph, classifier, path.parent / "files")
    question = case.ask([next(iter(case.top_classes))], {METHODS["GRADCAM"]: {}}, seed=0)
    case.answer(question, Watch(question.counts))
    if as_gaze:
        case.compare_with(path)
        again = case.ask_again()
        case.answer(again, Watch(again.counts))
    for ask in further:
        ask(path)
    for class_index, record in case.records():
        if not record.failed and not np.isfinite(case.answers[class_index].read_map(record)).all():
            raise RuntimeError(f"the map of class {class_index} is not finite")
    return 0


def share_classifier():
    """The embedded classifier, which every later run of this process takes too, so that it is loaded once."""
    from network import model_files

    if not hasattr(model_files.load_classifier, "cache_info"):
        model_files.load_classifier = functools.cache(model_files.load_classifier)
    ask_for = importlib.import_module("pipeline.run").load_classifier
    from pipeline.settings import ModelSettings

    return ask_for(ModelSettings(model_name="ResNetDemo"))[0]


def ask_command(name: str, argv: list[str]) -> int:
    """The exit code of a command's run with these flags; what `run_command` would put in a line is raised."""
    command = importlib.import_module(name)
    return command.run(command.read_settings(command.build_parser().parse_args(argv)))

"""Films: every frame of a video, of a moving .gif or of a camera is an image like any other, read when it is asked for.

    film.mp4, walk.gif     what OpenCV's FFmpeg decodes; a .gif of one picture stays a photograph
    0                      the camera of that number: so many frames as --limit says are taken at once, and kept

Frames are called by their place in the film, from 0 on: frame_000012. They are told apart by what they show, as files
are. Frames are decoded in their order: asking for an earlier one begins the film anew, since seeking is not exact in
every container. The last few stay decoded. Phones' films are turned upright, as OpenCV does by itself.
"""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import constants
from data.addresses import FILMS, is_camera, is_film_name
from data.dataset import Sample
from data.images import UPRIGHT, Reading
from data.stored import Stored

USUAL_RATE = 25.0  # frames a second, of a film that does not tell
CONTAINERS = (  # how a file of FILMS begins: place, bytes
    (4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (4, b"wide"), (4, b"free"), (4, b"skip"), (4, b"pnot"),  # .mp4, .mov
    (8, b"AVI "), (0, b"\x1aE\xdf\xa3"), (0, b"\0\0\x01\xba"), (0, b"\0\0\x01\xb3"), (0, b"GIF8"),
)  # fmt: skip
PACKET = 188  # bytes of a .mpg that is a transport stream, each beginning with 'G'
MOST_RATE = 240.0  # above which what it tells is no rate


class Film:
    """The frames of a film, by their numbers; frames_per_second: of all of them.

    kept: the frames as files of images, where they cannot be had again; None: they are decoded from the file.
    """

    def __init__(self, where: str, frames_per_second: float = USUAL_RATE, kept: Mapping[int, bytes] | None = None):
        self.where, self.frames_per_second, self._kept = where, frames_per_second, kept
        self._reader, self._next, self._recent = None, 0, {}
        self._decoding = threading.Lock()  # one frame after the other

    def __reduce__(self) -> tuple:
        return Film, (self.where, self.frames_per_second, self._kept)  # another process opens it for itself

    def read_bytes(self, number: int) -> bytes:
        """A frame as a file of an image; OSError if it cannot be decoded."""
        if self._kept is not None:
            return self._kept[number]
        with self._decoding:
            return self._decode(number)

    def _decode(self, number: int) -> bytes:
        import cv2

        if number in self._recent:
            return self._recent[number]
        if self._reader is None or number < self._next:
            self._reader, self._next = open_reader(self.where), 0
        while self._next < number and self._reader.grab():
            self._next += 1
        is_read, pixels = self._reader.read()
        self._next += 1
        if not is_read:
            self._reader = None
            raise OSError(f"frame {number} cannot be decoded")
        self._recent[number] = cv2.imencode(".bmp", pixels)[1].tobytes()
        while len(self._recent) > constants.IMAGES_AT_ONCE:
            del self._recent[next(iter(self._recent))]
        return self._recent[number]


@dataclass(frozen=True)
class Frame(Stored):
    """A frame of a film; offset: its number."""

    film: Film | None = field(default=None, compare=False, repr=False)

    def read_bytes(self) -> bytes:
        """The frame as a file of an image; OSError if it cannot be decoded."""
        return self.film.read_bytes(self.offset)


def is_film(text: str) -> bool:
    """Whether it is a film: by its ending, by its frames where that is .gif, or a camera's number."""
    if Path(text).suffix.lower() == ".gif" and Path(text).is_file():
        return _has_frames(text)
    return is_camera(text) or (is_film_name(text) and not Path(text).is_dir())


def _has_frames(path: str) -> bool:
    from PIL import Image

    try:
        with Image.open(path, formats=["GIF"]) as picture:
            return picture.is_animated
    except Exception:  # Pillow's readers raise whatever they stumble on in a damaged file
        return False  # told where it is read as an image


def list_frames(where: str, limit: int | None = None, step: int = 1, reading: Reading = UPRIGHT) -> list[Sample]:
    """The samples of a film, every step-th of its frames, at most `limit`; of a camera the next ones it takes.

    ValueError for a film that cannot be read or has no frame, and for a camera without a limit.
    """
    if is_camera(where):
        film, numbers = _record(where, limit, step)
    else:
        if not Path(where).is_file():
            raise ValueError(f"images_folder: there is no file '{where}'")
        reader = open_reader(where)
        film, numbers = Film(where, find_rate(reader)), _count(reader, limit, step)
    if not numbers:
        raise ValueError(f"cannot read '{where}': no frame of it can be decoded")
    names = [f"frame_{number:06d}" for number in numbers]
    return [
        Sample(name, name, Frame(where, name, number, film=film), reading=reading)
        for name, number in zip(names, numbers)
    ]


def film_of(samples: Sequence[Sample]) -> Film | None:
    """The film whose frames the samples are; None: they are other images."""
    path = samples[0].path if len(samples) else None
    return path.film if isinstance(path, Frame) else None


def rate_of(samples: Sequence[Sample]) -> float:
    """How many of these frames of a film there are a second."""
    step = samples[1].path.offset - samples[0].path.offset if len(samples) > 1 else 1
    return film_of(samples).frames_per_second / step


def time_of(sample: Sample) -> float:
    """When a frame is seen, in seconds from the beginning of its film."""
    return sample.path.offset / sample.path.film.frames_per_second


def describe_film(samples: Sequence[Sample]) -> str:
    """In words, what the samples of a film are."""
    film, last = film_of(samples), samples[-1].path.offset
    return (
        f"{len(samples)} frames of '{film.where}', up to number {last}, of {film.frames_per_second:.4g} a second; "
        "classes are those predicted, or --class_index"
    )


def open_reader(where: str):
    """OpenCV's reader of a film or camera; ValueError if there is none."""
    import cv2

    if not is_camera(where) and not _is_container(where):
        raise ValueError(f"cannot read '{where}': it does not begin as a film of {', '.join(FILMS)} does")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong is told below, in one line
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        reader = cv2.VideoCapture(int(where)) if is_camera(where) else cv2.VideoCapture(where, cv2.CAP_FFMPEG)
    finally:
        cv2.utils.logging.setLogLevel(before)
    if not reader.isOpened():
        what = "there is no such camera" if is_camera(where) else "OpenCV finds no film in it"
        raise ValueError(f"cannot read '{where}': {what}")
    return reader


def _is_container(where: str) -> bool:
    """Whether a file begins as one of the containers that we promise: FFmpeg follows lists of other files too."""
    try:
        with open(where, "rb") as file:
            begin = file.read(PACKET + 1)
    except OSError as error:
        raise ValueError(f"cannot read '{where}': {error.strerror}") from None
    is_stream = begin[:1] == begin[PACKET:] == b"G"
    return is_stream or any(begin[place : place + len(mark)] == mark for place, mark in CONTAINERS)


def find_rate(reader) -> float:
    """Frames a second, as the film tells; `USUAL_RATE` where it tells none."""
    import cv2

    rate = reader.get(cv2.CAP_PROP_FPS)
    return rate if 0 < rate <= MOST_RATE else USUAL_RATE


def _count(reader, limit: int | None, step: int) -> list[int]:
    """The numbers of the frames that are there: what the container tells may be a guess."""
    numbers, number = [], 0
    while (limit is None or len(numbers) < limit) and reader.grab():
        if number % step == 0:
            numbers.append(number)
        number += 1
    return numbers


def _record(where: str, limit: int | None, step: int) -> tuple[Film, list[int]]:
    """What a camera sees from now on, and the numbers of the frames; its rate is measured."""
    import cv2

    if limit is None:
        raise ValueError(f"limit: camera {where} never ends: say how many frames it takes")
    reader, kept, begin = open_reader(where), {}, time.perf_counter()
    try:
        for number in range(limit * step):
            is_read, pixels = reader.read()
            if not is_read:
                break
            if number % step == 0:
                kept[number] = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
    finally:
        reader.release()
    n_taken = 1 + max(kept, default=0)
    rate = n_taken / max(time.perf_counter() - begin, 1e-9)
    return Film(where, min(rate, MOST_RATE), kept), list(kept)

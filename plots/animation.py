"""Pictures that move: what a frame shows, and frames as .gif and .mp4 files.

A frame has pictures side by side, lines of text below them and, at the right, the bar of the colours that all frames
share. A .gif is for slides: of 256 colours a frame, no wider than `GIF_WIDTH`, of at most `GIF_FRAMES` frames, which
last as long as those that were left out. An .mp4 is MPEG-4 part 2, which OpenCV's wheels can write; browsers want
H.264: `ffmpeg -i film.mp4 -c:v libx264 film_h264.mp4`.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from output.files import write_whole
from plots.drawing import bring_to, fit_text, label_ends
from plots.letters import open_font
from representations import ColourScale

if TYPE_CHECKING:
    from PIL import Image

HEIGHT = 320  # pixels: of the pictures in a frame
MARGIN = 8
TEXT = 14  # pixels: the height of letters
LINE = 20
BAR, BAR_ROOM = 12, 84  # pixels: of the bar, and for it with its values
GIF_WIDTH, GIF_FRAMES, GIF_RATE = 640, 200, 12.5  # pixels; at most; frames a second at most


def compose(
    pictures: Sequence[np.ndarray], lines: Sequence[str] = (), scale: ColourScale | None = None, height: int = HEIGHT
) -> np.ndarray:
    """A frame, uint8 RGB (H, W, 3) of even sides: pictures (h, w, 3) brought to one height, lines, the scale's bar.

    Frames of pictures of one aspect and as many lines are of one size.
    """
    from PIL import Image, ImageDraw

    shown = [bring_to(one, height, max(1, round(one.shape[1] * height / one.shape[0]))) for one in pictures]
    width = MARGIN + sum(one.shape[1] + MARGIN for one in shown) + (BAR_ROOM if scale else 0)
    whole = height + 2 * MARGIN + LINE * len(lines)
    frame = np.full((whole + whole % 2, width + width % 2, 3), 255, np.uint8)
    left = MARGIN
    for one in shown:
        frame[MARGIN : MARGIN + height, left : left + one.shape[1]] = one
        left += one.shape[1] + MARGIN
    if scale:
        colours = scale.colour(np.linspace(scale.high, scale.low, height))
        frame[MARGIN : MARGIN + height, left : left + BAR] = colours[:, None]
    picture = Image.fromarray(frame)
    draw = ImageDraw.Draw(picture)
    for place, text in enumerate(label_ends(scale.low, scale.high) if scale else ()):
        y = MARGIN + height - place * height / 2
        draw.text((left + BAR + 4, min(max(y, MARGIN + 6), MARGIN + height - 6)), text, "#444444", _font(text), "lm")
    inches = (width - 2 * MARGIN) / 72
    for place, text in enumerate(lines, start=1):
        text = fit_text(text, inches, TEXT)
        draw.text((MARGIN, height + MARGIN + LINE * place - 4), text, "black", _font(text), "ls")
    return np.asarray(picture)


def _font(text: str):
    return open_font(text, TEXT)


def gif_saver(frames: Iterable[np.ndarray], frames_per_second: float, hold: float = 0.0) -> Callable[[Path], None]:
    """What writes a .gif to a path; it runs for ever. hold: seconds that the last frame stays longer.

    frames: uint8 RGB (H, W, 3), of one size.
    """
    from PIL import Image

    pictures = [_choose_colours(Image.fromarray(_narrow(frame))) for frame in frames]
    usual = max(20, round(100 / frames_per_second) * 10)  # ms: browsers slow down what is quicker
    durations = [usual] * (len(pictures) - 1) + [usual + round(1000 * hold)]

    def save(path: Path) -> None:
        first, *others = pictures
        first.save(path, "GIF", save_all=True, append_images=others, duration=durations, loop=0)

    return save


def _choose_colours(picture: "Image.Image") -> "Image.Image":
    """The picture in its own 256 colours, dithered: without, the bar falls into a few steps."""
    return picture.quantize(palette=picture.quantize(256))


def write_film(path: Path, frames: Iterator[np.ndarray], n_frames: int, frames_per_second: float) -> list[Path]:
    """The paths of <path>.mp4 and <path>.gif, once they are written whole; every frame is asked for once.

    frames: n_frames of uint8 RGB (H, W, 3), of one size. OSError where no .mp4 can be written.
    """
    step = max(math.ceil(n_frames / GIF_FRAMES), math.ceil(frames_per_second / GIF_RATE), 1)
    kept = []

    def save(partial: Path) -> None:
        for number, frame in enumerate(_write_mp4(partial, frames, frames_per_second)):
            if number % step == 0:
                kept.append(_narrow(frame))

    film = write_whole(path.with_name(f"{path.name}.mp4"), save)
    return [film, write_whole(path.with_name(f"{path.name}.gif"), gif_saver(kept, frames_per_second / step))]


def _write_mp4(path: Path, frames: Iterator[np.ndarray], frames_per_second: float) -> Iterator[np.ndarray]:
    """The frames, as they are written."""
    import cv2

    writer, n_frames = None, 0
    try:
        for frame in frames:
            if writer is None:
                size = frame.shape[1], frame.shape[0]
                writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), frames_per_second, size)
                if not writer.isOpened():
                    raise OSError(f"OpenCV cannot write MPEG-4 at {size[0]} x {size[1]} pixels")
            writer.write(np.ascontiguousarray(frame[..., ::-1]))
            n_frames += 1
            yield frame
    finally:
        if writer is not None:
            writer.release()
    reader = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)  # the writer says nothing of a full disk
    n_written = int(reader.get(cv2.CAP_PROP_FRAME_COUNT))
    reader.release()
    if n_written != n_frames:
        raise OSError(f"{n_written} of {n_frames} frames were written")


def _narrow(frame: np.ndarray) -> np.ndarray:
    """A frame of at most `GIF_WIDTH` pixels."""
    height, width = frame.shape[:2]
    if width <= GIF_WIDTH:
        return frame
    return bring_to(frame, round(height * GIF_WIDTH / width), GIF_WIDTH)

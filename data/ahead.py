"""Images read ahead of need: while the network computes on one group, threads decode and resize the next.

    for group, pictures in read_ahead(((group, samples), ...), height, width):     in the order in which they are given

Pictures are kept at the size that the network takes; each thread holds one image whole, and of large ones one at a time
is brought to float32. `tf.data` would do the same with more: its decoders read fewer formats than data/images.py, give
other bits than Pillow's, and know neither our errors nor what an image in a film or at an address is; as a shell around
Python it waits for the same lock. Pillow and OpenCV let go of that lock where the time is spent.
"""

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np

import utils
from data.dataset import Sample

READERS = min(4, os.cpu_count() or 1)  # threads
LARGE = 2**23  # values, of an image of 3 megapixels

Group = TypeVar("Group")


class Picture(NamedTuple):
    """An image at the size a network takes. size: (height, width) of the image as it is."""

    pixels: np.ndarray  # (H, W, 3)
    size: tuple[int, int]


def read_picture(
    sample: Sample,
    height: int,
    width: int,
    dtype: type = np.float32,
    alone: contextlib.AbstractContextManager | None = None,
) -> Picture | str:
    """The image of a sample at (height, width), RGB 0-255; or why it cannot be read.

    dtype: in which it is resized. alone: is held while that is done to a large one.
    """
    try:
        image = sample.read()
    except ValueError as error:
        return str(error)
    sample.checksum  # noqa: B018 - kept by the sample: its file is at hand now
    with alone if alone and image.size > LARGE else contextlib.nullcontext():
        return Picture(utils.resize_image(image.astype(dtype, copy=False), height, width), image.shape[:2])


def read_ahead(
    groups: Iterable[tuple[Group, Sequence[Sample]]], height: int, width: int, dtype: type = np.float32
) -> Iterator[tuple[Group, dict[str, Picture | str]]]:
    """Each group, and file stem -> `read_picture` of its samples; the next group is being read meanwhile.

    groups: whatever tells a group, with its samples; asked for one ahead, by the caller's own thread.
    """
    how = height, width, dtype, threading.Lock()
    with ThreadPoolExecutor(READERS, "read") as readers:

        def begin(samples: Sequence[Sample]) -> dict[str, Future]:
            return {sample.stem: readers.submit(read_picture, sample, *how) for sample in samples}

        try:
            before = None
            for group, samples in groups:
                following = group, begin(samples)
                if before is not None:
                    yield _finish(*before)
                before = following
            if before is not None:
                yield _finish(*before)
        finally:
            readers.shutdown(cancel_futures=True)


def _finish(group: Group, reading: dict[str, Future]) -> tuple[Group, dict[str, Picture | str]]:
    return group, {stem: future.result() for stem, future in reading.items()}

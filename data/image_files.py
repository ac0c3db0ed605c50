"""Images of one size that stay in their files until they are asked for: to training what an array (N, H, W, 3) is."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import utils
from data.dataset import Sample

READERS = 8  # threads that decode the images of a batch


class ImageFiles:
    """uint8 RGB (N, H, W, 3) of N samples, each read and resized anew whenever it is taken; errors as `Sample.read`."""

    dtype = np.dtype(np.uint8)

    def __init__(self, samples: Sequence[Sample], height: int, width: int):
        self._samples, self.shape = samples, (len(samples), height, width, 3)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, rows) -> np.ndarray:
        """One image (H, W, 3) of a number; images (n, H, W, 3) of a slice or an array of n numbers."""
        if isinstance(rows, (int, np.integer)):
            return self._read(int(rows))
        chosen = np.arange(len(self))[rows]
        with ThreadPoolExecutor(READERS) as readers:
            return np.stack(list(readers.map(self._read, chosen.tolist())))

    def _read(self, row: int) -> np.ndarray:
        return utils.resize_image(self._samples[row].read(), *self.shape[1:3])

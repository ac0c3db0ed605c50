"""Occlusion: how the class probability falls when a window of the image is covered.

    L(l) = mean over the windows covering l of f(x) - f(x with the window filled)

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2. The windows stand
`stride` pixels apart from the top left corner; the last one may be cut off by the border, and none comes after the
first that reaches it: a sliver wholly inside the window before it would count the border's pixels once more.

Cost per image: one forward pass per window, and one for the image itself.
"""

from collections.abc import Iterator

import numpy as np

import constants
import utils
from explainers.base import Explainer

Corners = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels of img_array, the far ends not included


class Occlusion(Explainer):
    """Occlusion by a sliding square; signed: where covering helps the class the map is negative.

    patch: side of the square in pixels of the input; None: a seventh of the input's shorter side, rounded up.
    stride: pixels from one window to the next; None: half the patch. fill: grey value of the cover, 0-255.
    """

    signed = True
    perturbs = True

    def __init__(
        self,
        model,
        model_name,
        img_array,
        class_index=None,
        *,
        patch: int | None = constants.OCCLUSION_PATCH,
        stride: int | None = constants.OCCLUSION_STRIDE,
        fill: float = constants.OCCLUSION_FILL,
        **options,
    ):
        super().__init__(model, model_name, img_array, class_index, **options)
        if min(patch or 1, stride or 1) < 1 or 0 in (patch, stride) or not 0 <= fill <= 255:
            raise ValueError(f"patch and stride should be 1 or more, fill 0-255; given: {patch}, {stride}, {fill}")
        self.patch, self.stride, self.fill = patch, stride, fill

    def place_windows(self) -> list[tuple[slice, slice]]:
        """Rows and columns of each window."""
        height, width = self.images.shape[1:3]
        patch = self.patch or -(-min(height, width) // 7)
        stride = self.stride or max(1, patch // 2)
        return [
            (slice(top, min(top + patch, height)), slice(left, min(left + patch, width)))
            for top in self._place_along(height, patch, stride)
            for left in self._place_along(width, patch, stride)
        ]

    @staticmethod
    def _place_along(side: int, patch: int, stride: int) -> range:
        """Where windows begin along a side: up to the first that reaches its end."""
        reaching = -(-max(side - patch, 0) // stride) * stride
        return range(0, min(reaching + 1, side), stride)

    def cover(self, image: np.ndarray, windows: list[tuple[slice, slice]]) -> np.ndarray:
        """Copies (n, H, W, 3) of the image, each with one window filled."""
        covered = np.repeat(image[None], len(windows), axis=0)
        for copy, window in zip(covered, windows):
            copy[window] = self.fill
        return covered

    def measure_falls(self, image: np.ndarray, class_index: int, windows: list) -> np.ndarray:
        """f(x) - f(x with the window filled) of each window, (n,)."""
        whole = self.classifier.predict_once(image[None])[0, class_index]
        batches = utils.in_batches(windows, self.batch_size)
        stream = self.stream_probabilities(batches, lambda batch: self.cover(image, batch), len(windows))
        return whole - np.concatenate([probabilities[:, class_index] for _, probabilities in stream])

    def mute_boxes(self, boxes: dict[str, Corners]) -> list[dict[str, float]]:
        """For each image, how far the class probability falls when each named box of it is filled.

        ValueError for no box, one that is empty, and one that is not inside the image.
        """
        if not boxes:
            raise ValueError("boxes should hold one box or more, by name; none was given")
        windows = [self.box_window(name, box) for name, box in boxes.items()]
        return [
            dict(zip(boxes, map(float, self.measure_falls(image, index, windows))))
            for image, index in zip(self.images, self.class_indices)
        ]

    def box_window(self, name: str, box: Corners) -> tuple[slice, slice]:
        """Rows and columns, at the input size, of a box given in pixels of img_array."""
        height, width = self.img_array.shape[-3:-1]
        x0, y0, x1, y1 = box
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise ValueError(
                f"box {name!r} should be x0 < x1 within 0..{width} and y0 < y1 within 0..{height}; given: {box}"
            )
        down, across = self.images.shape[1] / height, self.images.shape[2] / width
        rows = slice(round(y0 * down), round(y1 * down))
        columns = slice(round(x0 * across), round(x1 * across))
        if rows.start == rows.stop or columns.start == columns.stop:
            raise ValueError(f"box {name!r} = {box} covers no pixel at the model's input size")
        return rows, columns

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> Iterator[np.ndarray]:
        """Maps (H, W), one image after the other; 0 where no window comes."""
        windows = self.place_windows()
        for image, index in zip(images, class_index):
            total, n_windows = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
            for window, fall in zip(windows, self.measure_falls(image, index, windows)):
                total[window] += fall
                n_windows[window] += 1
            yield total / np.maximum(n_windows, 1)

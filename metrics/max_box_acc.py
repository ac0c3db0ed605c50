"""MaxBoxAcc: how often the box around the largest region of a map is the object's box, at the best threshold.

    box(s, t) = tightest box around the largest connected part of {s > t}, s the map scaled to 0-1
    BoxAcc(t) = share of images where IoU(box(s, t), B) >= 0.5         MaxBoxAcc = max_t BoxAcc(t)

Choe et al., "Evaluating Weakly Supervised Object Localization Methods Right", CVPR 2020, section 4.1; of several boxes
B of an image the one that fits best counts. One threshold serves all images of a table's row: it is chosen with the
boxes seen, so that the value says what a map can do and not what a user would get.

As in the authors' program (wsolevaluation), thresholds are 0, 0.001, ..., 0.999, the map and they are rounded down to
255 levels, and what is above the threshold is kept; the paper keeps what equals it too. Parts are connected along sides
and corners, and the largest has the most pixels; the program measures the area within its outline. A box covers
x0 <= x < x1: the program's reach one pixel further. Boxes are compared at the map's size, which changes no IoU but for
rounding.

Cost: 255 labellings of the map, no forward pass.
"""

from collections.abc import Sequence

import numpy as np

import constants
import utils


def region_boxes(saliency_map: np.ndarray, n_thresholds: int = constants.BOX_THRESHOLDS) -> np.ndarray:
    """x0, y0, x1, y1 of box(s, t) for t = 0, 1 / n, ..., (n - 1) / n: int (n, 4), of a map (H, W)."""
    import cv2

    levels = (255 * utils.normalise(saliency_map)).astype(np.uint8)
    box_above = np.zeros((255, 4), dtype=int)
    for level in range(255):
        _, _, parts, _ = cv2.connectedComponentsWithStats((levels > level).astype(np.uint8), connectivity=8)
        if len(parts) > 1:  # part 0 is the rest
            x, y, width, height, _ = parts[1 + np.argmax(parts[1:, cv2.CC_STAT_AREA])]
            box_above[level] = x, y, x + width, y + height
    return box_above[np.arange(n_thresholds) * 255 // n_thresholds]


def box_ious(boxes: np.ndarray, truth: Sequence[Sequence[float]]) -> np.ndarray:
    """Of each box (n, 4) the IoU with the box of `truth` (m, 4) that fits it best, float64 (n,)."""
    one, other = np.asarray(boxes, float)[:, None], np.asarray(truth, float)[None]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    both = np.clip(sides, 0, None).prod(axis=-1)
    areas = [(corners[..., 2:] - corners[..., :2]).prod(axis=-1) for corners in (one, other)]
    return (both / (sum(areas) - both)).max(axis=1)


def max_box_acc(ious: np.ndarray, least: float = constants.BOX_IOU) -> tuple[float, float]:
    """(MaxBoxAcc, the threshold that reaches it, the lowest of several) of IoUs (N images, n thresholds)."""
    shares = (np.asarray(ious) >= least).mean(axis=0)
    best = int(shares.argmax())
    return float(shares[best]), best / len(shares)

"""Whether a saliency map lies on the object, given its bounding boxes, and how wide the map spreads.

    IoU = |A and B| / |A or B|      A: the `fraction` of pixels where the map is largest, B: the boxes together
    pointing game                   1 if the map's maximum lies in a box or less than 15 pixels from one, else 0
                                    (Zhang et al. 2018, "Top-down neural attention by excitation backprop"; at exactly
                                    15 pixels it is a miss, as in TorchRay)
    energy pointing game            sum e in the boxes / sum e (Wang et al. 2020, Score-CAM)
    area over half maximum          share of pixels with e >= max(e) / 2
    entropy                         - sum p log p / log(HW),  p = e / sum e: 0 for a single pixel, 1 for an even map

with e the energy of the map: of a signed map its positive part, what speaks for the class; of any other what lies above
its minimum, for a map that starts at 0.4 everywhere says no more. All at the image's own size. A maximum that many
pixels share - LIME's best superpixel - scores the share of them that hit, which is what drawing one of them by lot
gives on average.

MaxBoxAcc: how often the box around the largest region of a map is the object's box, at the best threshold.

    box(s, t) = tightest box around the largest connected part of {s > t}, s the map scaled to 0-1
    BoxAcc(t) = share of images where IoU(box(s, t), B) >= 0.5         MaxBoxAcc = max_t BoxAcc(t)

Choe et al., "Evaluating Weakly Supervised Object Localization Methods Right", CVPR 2020, section 4.1; of several boxes
B of an image the one that fits best counts. One threshold serves all images of a table's row: it is chosen with the
boxes seen, so that the value says what a map can do and not what a user would get.

As in the authors' program (wsolevaluation), thresholds are 0, 0.001, ..., 0.999, the map and they are rounded down to
255 levels, and what is above the threshold is kept; the paper keeps what equals it too. Parts are connected along sides
and corners, and the largest has the most pixels; the program measures the area within its outline. A box covers
x0 <= x < x1: the program's reach one pixel further. Boxes are compared at the map's size, which changes no IoU but for
rounding. Cost: 255 labellings of the map, no forward pass.
"""

from collections.abc import Sequence

import numpy as np

import constants
import utils
from metrics import agreement
from metrics.common import Undefined

BOX_THRESHOLDS = 1000  # of a map scaled to 0-1, at equal distances from 0 on
BOX_IOU = 0.5  # with the object's box, from which on a box is right

BOX_SCORES = ("iou", "pointing_game", "energy_pointing_game")


def pointing_game(saliency_map: np.ndarray, mask: np.ndarray, tolerance: float = constants.POINTING_TOLERANCE) -> float:
    """The share of a map's (H, W) largest values in the mask, bool (H, W), or less than `tolerance` pixels from it.

    From 0 to 1; one maximum gives either. Errors as in `score_map`.
    """
    import cv2

    saliency_map = _check(saliency_map, mask)
    high, low = saliency_map.max(), saliency_map.min()
    # Resizing splits an even superpixel by the last bit of its values.
    largest = saliency_map >= high - constants.CONSTANT_MAP_TOLERANCE * (high - low)
    distances = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(np.mean((distances < tolerance)[largest] | mask[largest]))


def energy_pointing_game(saliency_map: np.ndarray, mask: np.ndarray) -> float:
    """The share of the energy of a map (H, W) that lies in the mask, bool (H, W): 0 to 1.

    Errors as in `score_map`, and `Undefined` if no value of a signed map speaks for the class.
    """
    energy = measure_energy(_check(saliency_map, mask))
    return float(energy[mask].sum() / energy.sum())


def box_iou(saliency_map: np.ndarray, mask: np.ndarray, fraction: float) -> float:
    """The IoU of the `fraction` of pixels where a map (H, W) is largest with the mask; errors as in `score_map`."""
    return agreement.calculate_iou(agreement.keep_largest(_check(saliency_map, mask), fraction), mask)


def score_map(saliency_map: np.ndarray, mask: np.ndarray, fraction: float) -> dict[str, float]:
    """A name of `BOX_SCORES` -> the score of a map (H, W) on the mask of the boxes, bool (H, W); NaN if undefined.

    ValueError for a map of another size than the mask, or one that is not finite; from the functions above also
    `Undefined` for a constant map.
    """
    calculations = (lambda *maps: box_iou(*maps, fraction), pointing_game, energy_pointing_game)
    scores = {}
    for metric, calculate in zip(BOX_SCORES, calculations):
        try:
            scores[metric] = calculate(saliency_map, mask)
        except Undefined:
            scores[metric] = float("nan")
    return scores


def measure_energy(saliency_map: np.ndarray) -> np.ndarray:
    """The energy of a map (H, W), float64: its positive part if it is signed, else what lies above its minimum.

    `Undefined` if there is none: the map is constant, or no value of it is positive.
    """
    saliency_map = np.asarray(saliency_map, dtype=np.float64)
    if utils.is_constant(saliency_map):
        raise Undefined("saliency_map is constant")
    energy = np.maximum(saliency_map - max(saliency_map.min(), 0), 0)
    if not energy.any():
        raise Undefined("no value of the map is positive")
    return energy


def _check(saliency_map: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The map as float64; ValueError if it does not fit, `Undefined` if it is constant."""
    saliency_map = np.asarray(saliency_map, dtype=np.float64)
    if saliency_map.shape != mask.shape or saliency_map.ndim != 2:
        raise ValueError(f"a map of the mask's size {mask.shape} was wanted; got {saliency_map.shape}")
    if not np.isfinite(saliency_map).all():
        raise ValueError("saliency_map must hold finite numbers")
    if utils.is_constant(saliency_map):
        raise Undefined("saliency_map is constant")
    return saliency_map


# --- how wide a map spreads -------------------------------------------------------------------------------
def measure_area(saliency_map: np.ndarray) -> float:
    """The share of a map (H, W) that reaches half its largest energy: above 0, up to 1."""
    energy = measure_energy(saliency_map)
    return float(np.mean(energy >= energy.max() / 2))


def measure_entropy(saliency_map: np.ndarray) -> float:
    """The entropy of a map (H, W) as a share of that of an even one: 0 to 1."""
    energy = measure_energy(saliency_map)
    shares = energy[energy > 0] / energy.sum()
    return float(-np.sum(shares * np.log(shares)) / np.log(energy.size)) + 0.0


# --- MaxBoxAcc ---------------------------------------------------------------------------------------------
def region_boxes(saliency_map: np.ndarray, n_thresholds: int = BOX_THRESHOLDS) -> np.ndarray:
    """x0, y0, x1, y1 of box(s, t) for t = 0, 1 / n, ..., (n - 1) / n: int (n, 4), of a map (H, W).

    A threshold above which nothing is, as every one of a constant map, has the empty box 0, 0, 0, 0.
    """
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


def max_box_acc(ious: np.ndarray, least: float = BOX_IOU) -> tuple[float, float]:
    """(MaxBoxAcc, the threshold that reaches it, the lowest of several) of IoUs (N images, n thresholds)."""
    shares = (np.asarray(ious) >= least).mean(axis=0)
    best = int(shares.argmax())
    return float(shares[best]), best / len(shares)

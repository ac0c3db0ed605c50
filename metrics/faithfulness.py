"""Whether a saliency map tells what the classifier uses: average drop and increase, MuFidelity, sensitivity.

With f the probability of the class and s the map min-max scaled to [0, 1]:

    drop = max(0, f(x) - f(x s)) / f(x)     increase = 1 if f(x s) > f(x), else 0        (1 or 2 forward passes)

    Chattopadhay et al. 2018, Grad-CAM++, section 4.1: the image times its map keeps what explains the class. The
    paper's average drop and increase in confidence are 100 times the means over images.

    MuFidelity = corr over S of sum of the map in S and f(x) - f(x with S set to a baseline)    (n_samples passes)

    Bhatt et al. 2020, "Evaluating and aggregating feature-based model explanations", definition 3. S is a random
    subset of the cells of a grid, `share` of them, the map as it is, unscaled; with as many cells as pixels it is the
    paper's subset of pixels. Pearson's correlation as in the paper; `correlation="spearman"` ranks both first. f(x)
    is a constant and need not be known.

    sensitivity = max over d of ||map(x + d) - map(x)|| / ||map(x)||, |d| <= radius       (n_samples + 1 explanations)

    Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations", max-sensitivity, relative to the map as in
    their code; d uniform in the cube, x + d kept in 0-255. The paper's supremum is the largest of n_samples draws.

Memory does not grow beyond one batch of images. Black is 0 before preprocessing.
"""

from collections.abc import Callable, Iterator

import numpy as np

import constants
import utils
from metrics.common import Predict, Undefined, check_image, check_image_and_map, measure_scores, scale_map, split_evenly

MUFIDELITY_N_SAMPLES = 200  # subsets of cells
MUFIDELITY_GRID_SIZE = 9  # cells along a side
MUFIDELITY_SHARE = 0.2  # of the cells, in a subset
MUFIDELITY_BASELINE = 0.0  # grey value, 0-255, that a cell of the subset is set to
SENSITIVITY_N_SAMPLES = 10
SENSITIVITY_RADIUS = 5.1  # grey values, 0-255, that a pixel changes by at most: 2 %

Explain = Callable[[np.ndarray], np.ndarray]  # float32 RGB 0-255 (n, H, W, 3) -> maps (n, H, W)
CORRELATIONS = ("pearson", "spearman")


def calculate_drop(
    predict: Predict, img_array: np.ndarray, saliency_map: np.ndarray, class_index: int, *, whole: float | None = None
) -> tuple[float, float]:
    """(drop, increase) of the image (H, W, 3) times its map (H, W): drop in [0, 1], lower is better; increase 0 or 1.

    whole: the probability of the whole image, where it is known and need not be asked again.
    Raises ValueError for arguments that do not fit, `Undefined` if the map is constant, a score is not finite, or the
    probability of the class is 0, of which nothing can drop.
    """
    img_array, saliency_map = check_image_and_map(img_array, saliency_map)
    masked = img_array * scale_map(saliency_map).astype(np.float32)[..., None]
    pictures = [img_array, masked] if whole is None else [masked]
    *asked, explained = measure_scores(predict, [np.stack(pictures)], class_index)
    whole = asked[0] if asked else whole
    if whole <= 0:
        raise Undefined("the probability of the class is 0: nothing of it can drop")
    return float(max(0, whole - explained) / whole), float(explained > whole)


def calculate_mufidelity(
    predict: Predict,
    img_array: np.ndarray,
    saliency_map: np.ndarray,
    class_index: int,
    *,
    n_samples: int = MUFIDELITY_N_SAMPLES,
    grid_size: int = MUFIDELITY_GRID_SIZE,
    share: float = MUFIDELITY_SHARE,
    baseline: float = MUFIDELITY_BASELINE,
    correlation: str = "pearson",
    seed: int = constants.SEED,
    batch_size: int = constants.BATCH_SIZE,
) -> float:
    """The MuFidelity of a map (H, W), signed or not: in [-1, 1], 0 by chance, higher is better.

    n_samples: subsets, 3 or more. grid_size: cells along a side. share: of the cells, in a subset (round(share n) of
    n). baseline: grey value 0-255. Raises ValueError for arguments that do not fit, `Undefined` if the map is constant,
    or its sums or the scores are the same for all subsets.
    """
    img_array, saliency_map = check_image_and_map(img_array, saliency_map)
    if n_samples < 3 or correlation not in CORRELATIONS:
        raise ValueError(f"3 samples or more and one of {CORRELATIONS} wanted; got {n_samples} and '{correlation}'")
    cells = make_cells(*saliency_map.shape, grid_size)
    subsets = draw_subsets(n_samples, grid_size**2, share, seed)
    scale_map(saliency_map)  # raises if it is constant or not finite; what is summed is the map as it is
    sums = subsets @ np.bincount(cells.ravel(), saliency_map.ravel())
    scores = measure_scores(predict, _cover(img_array, cells, subsets, baseline, batch_size), class_index)
    return _correlate(sums, -scores, correlation)


def make_cells(height: int, width: int, grid_size: int) -> np.ndarray:
    """The cell of each pixel, int (H, W): 0 to grid_size^2 - 1, row by row, of nearly equal sides."""
    if not 1 < grid_size <= min(height, width):
        raise ValueError(f"grid_size should be 2 to {min(height, width)}, the map's shorter side; got {grid_size}")
    rows, columns = (np.arange(side) * grid_size // side for side in (height, width))
    return rows[:, None] * grid_size + columns


def draw_subsets(n_samples: int, n_cells: int, share: float, seed: int) -> np.ndarray:
    """Which cells are in each subset, bool (n_samples, n_cells): round(share n_cells) of them, all equally likely."""
    n_drawn = round(share * n_cells)
    if not 0 < n_drawn < n_cells:
        raise ValueError(f"share should take 1 to {n_cells - 1} of {n_cells} cells; {share} takes {n_drawn}")
    first = np.tile(np.arange(n_cells) < n_drawn, (n_samples, 1))
    return np.random.default_rng(seed).permuted(first, axis=1)


def _cover(
    img_array: np.ndarray, cells: np.ndarray, subsets: np.ndarray, baseline: float, batch_size: int
) -> Iterator[np.ndarray]:
    """Batches of the image with the cells of each subset set to the baseline."""
    for batch in split_evenly(subsets, batch_size):
        yield np.where(batch[:, cells, None], np.float32(baseline), img_array)


def _correlate(sums: np.ndarray, falls: np.ndarray, correlation: str) -> float:
    """The correlation of two lists (n,); `Undefined` if one of them is constant."""
    if correlation == "spearman":
        from scipy.stats import rankdata

        sums, falls = rankdata(sums), rankdata(falls)
    for values, name in ((sums, "the map's sums"), (falls, "the classifier's scores")):
        if utils.is_constant(values):
            raise Undefined(f"{name} are the same for all subsets")
    return float(np.corrcoef(sums, falls)[0, 1])


def calculate_sensitivity(
    explain: Explain,
    img_array: np.ndarray,
    *,
    n_samples: int = SENSITIVITY_N_SAMPLES,
    radius: float = SENSITIVITY_RADIUS,
    seed: int = constants.SEED,
    batch_size: int = constants.BATCH_SIZE,
) -> float:
    """The max-sensitivity of an explanation of an image (H, W, 3): 0 or more, lower is better.

    explain: images (n, H, W, 3) -> maps (n, h, w), always of the same class and seed. n_samples: draws. radius: the
    most that a value of a pixel changes, in grey values 0-255. Raises ValueError for what does not fit or maps that are
    not finite, `Undefined` if the image's own map is 0 everywhere.
    """
    img_array = check_image(img_array)
    if n_samples < 1 or radius <= 0:
        raise ValueError(f"n_samples should be 1 or more, radius positive; got {n_samples} and {radius}")
    own = _explain(explain, img_array[None])[0]
    norm = np.linalg.norm(own)
    if norm == 0:
        raise Undefined("saliency_map is 0 everywhere: there is nothing that its change is relative to")
    rng, largest = np.random.default_rng(seed), 0.0
    for batch in split_evenly(np.arange(n_samples), batch_size):
        moved = img_array + rng.uniform(-radius, radius, (len(batch), *img_array.shape)).astype(np.float32)
        maps = _explain(explain, np.clip(moved, 0, 255))
        largest = max(largest, np.linalg.norm((maps - own).reshape(len(maps), -1), axis=1).max())
    return float(largest / norm)


def _explain(explain: Explain, images: np.ndarray) -> np.ndarray:
    """The maps of the images, float64 (n, h, w)."""
    maps = np.asarray(explain(images), dtype=np.float64)
    if maps.ndim != 3 or len(maps) != len(images) or not np.isfinite(maps).all():
        raise ValueError(f"explain must return ({len(images)}, H, W) finite numbers; got {maps.shape}")
    return maps

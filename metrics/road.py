"""ROAD, remove and debias: the probability of the class while pixels are replaced by what their neighbours tell.

    score = mean over shares q of f(x without the q least relevant pixels) - f(x without the q most relevant ones)

Rong et al. 2022, "A consistent and efficient evaluation strategy for attribution methods", ICML: pixels leave by most
(MoRF) or least relevant first (LeRF), ties by position, and are imputed, so that neither a black shape nor its outline
tells the classifier what was there (noisy linear imputation). Each missing pixel is the mean of its eight neighbours,
missing or not, those beside it weighing 1/6 and the diagonal ones 1/12; at the border those that there are, scaled to a
sum of 1. To the solution of this linear system comes noise, of deviation 0.01 as in the authors' code, taken as a share
of 0-255. We depart in keeping the result in 0-255. The two curves are the paper's; their mean difference as one number
is ours, and twice the `ROADCombined` of pytorch-grad-cam, (LeRF - MoRF) / 2, which lies in [-1/2, 1/2].

Cost: 2 forward passes per share. The system of a share is a part of one matrix, the same for all images of a size; its
unknowns are eliminated by nested dissection (George 1973), which on a grid needs no search for an order: about 0.04 s a
share at 224 x 224. Memory does not grow beyond one batch and one factorisation.
"""

from collections.abc import Iterator, Sequence

import numpy as np

import constants
from metrics.common import Predict, check_image_and_map, measure_scores, rank_pixels, scale_map, split_evenly

ROAD_PERCENTAGES = (10, 20, 30, 40, 50, 60, 70, 80, 90)  # of the pixels, that are imputed
ROAD_NOISE = 2.55  # grey values, 0-255: deviation of what is added to an imputed value

DISSECTED = 16  # pixels of a block that is not divided further


def calculate_road(
    predict: Predict,
    img_array: np.ndarray,
    saliency_map: np.ndarray,
    class_index: int,
    *,
    percentages: Sequence[float] = ROAD_PERCENTAGES,
    noise: float = ROAD_NOISE,
    seed: int = constants.SEED,
    batch_size: int = constants.BATCH_SIZE,
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """(score, morf, lerf, fractions) of a map (H, W): the score is in [-1, 1], 0 by chance, higher is better.

    img_array: RGB 0-255 (H, W, 3). percentages: of the pixels replaced, each in (0, 100). noise: its deviation in grey
    values. morf, lerf: the probabilities (n,) with the most and with the least relevant pixels replaced; fractions: the
    shares replaced (n,). Raises ValueError for arguments that do not fit, `Undefined` if the map is constant or a score
    is not finite.
    """
    img_array, saliency_map = check_image_and_map(img_array, saliency_map)
    saliency = scale_map(saliency_map)
    n_missing = np.rint(np.array(percentages, dtype=np.float64) / 100 * saliency.size).astype(int)
    if n_missing.size == 0 or n_missing.min() < 1 or n_missing.max() >= saliency.size or noise < 0:
        raise ValueError(f"percentages should lie in (0, 100), noise be 0 or more; got {percentages} and {noise}")
    orders = rank_pixels(saliency), rank_pixels(-saliency)
    missing = [order[:n] for order in orders for n in n_missing]
    scores = measure_scores(predict, _impute_batches(img_array, missing, noise, seed, batch_size), class_index)
    morf, lerf = scores.reshape(2, -1)
    return float(np.mean(lerf - morf)), morf, lerf, n_missing / saliency.size


def _impute_batches(
    img_array: np.ndarray, missing: Sequence[np.ndarray], noise: float, seed: int, batch_size: int
) -> Iterator[np.ndarray]:
    """Batches of the image (H, W, 3) without each set of missing pixels (flat indices)."""
    rng, imputer = np.random.default_rng(seed), LinearImputer(*img_array.shape[:2])
    for batch in split_evenly(np.arange(len(missing)), batch_size):
        images = np.stack([imputer.impute(img_array, missing[index]) for index in batch])
        for image, index in zip(images.reshape(len(images), -1, 3), batch):
            image[missing[index]] += noise * rng.standard_normal((len(missing[index]), 3), dtype=np.float32)
        yield np.clip(images, 0, 255)


class LinearImputer:
    """Fills missing pixels of images of one size by the weighted mean of their neighbours."""

    def __init__(self, height: int, width: int):
        from scipy import sparse

        # The weights 1 2 1 across and down give 2 beside, 1 diagonally - and 4 to the pixel itself, which is taken off.
        across, down = (sparse.diags_array([1.0, 2.0, 1.0], offsets=[-1, 0, 1], shape=(n, n)) for n in (width, height))
        weights = sparse.kron(down, across, format="csr") - 4 * sparse.eye_array(height * width, format="csr")
        self.system = (sparse.diags_array(weights.sum(axis=1)) - weights).astype(np.float32).tocsr()
        self.elimination = order_by_dissection(np.arange(height * width).reshape(height, width))

    def impute(self, img_array: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """A copy of the image (H, W, 3), float32, with the missing pixels (flat indices, not all) filled."""
        from scipy.sparse.linalg import splu

        is_missing = np.zeros(len(self.elimination), dtype=bool)
        is_missing[missing] = True
        unknown = self.elimination[is_missing[self.elimination]]
        image = img_array.astype(np.float32).reshape(-1, 3)
        image[unknown] = 0
        rows = self.system[unknown]
        # Symmetric and diagonally dominant: no pivoting, the order stays.
        factors = splu(
            rows[:, unknown].tocsc(), permc_spec="NATURAL", diag_pivot_thresh=0, options={"SymmetricMode": True}
        )
        image[unknown] = factors.solve(-(rows @ image))
        return image.reshape(img_array.shape)


def order_by_dissection(indices: np.ndarray) -> np.ndarray:
    """The entries (h w,) of a grid (h, w) in the order of nested dissection: two halves, then the line between them."""
    if indices.size <= DISSECTED:
        return indices.ravel()
    if indices.shape[0] < indices.shape[1]:
        indices = indices.T
    middle = indices.shape[0] // 2
    return np.concatenate(
        [order_by_dissection(indices[:middle]), order_by_dissection(indices[middle + 1 :]), indices[middle]]
    )

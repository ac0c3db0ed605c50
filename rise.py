"""RISE: the class probability when random parts of the image are hidden.

    S(l) = 1 / (N p) sum_i f(x * M_i) M_i(l)

with N masks M_i: an s x s grid of cells, each kept with probability p, enlarged bilinearly to s + 1 cells,
shifted by a random part of a cell and cropped. Petsiuk, Das, Saenko, "RISE: Randomized Input Sampling for
Explanation of Black-box Models", BMVC 2018, equation 6 and section 3.2.
The variant `lab` divides by the sum of the scores instead of N p. Half a cell at each end of the enlarged grid lies
beyond the centres of its outermost cells: there the mask has their values (border `clamp`). The authors' program
enlarges by skimage's resize(order=1, mode='reflect'), which mirrors the grid at those centres (border `reflect`): masks
differ along the image's border, by up to 0.48 at 224 x 224 and more in its corners.

Drawn `antithetic`, masks come in pairs of equal shift: where a cell's random number u keeps it in one, 1 - u decides in
the other (Hammersley and Morton 1956), so that at p = 1/2 one keeps what the other hides. With a tolerance masks stop
as soon as the standard error of the map, the root of its mean square over the pixels, has come down to it, which is
looked at every 64 masks.

Cost per image: N forward passes, or as many as the tolerance needs. Masks are made, used and forgotten a batch at a
time; only their grids (N x s x s bits) are kept, so that the memory needed does not depend on N, nor a mask on the
batch size.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np

import constants
import utils
from explainers.base import Explainer, Moment

LOOK_EVERY = 64  # masks, from one look at the standard error to the next; an even number


def interpolation_matrix(n_cells: int, cell: int, border: str = constants.RISE_BORDER) -> np.ndarray:
    """Weights (rows of (n_cells + 1) * cell pixels, n_cells) of a bilinear enlargement, pixel centres aligned.

    border: what lies beyond the centres of the outermost cells, 'clamp' or 'reflect'.
    """
    length = (n_cells + 1) * cell
    position = (np.arange(length) + 0.5) * n_cells / length - 0.5
    if border == "reflect" and n_cells > 1:
        position = n_cells - 1 - np.abs(n_cells - 1 - np.abs(position))  # mirrored at the first, then the last
    position = np.clip(position, 0, n_cells - 1)
    return np.maximum(1 - np.abs(position[:, None] - np.arange(n_cells)), 0).astype(np.float32)


class RunningVariance:
    """The variance of what each mask, or each pair of them, adds to a weighted sum of masks; the sum's standard error.

    size: masks of a unit, which is independent of the others: 1 or 2.
    """

    def __init__(self, size: int):
        self.size, self.n_units = size, 0
        self._sum = self._squares = 0.0
        self._rest = None  # of a unit that is not whole yet, (n, H, W)

    def add(self, masks: np.ndarray, scores: np.ndarray) -> None:
        """More masks (n, H, W) with their scores (n,)."""
        parts = masks * scores[:, None, None].astype(np.float64)
        parts = parts if self._rest is None else np.concatenate([self._rest, parts])
        whole = len(parts) // self.size
        units = parts[: whole * self.size].reshape(whole, self.size, *parts.shape[1:]).sum(axis=1)
        self._rest = parts[whole * self.size :]
        self.n_units += whole
        self._sum, self._squares = self._sum + units.sum(axis=0), self._squares + (units**2).sum(axis=0)

    def standard_error(self) -> float:
        """Of the sum of all units: the root of its mean square over the pixels; infinite of fewer than two."""
        if self.n_units < 2:
            return np.inf
        variance = (self._squares - self._sum**2 / self.n_units) / (self.n_units - 1)
        return float(np.sqrt(self.n_units * np.maximum(variance, 0).mean()))


def cut_for_looks(batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same masks (n, H, W) and scores (n,), cut so that one piece ends after every `LOOK_EVERY` masks."""
    n = 0
    for masks, scores in batches:
        while len(masks):
            until_look = LOOK_EVERY - n % LOOK_EVERY
            yield masks[:until_look], scores[:until_look]
            n += min(until_look, len(masks))
            masks, scores = masks[until_look:], scores[until_look:]


class Masks(Iterator):
    """Masks (n, H, W), float32, batch by batch; `np.asarray(masks)` is all of them, (N, H, W).

    generate: what starts the stream of batches anew.
    """

    def __init__(self, generate: Callable[[], Iterator[np.ndarray]]):
        self._generate, self._stream = generate, generate()

    def __next__(self) -> np.ndarray:
        return next(self._stream)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.concatenate(list(self._generate()), dtype=dtype)


class RISE(Explainer):
    """Randomised input sampling; the map's scale is the class probability.

    `RISE(model, img_array, class_index, n_masks, mask_size, threshold)`, as the lab calls it, leaves out model_name.
    n_masks: number of masks N. mask_size: cells s along a side. threshold: probability p that a cell is kept.
    variant: 'paper' or 'lab'. border: 'clamp' or 'reflect', of the masks. draw: 'independent' or 'antithetic'.
    tolerance: standard error of the map at which masks stop, on its scale; n_masks are the most. ValueError for n_masks
    or mask_size below 1, threshold outside (0, 1], tolerance not above 0, another variant, border or draw.
    """

    perturbs = True
    animates = True

    def __init__(
        self,
        model,
        model_name=None,
        img_array=None,
        class_index=None,
        *lab,
        n_masks: int = constants.RISE_N_MASKS,
        mask_size: int = constants.RISE_MASK_SIZE,
        threshold: float = constants.RISE_THRESHOLD,
        variant: str = constants.RISE_VARIANT,
        border: str = constants.RISE_BORDER,
        draw: str = constants.RISE_DRAW,
        tolerance: float | None = constants.RISE_TOLERANCE,
        **options,
    ):
        if not (model_name is None or isinstance(model_name, str)):  # an image: every argument stands a place earlier
            if img_array is not None:
                if class_index is not None:
                    lab = (class_index, *lab)
                class_index = img_array
            model_name, img_array = None, model_name
            if len(lab) > 3:
                raise ValueError(f"behind class_index stand n_masks, mask_size and threshold; got {lab}")
            n_masks = lab[0] if len(lab) > 0 else n_masks
            mask_size = lab[1] if len(lab) > 1 else mask_size
            threshold = lab[2] if len(lab) > 2 else threshold
        elif lab:
            raise ValueError(f"n_masks, mask_size and threshold are given by name beside a model_name; got {lab}")
        super().__init__(model, model_name, img_array, class_index, **options)
        n_masks, mask_size = utils.check_whole("n_masks", n_masks), utils.check_whole("mask_size", mask_size)
        if n_masks < 1 or mask_size < 1:
            raise ValueError(f"n_masks and mask_size should be 1 or more, not {n_masks} and {mask_size}")
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold, the probability that a cell is kept, should lie in (0, 1], not {threshold}")
        if variant not in constants.RISE_VARIANTS:
            raise ValueError(f"variant should be one of {constants.RISE_VARIANTS}, not {variant!r}")
        if border not in constants.RISE_BORDERS:
            raise ValueError(f"border should be one of {constants.RISE_BORDERS}, not {border!r}")
        if draw not in constants.RISE_DRAWS:
            raise ValueError(f"draw should be one of {constants.RISE_DRAWS}, not {draw!r}")
        if tolerance is not None and not tolerance > 0:
            raise ValueError(f"tolerance should be above 0, not {tolerance}")
        self.draw, self.tolerance, self._ends = draw, tolerance, []  # ends: of each image so far, where masks stopped
        self.n_masks, self.mask_size, self.threshold = n_masks, mask_size, threshold
        self.variant, self.border = variant, border

    @property
    def masks_per_unit(self) -> int:
        """How many masks hang together: two of an antithetic pair."""
        return 2 if self.draw == "antithetic" else 1

    def generate_masks(self) -> Masks:
        """Masks (n, H, W), float32 in [0, 1], 1 = keep, in batches, or as an array; the same for the same seed."""
        return Masks(self._stream_masks)

    def _stream_masks(self) -> Iterator[np.ndarray]:
        height, width = self.images.shape[1:3]
        generator = np.random.default_rng(self.seed)
        cell_height, cell_width = math.ceil(height / self.mask_size), math.ceil(width / self.mask_size)
        n_drawn = math.ceil(self.n_masks / self.masks_per_unit)
        numbers = generator.random((n_drawn, self.mask_size, self.mask_size))
        tops, lefts = (generator.integers(0, cell, n_drawn) for cell in (cell_height, cell_width))
        if self.masks_per_unit == 2:
            numbers = np.stack([numbers, 1 - numbers], axis=1).reshape(-1, *numbers.shape[1:])
            tops, lefts = tops.repeat(2)[: self.n_masks], lefts.repeat(2)[: self.n_masks]
        grids = numbers[: self.n_masks] < self.threshold
        # Enlarging is a product from both sides, rows @ grid @ columns.T: the crop picks rows and columns.
        rows = interpolation_matrix(self.mask_size, cell_height, self.border)
        columns = interpolation_matrix(self.mask_size, cell_width, self.border)
        for start in range(0, self.n_masks, self.batch_size):
            batch = slice(start, start + self.batch_size)
            left = rows[tops[batch, None] + np.arange(height)]
            right = columns[lefts[batch, None] + np.arange(width)]
            yield left @ grids[batch].astype(np.float32) @ right.transpose(0, 2, 1)

    def obtain_prediction_scores(self, image: np.ndarray, class_index: int):
        """Masks (n, H, W) and the probabilities (n,) of the class for the image (H, W, 3) under them, by batches.

        As the lab calls it, with perturbed images (N, H, W, 3): their probabilities (N,) of the class.
        """
        image = utils.check_rank("image", image, "(H, W, 3)", "(N, H, W, 3)")
        if image.shape[-1] != 3:
            raise ValueError(
                f"image should be (H, W, 3) or (N, H, W, 3), not {image.shape}: an image under masks is "
                "img_array * masks[..., None]"
            )
        (class_index,) = self._check_class_index(class_index, 1)
        if image.ndim == 4:
            return self.classifier.predict(image)[:, class_index]
        return self._score_masks(image, class_index)

    def _score_masks(self, image: np.ndarray, class_index: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        def perturb(masks):
            return image * masks[..., None]

        for masks, probabilities in self.stream_probabilities(self.generate_masks(), perturb, self.n_masks):
            yield masks, probabilities[:, class_index]

    def weight_saliency_maps(self, masks: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """The masks (n, H, W) summed with their scores (n,) as weights: (H, W)."""
        masks, scores = utils.check_rank("masks", masks, "(n, H, W)"), utils.check_rank("scores", scores, "(n,)")
        if len(masks) != len(scores):
            raise ValueError(f"wanted a score for each mask, given {len(scores)} for {len(masks)} masks")
        return np.tensordot(scores, masks, axes=1)

    def calculate_saliency_map(
        self, weighted_sum: np.ndarray, sum_of_scores: float, n_masks: int | None = None
    ) -> np.ndarray:
        """The map (H, W): the weighted sum of n_masks masks, None: of all, brought to scale as the variant says."""
        if self.variant == "lab":
            return weighted_sum / max(sum_of_scores, np.finfo(np.float32).tiny)
        return weighted_sum / ((n_masks or self.n_masks) * self.threshold)

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> Iterator[np.ndarray]:
        """Maps (H, W), one image after the other, each under the same masks."""
        for image, index in zip(images, class_index):
            n_masks, weighted_sum, sum_of_scores = 0, np.zeros(image.shape[:2]), 0.0
            for masks, scores in self._score_enough_masks(image, index):
                n_masks += len(masks)
                weighted_sum += self.weight_saliency_maps(masks, scores)
                sum_of_scores += float(scores.sum())
            yield self.calculate_saliency_map(weighted_sum, sum_of_scores, n_masks)

    def _score_enough_masks(self, image: np.ndarray, class_index: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Masks and scores by batches: all, or as many as the tolerance needs, the same whatever the batch size."""
        batches = self.obtain_prediction_scores(image, class_index)
        if self.tolerance is None:
            yield from batches
            return
        n_masks, sum_of_scores, variance = 0, 0.0, RunningVariance(self.masks_per_unit)
        for masks, scores in cut_for_looks(batches):
            yield masks, scores
            n_masks += len(masks)
            sum_of_scores += float(scores.sum())
            variance.add(masks, scores)
            if n_masks % LOOK_EVERY == 0 and self._error_of(variance, sum_of_scores, n_masks) <= self.tolerance:
                break
        self._ends.append({"masks": n_masks, "standard_error": self._error_of(variance, sum_of_scores, n_masks)})

    def _error_of(self, variance: RunningVariance, sum_of_scores: float, n_masks: int) -> float:
        """The standard error of the map: its scale is that of `calculate_saliency_map`."""
        return float(self.calculate_saliency_map(np.float64(variance.standard_error()), sum_of_scores, n_masks))

    def describe_maps(self, maps: np.ndarray) -> list[dict]:
        """For each image, under a tolerance, how many masks were used and the standard error of its map."""
        return self._ends[-len(maps) :] if self.tolerance is not None else super().describe_maps(maps)

    def compute_moments(self, n: int) -> Iterator[Moment]:
        """The running mean over the masks of the first image, beside the image under the last of them."""
        image, class_index, most = self.images[0], self.class_indices[0], self.n_masks
        if self.tolerance is not None:
            most = sum(len(scores) for _, scores in self._score_enough_masks(image, class_index))
            self._ends.pop()  # of a map that nobody has asked for
        twin = copy.copy(self)  # whose batches are small enough for n of them
        twin.batch_size = min(self.batch_size, math.ceil(most / n))
        last_batch = math.ceil(most / twin.batch_size) - 1
        shown = {round(share * last_batch) for share in np.linspace(0, 1, n)}
        n_masks, weighted_sum, sum_of_scores = 0, np.zeros(image.shape[:2]), 0.0
        for batch, (masks, scores) in enumerate(twin.obtain_prediction_scores(image, class_index)):
            if n_masks == most:
                return
            masks, scores = masks[: most - n_masks], scores[: most - n_masks]
            n_masks += len(masks)
            weighted_sum += self.weight_saliency_maps(masks, scores)
            sum_of_scores += float(scores.sum())
            if batch in shown:
                running = self.calculate_saliency_map(weighted_sum, sum_of_scores, n_masks)
                yield Moment(f"{n_masks} of {most} masks", image * masks[-1][..., None], running)

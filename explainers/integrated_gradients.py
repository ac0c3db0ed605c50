"""Integrated gradients: the change of the logit from a black image to this one, shared out among the pixels.

    L(i,j) = sum_c (x - x') integral_0^1 dS/dx(x' + a (x - x')) da,   x' = 0

Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, equation 1. The integral is taken by
Gauss and Legendre's rule: the gradient changes fastest near black, where its points lie closer, and with 50 of them
the error is a third of that of 50 equal steps. Completeness, sum L = S(x) - S(x'), holds up to that error, which
stands in the record beside the map.

With a tolerance, images whose error is a larger share of S(x) - S(x') are asked again with twice the steps, up to 32
times as many; what error is left stands in the record.

Cost per image: n_steps forward and backward passes, and with a tolerance those of every doubling.
"""

from collections.abc import Iterator

import numpy as np

import constants
from explainers.base import Moment
from explainers.vanilla_gradient import VanillaGradient

MOST_DOUBLINGS = 5


def place_points(n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Where on the way, 0-1, the gradient is taken, (n_steps,), and its weights in the mean, which sum to 1."""
    points, weights = np.polynomial.legendre.leggauss(n_steps)  # on the way from -1 to 1
    return ((points + 1) / 2).astype(np.float32), (weights / 2).astype(np.float32)


class IntegratedGradients(VanillaGradient):
    """Integrated gradients from black; signed.

    n_steps: points on the way from black to the image, 1 or more. tolerance: the share of S(x) - S(x') that a map's sum
    may miss before the steps are doubled; None: any.
    """

    signed = True
    animates = True

    def __init__(
        self,
        *args,
        n_steps: int = constants.INTEGRATED_GRADIENTS_N_STEPS,
        tolerance: float | None = constants.INTEGRATED_GRADIENTS_TOLERANCE,
        **options,
    ):
        super().__init__(*args, **options)
        if tolerance is not None and not tolerance > 0:
            raise ValueError(f"tolerance should be above 0, not {tolerance}")
        self.tolerance, self._steps_taken = tolerance, []  # steps: of each image so far
        if n_steps < 1:
            raise ValueError(f"n_steps should be 1 or more, not {n_steps}")
        self.n_steps = n_steps

    def compute_gradients(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """The mean gradient (n, H, W, 3) on the way from black to the images."""
        mean, n_steps = self.integrate(images, class_index)
        self._steps_taken += n_steps.tolist()
        return mean

    def integrate(self, images: np.ndarray, class_index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The mean gradient (n, H, W, 3) on the way, and in how many steps it was taken, (n,)."""
        mean, n_steps = self.take_steps(images, class_index, self.n_steps), np.full(len(images), self.n_steps)
        gaps = self.measure_gaps(images, class_index) if self.tolerance is not None else ()
        for doubling in range(1, 1 + MOST_DOUBLINGS if len(gaps) else 1):
            sums = (mean * images).sum(axis=(1, 2, 3), dtype=np.float64)
            [left] = np.nonzero(np.abs(sums - gaps) > self.tolerance * np.abs(gaps))
            if not len(left):
                break
            n_steps[left] = self.n_steps * 2**doubling
            mean[left] = self.take_steps(images[left], class_index[left], self.n_steps * 2**doubling)
        return mean, n_steps

    def take_steps(self, images: np.ndarray, class_index: np.ndarray, n_steps: int) -> np.ndarray:
        """The mean gradient (n, H, W, 3) of that many points of the way."""
        *_, (_, mean) = self._walk(images, class_index, n_steps)
        return mean

    def measure_gaps(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """S(x) - S(x') (n,), float32, of images (n, H, W, 3): what their maps should add up to."""
        logits, dark = self.classifier.logits(images), np.zeros_like(images[:1])
        black = self.classifier.share("logits", [dark], lambda: self.classifier.logits(dark))
        return logits[np.arange(len(images)), class_index] - black[0, class_index]

    def _walk(self, images: np.ndarray, class_index: np.ndarray, n_steps: int) -> Iterator[tuple[float, np.ndarray]]:
        """After each point of the way: where it lies, 0-1, and the integral (n, H, W, 3) of the gradient up to it."""
        positions, weights = place_points(n_steps)
        mean = np.zeros_like(images)
        for step, (position, weight) in enumerate(zip(positions, weights), start=1):
            mean += weight * super().compute_gradients(images * position, class_index)
            self.report(step, n_steps)
            yield position, mean

    def compute_moments(self, n: int) -> Iterator[Moment]:
        """The integral up to each point of the way from black, for the first image, beside the image at that point."""
        image, class_index, n_steps = self.images[:1], self.class_indices[:1], self.n_steps
        if self.tolerance is not None:
            [n_steps] = self.integrate(image, class_index)[1]
        shown = {1 + round(share * (n_steps - 1)) for share in np.linspace(0, 1, n)}
        for step, (position, mean) in enumerate(self._walk(image, class_index, n_steps), start=1):
            if step in shown:
                label = f"{position:.0%} of the way from black"
                yield Moment(label, image[0] * position, self.reduce_channels(mean, image)[0])

    def reduce_channels(self, gradients: np.ndarray, images: np.ndarray) -> np.ndarray:
        """The signed sum of mean gradient times way, (n, H, W)."""
        return (gradients * images).sum(axis=-1)

    def describe_maps(self, maps: np.ndarray) -> list[dict]:
        """For each image how far the map's sum is from S(x) - S(x'), as it is and as a share of that; under a
        tolerance also the steps of its map."""
        wanted = self.measure_gaps(self.images, self.class_indices)
        errors = maps.reshape(len(wanted), -1).sum(axis=1, dtype=np.float64) - wanted
        remarks = [
            {"completeness_error": float(error), "completeness_error_share": float(abs(error) / max(abs(gap), 1e-12))}
            for error, gap in zip(errors, wanted)
        ]
        if self.tolerance is not None:
            for remark, n_steps in zip(remarks, self._steps_taken[-len(remarks) :]):
                remark["steps"] = n_steps
        return remarks

"""LIME: a linear model of the class probability over superpixels that are shown or hidden.

    argmin_w sum_i pi_i (f(z_i) - w . z'_i)^2 + |w|^2        pi = sqrt(exp(-d^2 / 0.25^2))

with z' in {0, 1} per superpixel, z the image with the superpixels of z' = 0 hidden, d the cosine distance of
z' to all ones. Ribeiro, Singh, Guestrin, "'Why Should I Trust You?': Explaining the Predictions of Any
Classifier", KDD 2016, equations 1 and 2, as the `lime` package has it: its segmentation (quickshift), its
kernel, its regression. Only the composing of the perturbed images is ours, in whole batches instead of one
by one; the package's own loop takes several times as long as the network.

The map is that of the coefficients, or, variant `mask`, the mask of the best superpixels, which the lab measures.
Beside the class stand the lab's two functions, `get_lime_explanation` and `explain_with_lime`, which ask it.

Cost per image: num_samples forward passes, besides one segmentation and one regression.
"""

import functools
from collections.abc import Sequence

import numpy as np
from lime import lime_image
from skimage.segmentation import mark_boundaries

import constants
import utils
from explainers import superpixels
from explainers.base import Explainer


class BatchedLimeImageExplainer(lime_image.LimeImageExplainer):
    """The package's explainer with `data_labels`, its sampling loop, in whole batches."""

    def data_labels(self, image, fudged_image, segments, classifier_fn, num_samples, batch_size=10):
        """Which segments were shown (num_samples, n_segments), 0 or 1, and the probabilities (num_samples, C).

        `classifier_fn` is given the shown segments, the image, its hidden version and the segments, and
        composes the images itself.
        """
        n_segments = int(segments.max()) + 1
        data = self.random_state.randint(0, 2, num_samples * n_segments).reshape(num_samples, n_segments)
        data[0, :] = 1
        return data, classifier_fn(data, image, fudged_image, segments)


class LimeExplainer(Explainer):
    """LIME on superpixels; the map of a pixel is the coefficient of its superpixel.

    variant: of the map, 'coefficients', or 'mask': what `explain_with_lime` marks, 1, and -1 where it speaks against.
    num_samples: images scored per explanation, >= 1. num_lime_features: superpixels kept in the linear model.
    top_labels: how many of the most probable classes the linear models are fitted for, besides `class_index`.
    hide_color: what a hidden superpixel shows: None its mean colour, or a grey value or RGB colour, 0-255.
    positive_only, negative_only, num_superpixels, hide_rest: of `explain_with_lime`, the mask of the best.
    distance_metric: d, of constants.LIME_DISTANCE_METRICS.
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
        top_labels: int = constants.LIME_TOP_LABELS,
        hide_color: float | Sequence[float] | None = constants.LIME_HIDE_COLOR,
        num_lime_features: int = constants.LIME_NUM_FEATURES,
        num_samples: int = constants.LIME_NUM_SAMPLES,
        positive_only: bool = constants.LIME_POSITIVE_ONLY,
        negative_only: bool = constants.LIME_NEGATIVE_ONLY,
        num_superpixels: int = constants.LIME_NUM_SUPERPIXELS,
        hide_rest: bool = constants.LIME_HIDE_REST,
        distance_metric: str = constants.LIME_DISTANCE_METRIC,
        variant: str = constants.LIME_VARIANT,
        **options,
    ):
        super().__init__(model, model_name, img_array, class_index, **options)
        num_samples, num_lime_features, num_superpixels, top_labels = (
            utils.check_whole(name, value)
            for name, value in (
                ("num_samples", num_samples),
                ("num_lime_features", num_lime_features),
                ("num_superpixels", num_superpixels),
                ("top_labels", top_labels),
            )
        )
        if min(num_samples, num_lime_features, num_superpixels) < 1 or top_labels < 0:
            raise ValueError(
                "num_samples, num_lime_features and num_superpixels should be 1 or more, top_labels 0 or more; given: "
                f"{num_samples}, {num_lime_features}, {num_superpixels}, {top_labels}"
            )
        if positive_only and negative_only:
            raise ValueError("positive_only and negative_only exclude each other")
        if hide_color is not None and np.size(hide_color) not in (1, 3):
            raise ValueError(f"hide_color should be None, a grey value or an RGB colour, not {hide_color!r}")
        if distance_metric not in constants.LIME_DISTANCE_METRICS:
            raise ValueError(
                f"distance_metric should be one of {constants.LIME_DISTANCE_METRICS}, not {distance_metric!r}"
            )
        if variant not in constants.LIME_VARIANTS:
            raise ValueError(f"variant should be one of {constants.LIME_VARIANTS}, not {variant!r}")
        self.distance_metric, self.variant = distance_metric, variant
        self.top_labels, self.hide_color, self.num_samples = top_labels, hide_color, num_samples
        self.num_lime_features, self.num_superpixels = num_lime_features, num_superpixels
        self.positive_only, self.negative_only, self.hide_rest = positive_only, negative_only, hide_rest

    def segment(self, image: np.ndarray) -> np.ndarray:
        """Superpixels (H, W), integers, of an image (H, W, 3) of 0-255: quickshift on the image in [0, 1]."""
        return superpixels.segment_once(self.classifier, image, self.seed)

    def perturb(self, shown: np.ndarray, image: np.ndarray, hidden: np.ndarray, segments: np.ndarray) -> np.ndarray:
        """Images (n, H, W, 3): the image where a segment is shown, (n, n_segments), its hidden version elsewhere."""
        return superpixels.show_some(shown, image, hidden, segments)

    def get_lime_explanation(self, image: np.ndarray, class_index: int) -> lime_image.ImageExplanation:
        """The package's explanation of an image (H, W, 3) at the input size, for `class_index` and the top labels."""
        probabilities = self.classifier.predict_once(image[None])[0]
        top = [int(index) for index in np.argsort(-probabilities, kind="stable")[: self.top_labels]]

        def score(data: np.ndarray, *parts: np.ndarray) -> np.ndarray:
            rows = utils.in_batches(data, self.batch_size)
            stream = self.stream_probabilities(rows, lambda shown: self.perturb(shown, *parts), len(data))
            return np.concatenate([probabilities for _, probabilities in stream])

        explainer = BatchedLimeImageExplainer(random_state=np.random.RandomState(self.seed))
        explanation = explainer.explain_instance(
            image,
            score,
            labels=dict.fromkeys([int(class_index), *top]),
            top_labels=None,
            hide_color=self.hide_color,
            num_features=self.num_lime_features,
            num_samples=self.num_samples,
            distance_metric=self.distance_metric,
            segmentation_fn=self.segment,
        )
        explanation.top_labels = top
        return explanation

    @functools.cached_property
    def explanations(self) -> list[lime_image.ImageExplanation]:
        """The explanation of each image; computed once."""
        pairs = zip(self.images, self.class_indices)
        return [self.get_lime_explanation(image, int(class_index)) for image, class_index in pairs]

    def explain_with_lime(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each image the picture of its best superpixels (H, W, 3), 0-255, and their mask (H, W).

        The mask is 1 where a superpixel speaks for the class and -1 where it speaks against; `positive_only`,
        `negative_only`, `num_superpixels` and `hide_rest` are those of the package's `get_image_and_mask`.
        """
        options = {key: getattr(self, key) for key in ("positive_only", "negative_only", "hide_rest")}
        return [
            explanation.get_image_and_mask(int(class_index), num_features=self.num_superpixels, **options)
            for explanation, class_index in zip(self.explanations, self.class_indices)
        ]

    def compute_pictures(self) -> list[dict[str, np.ndarray]]:
        """The best superpixels of each image, outlined."""
        outlined = [mark_boundaries(np.clip(picture / 255, 0, 1), mask) for picture, mask in self.explain_with_lime()]
        return [{"superpixels": np.rint(255 * picture).astype(np.uint8)} for picture in outlined]

    def describe_maps(self, maps: np.ndarray) -> list[dict[str, int]]:
        """For each image how many superpixels were found; with one, the map is constant."""
        return [superpixels.describe(explanation.segments) for explanation in self.explanations]

    def compute_own_maps(self) -> list[np.ndarray]:
        """One map (H, W) per image: each pixel's coefficient, or the mask."""
        if self.variant == "mask":
            return [mask.astype(np.float32) for _, mask in self.explain_with_lime()]
        pairs = zip(self.explanations, self.class_indices)
        return [map_coefficients(explanation, class_index) for explanation, class_index in pairs]


def map_coefficients(explanation: lime_image.ImageExplanation, class_index: int) -> np.ndarray:
    """The coefficient of each pixel's superpixel for the class, float32 (H, W); 0 where it is not in the model."""
    coefficients = np.zeros(explanation.segments.max() + 1, dtype=np.float32)
    for segment, coefficient in explanation.local_exp[int(class_index)]:
        coefficients[segment] = coefficient
    return coefficients[explanation.segments]


# --- the lab's functions ------------------------------------------------------------------------------------------
HIDDEN_COLOURS = {1: (255, 0, 0), 2: (0, 255, 0), 3: (0, 0, 255)}  # by the lab's rand_index; 0: as hide_color says


def get_lime_explanation(
    model,
    img_array: np.ndarray,
    pred_index: int,
    top_labels: int = constants.LIME_TOP_LABELS,
    hide_color: float | Sequence[float] | None = constants.LIME_HIDE_COLOR,
    num_lime_features: int = constants.LIME_NUM_FEATURES,
    num_samples: int = constants.LIME_NUM_SAMPLES,
    *,
    model_name: str | None = None,
    **options,
) -> lime_image.ImageExplanation:
    """The package's explanation of class `pred_index` for one image, (H, W, 3) or (1, H, W, 3), RGB 0-255.

    model: a Keras model, whose preprocessing `model_name` tells, or a Classifier. options: others of LimeExplainer.
    """
    explainer = LimeExplainer(
        model,
        model_name,
        _one_image(img_array),
        pred_index,
        top_labels=top_labels,
        hide_color=hide_color,
        num_lime_features=num_lime_features,
        num_samples=num_samples,
        **options,
    )
    return explainer.explanations[0]


def explain_with_lime(
    model,
    img_array: np.ndarray,
    top_labels: int = constants.LIME_TOP_LABELS,
    hide_color: float | Sequence[float] | None = constants.LIME_HIDE_COLOR,
    num_lime_features: int = constants.LIME_NUM_FEATURES,
    num_samples: int = constants.LIME_NUM_SAMPLES,
    positive_only: bool = constants.LIME_POSITIVE_ONLY,
    negative_only: bool = constants.LIME_NEGATIVE_ONLY,
    num_superpixels: int = constants.LIME_NUM_SUPERPIXELS,
    hide_rest: bool = constants.LIME_HIDE_REST,
    rand_index: int = 0,
    *,
    model_name: str | None = None,
    class_index: int | None = None,
    **options,
) -> tuple[np.ndarray, np.ndarray]:
    """The mask of the best superpixels (H, W), integers, and the map of the coefficients (H, W), float32, of one image.

    rand_index: 1, 2 or 3 hides superpixels in red, green or blue; 0: as hide_color says. class_index: None, as in the
    lab: the most probable class. Others as in `get_lime_explanation` and `LimeExplainer`.
    """
    if rand_index not in (0, *HIDDEN_COLOURS):
        raise ValueError(f"rand_index should be 0, or 1, 2, 3 for red, green, blue; got {rand_index!r}")
    image = _one_image(img_array)
    if class_index is None:
        asked = LimeExplainer(model, model_name, image, 0)
        class_index = int(asked.classifier.predict(asked.images)[0].argmax())
    explainer = LimeExplainer(
        model,
        model_name,
        image,
        class_index,
        top_labels=top_labels,
        hide_color=HIDDEN_COLOURS.get(rand_index, hide_color),
        num_lime_features=num_lime_features,
        num_samples=num_samples,
        positive_only=positive_only,
        negative_only=negative_only,
        num_superpixels=num_superpixels,
        hide_rest=hide_rest,
        **options,
    )
    ((_, mask),) = explainer.explain_with_lime()
    return mask, map_coefficients(explainer.explanations[0], class_index)


def _one_image(img_array: np.ndarray) -> np.ndarray:
    """One image (H, W, 3), which the lab gives as a batch of one."""
    img_array = utils.check_rank("img_array", img_array, "(H, W, 3)", "(1, H, W, 3)")
    if img_array.ndim == 4 and len(img_array) != 1:
        raise ValueError(f"img_array should be one image, (H, W, 3) or (1, H, W, 3), not {img_array.shape}")
    return img_array.reshape(img_array.shape[-3:])

"""The metrics of a saliency map, under one name. They know arrays and one callable: `predict`, from float32 RGB 0-255
(n, H, W, 3) to probabilities (n, C). What has no value raises `Undefined` with its reason.

| ground truth | module | metrics |
|---|---|---|
| the classifier's scores | `insertion_deletion` | deletion, insertion |
| | `faithfulness` | average drop and increase, MuFidelity, sensitivity |
| | `road` | ROAD |
| a gaze density map (H, W) | `density` | PCC, SIM, KL, MAE, MSE, SSIM |
| points of fixation (M, 2) | `fixation` | NSS, AUC-Judd, AUC-Borji, shuffled AUC, information gain |

`common` holds what they share. Each module says what it computes, from which paper, and at what cost. All others take
them from here: no module of metrics/ imports it. Deletion, insertion and `predict_scores` stand here once more, as they
also take what the lab gives them: a Keras model with its name, and the lab's order of arguments (docs/lab.md).
"""

from collections.abc import Iterable

import numpy as np

import constants
import utils
from metrics import common, insertion_deletion
from metrics.common import Predict, Undefined, rank_pixels, scale_map
from metrics.density import (
    DensityMetrics,
    calculate_kl,
    calculate_mae,
    calculate_mse,
    calculate_pcc,
    calculate_sim,
    calculate_ssim,
)
from metrics.faithfulness import calculate_drop, calculate_mufidelity, calculate_sensitivity
from metrics.fixation import (
    FixationMetrics,
    calculate_auc_borji,
    calculate_auc_judd,
    calculate_information_gain,
    calculate_nss,
    calculate_sauc,
)
from metrics.insertion_deletion import (
    blur_image,
    calculate_auc,
    generate_batches,
    set_n_pixels_deletion,
    set_n_pixels_insertion,
)
from metrics.road import calculate_road

__all__ = [
    "DensityMetrics",
    "FixationMetrics",
    "Predict",
    "Undefined",
    "as_predict",
    "blur_image",
    "calculate_auc",
    "calculate_auc_borji",
    "calculate_auc_judd",
    "calculate_drop",
    "calculate_information_gain",
    "calculate_kl",
    "calculate_mae",
    "calculate_mse",
    "calculate_mufidelity",
    "calculate_nss",
    "calculate_pcc",
    "calculate_road",
    "calculate_sauc",
    "calculate_sensitivity",
    "calculate_sim",
    "calculate_ssim",
    "deletion",
    "generate_batches",
    "insertion",
    "predict_scores",
    "rank_pixels",
    "scale_map",
    "set_n_pixels_deletion",
    "set_n_pixels_insertion",
]


def as_predict(model, model_name: str | None = None) -> Predict:
    """What gives the probabilities of images for a model: a Keras model with its name, a Classifier, or a `Predict`.

    model_name: of constants.ZOO; tells the preprocessing of a Keras model, and is refused for anything else. Without
    it ValueError for a Keras model, or its own `predict`, unless it holds its preprocessing itself: raw pixels would be
    scored without a word.
    """
    owner = getattr(model, "__self__", model)
    if not common.is_keras_model(owner):
        if model_name is not None:
            raise ValueError(f"model_name {model_name!r} belongs to a Keras model; got {model!r}")
        return common.check_predict(model)
    from network.kept_classifiers import as_classifier

    classifier = as_classifier(owner, model_name)
    if model_name is None and not classifier.pixels.in_model:
        raise ValueError(common.describe_refusal(owner))
    return classifier.predict


def deletion(
    predict,
    img_array: np.ndarray,
    saliency_map: np.ndarray,
    class_index: int,
    *lab,
    model_name: str | None = None,
    **options,
) -> tuple[float, np.ndarray, np.ndarray]:
    """`insertion_deletion.deletion`: (auc, scores, fractions), whose options this has too.

    predict: as `as_predict` takes it, with model_name. As the lab calls it: `deletion(model, image, map, n_pixels,
    class_index)`.
    """
    class_index, options = _read_order(class_index, lab, options)
    return insertion_deletion.deletion(as_predict(predict, model_name), img_array, saliency_map, class_index, **options)


def insertion(
    predict,
    img_array: np.ndarray,
    saliency_map: np.ndarray,
    class_index: int,
    *lab,
    model_name: str | None = None,
    **options,
) -> tuple[float, np.ndarray, np.ndarray]:
    """`insertion_deletion.insertion`, as `deletion` here is that one; in the lab's order also with the lab's blur."""
    blur = {name: value for name, value in constants.FAITHFULNESS_PROTOCOLS["lab"].items() if name != "n_pixels"}
    class_index, options = _read_order(class_index, lab, {**(blur if lab else {}), **options})
    return insertion_deletion.insertion(
        as_predict(predict, model_name), img_array, saliency_map, class_index, **options
    )


def _read_order(class_index: int, lab: tuple, options: dict) -> tuple[int, dict]:
    """The class index and the options, of `class_index` or of the lab's `n_pixels, class_index`."""
    if len(lab) > 1 or (lab and "n_pixels" in options):
        raise ValueError(
            f"class_index, or n_pixels and class_index, were wanted behind the map; got {(class_index, *lab)}"
        )
    if lab:
        class_index, options = lab[0], {**options, "n_pixels": class_index}
    if options.get("n_pixels") is not None:
        options["n_pixels"] = utils.check_whole("n_pixels", options["n_pixels"])
    return utils.check_whole("class_index", class_index), options


def predict_scores(
    predict, batches: Iterable[np.ndarray], class_index: int | None = None, *, model_name: str | None = None
):
    """The probabilities of one class, float64 (n,), for all images of the batches (float32 (b, H, W, 3)).

    As the lab calls it, `predict_scores(image, model)`: those of all classes, (C,) of an image (H, W, 3) or (n, C) of
    (n, H, W, 3); with class_index, in either order, that class's. predict, model: as `as_predict` takes it.
    """
    arrays = [np.asarray(given, np.float32) for given in (predict, batches) if hasattr(given, "shape")]
    if not arrays:
        if class_index is None:
            raise ValueError("predict_scores(predict, batches, class_index) or predict_scores(image, model) was wanted")
        return common.predict_scores(as_predict(predict, model_name), batches, class_index)
    model = batches if hasattr(predict, "shape") else predict
    image = utils.check_rank("image", arrays[0], "(H, W, 3)", "(n, H, W, 3)")
    scores = as_predict(model, model_name)(image.reshape(-1, *image.shape[-3:]))
    scores = scores if class_index is None else scores[:, class_index]
    return scores[0] if image.ndim == 3 else scores

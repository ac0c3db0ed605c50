"""The registry: where flags meet explainers.

A new explainer is one entry here, and its module is imported only when it is asked for. An option `variant` of
GRADCAM is the flag `--gradcam_variant` and the keyword argument `variant` of `GradCAM`.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import constants


@dataclass(frozen=True)
class Option:
    """One option of a method: keyword argument, default, what it means, and how its text is read.

    shown_default: in words, where the default is None. spelling: another name of its flag, behind the method's.
    """

    name: str
    default: object
    help: str
    read: Callable = str
    choices: tuple | None = None
    shown_default: str = ""
    spelling: str = ""


@dataclass(frozen=True)
class Method:
    """One explanation method: its name in a run, module, class, and options.

    elsewhere: (name, what to give instead), of what its library calls an option and this project does not.
    """

    name: str
    module: str
    class_name: str
    options: tuple[Option, ...] = ()
    elsewhere: tuple[tuple[str, str], ...] = ()

    def flag(self, option: Option) -> str:
        """The flag of an option, without its dashes."""
        return f"{self.name.lower()}_{option.name}"

    def load(self) -> type:
        """The explainer class."""
        return getattr(importlib.import_module(self.module), self.class_name)


def read_bool(text: str) -> bool:
    """True or False of 'true'/'false', 'yes'/'no' or '1'/'0', any letter case."""
    if text.lower() in ("true", "yes", "1"):
        return True
    if text.lower() in ("false", "no", "0"):
        return False
    raise ValueError(f"true or false is wanted, not {text!r}")


def read_count(text: str) -> int | None:
    """None of 'all' or 'auto', else a whole number."""
    return None if text.lower() in ("all", "auto", "none") else int(text)


def read_tolerance(text: str) -> float | None:
    """None of 'off', else a number."""
    return None if text.lower() in ("off", "none") else float(text)


def read_color(text: str) -> tuple[float, ...] | float | None:
    """None of 'mean', a grey value of '0', an RGB colour of '127,127,127'; 0-255."""
    if text.lower() in ("mean", "none"):
        return None
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in (1, 3) or not all(0 <= value <= 255 for value in values):
        raise ValueError(f"'mean', a grey value or R,G,B of 0-255 is wanted, not {text!r}")
    return values[0] if len(values) == 1 else values


METHODS = {
    method.name: method
    for method in (
        Method("GRADCAM", "gradcam", "GradCAM", (
            Option("variant", constants.GRADCAM_VARIANT, "ReLU after (paper) or before (lab) the sum over channels",
                   choices=constants.GRADCAM_VARIANTS),
        )),
        Method("FEM", "fem", "FEM", (
            Option("k", constants.FEM_K, "deviations above its channel's mean at which an activation counts", float),
        )),
        Method("RISE", "rise", "RISE", (
            Option("n_masks", constants.RISE_N_MASKS, "random masks per image", int),
            Option("mask_size", constants.RISE_MASK_SIZE, "cells along a side of a mask", int),
            Option("threshold", constants.RISE_THRESHOLD, "probability that a cell is kept", float),
            Option("variant", constants.RISE_VARIANT, "divided by N p (paper) or by the sum of the scores (lab)",
                   choices=constants.RISE_VARIANTS),
            Option("border", constants.RISE_BORDER,
                   "of a mask: its outermost cells go on (clamp), or are mirrored as in the authors' program (reflect)",
                   choices=constants.RISE_BORDERS),
            Option("draw", constants.RISE_DRAW, "each for itself, or pairs of which one keeps what the other hides",
                   choices=constants.RISE_DRAWS),
            Option("tolerance", constants.RISE_TOLERANCE, "stop at this standard error of the map, in probability",
                   read_tolerance, shown_default="off: all masks"),
        )),
        Method("LIME", "lime_explainer", "LimeExplainer", (
            Option("top_labels", constants.LIME_TOP_LABELS, "most probable classes fitted besides the explained", int),
            Option("hide_color", constants.LIME_HIDE_COLOR, "of a hidden superpixel: mean, a grey value or R,G,B",
                   read_color, shown_default="mean"),
            Option("num_lime_features", constants.LIME_NUM_FEATURES, "superpixels kept in the linear model", int,
                   spelling="num_features"),
            Option("num_samples", constants.LIME_NUM_SAMPLES, "perturbed images per image", int),
            Option("positive_only", constants.LIME_POSITIVE_ONLY, "mask: superpixels for the class only", read_bool),
            Option("negative_only", constants.LIME_NEGATIVE_ONLY, "mask: superpixels against it only", read_bool),
            Option("num_superpixels", constants.LIME_NUM_SUPERPIXELS, "mask: how many of the best", int),
            Option("hide_rest", constants.LIME_HIDE_REST, "mask: grey out what is not in it", read_bool),
            Option("distance_metric", constants.LIME_DISTANCE_METRIC, "from a sample to the whole image",
                   choices=constants.LIME_DISTANCE_METRICS),
            Option("variant", constants.LIME_VARIANT,
                   "of the map: the superpixels' coefficients, or the mask of the best, which the lab measures",
                   choices=constants.LIME_VARIANTS),
        ), elsewhere=(
            ("labels", "the explained class is --class_index"),
            ("batch_size", "images per forward pass are --batch_size"),
            ("random_seed", "the seed of all that is random is --seed"),
            ("segmentation_fn", "superpixels are those of the package, quickshift; there is no other choice"),
            ("model_regressor", "the linear model is that of the package, ridge; there is no other choice"),
        )),
        Method("CAM", "explainers.cam", "CAM"),
        Method("GRADCAM_PLUS_PLUS", "explainers.gradcam_plus_plus", "GradCAMPlusPlus", (
            Option("variant", constants.GRADCAM_PLUS_PLUS_VARIANT,
                   "alphas as in the equation (paper), or divided by their sum over positions (code)",
                   choices=constants.GRADCAM_PLUS_PLUS_VARIANTS),
        )),
        Method("HIRESCAM", "explainers.hirescam", "HiResCAM"),
        Method("LAYERCAM", "explainers.layercam", "LayerCAM"),
        Method("SCORECAM", "explainers.scorecam", "ScoreCAM", (
            Option("variant", constants.SCORECAM_VARIANT, "softmax of the gains (paper) or probabilities (code)",
                   choices=constants.SCORECAM_VARIANTS),
            Option("max_n", constants.SCORECAM_MAX_N, "channels used, those of largest variance", read_count,
                   shown_default="all"),
        )),
        Method("ABLATIONCAM", "explainers.ablationcam", "AblationCAM"),
        Method("VANILLA_GRADIENT", "explainers.vanilla_gradient", "VanillaGradient"),
        Method("GRADIENT_INPUT", "explainers.gradient_input", "GradientInput"),
        Method("SMOOTHGRAD", "explainers.smoothgrad", "SmoothGrad", (
            Option("over", constants.SMOOTHGRAD_OVER, "the gradient method that is smoothed", str.upper,
                   choices=constants.SMOOTHGRAD_METHODS),
            Option("n_samples", constants.SMOOTHGRAD_N_SAMPLES, "noisy copies per image", int),
            Option("noise", constants.SMOOTHGRAD_NOISE, "sigma as a share of the image's max - min", float),
            Option("variant", constants.SMOOTHGRAD_VARIANT, "what is averaged: gradients, squares or magnitudes",
                   choices=constants.SMOOTHGRAD_VARIANTS),
        )),
        Method("INTEGRATED_GRADIENTS", "explainers.integrated_gradients", "IntegratedGradients", (
            Option("n_steps", constants.INTEGRATED_GRADIENTS_N_STEPS, "points on the way from black", int),
            Option("tolerance", constants.INTEGRATED_GRADIENTS_TOLERANCE,
                   "double the points until the map's sum misses S(x) - S(black) by no more than this share of it",
                   read_tolerance, shown_default="off"),
        )),
        Method("DECONVNET", "explainers.deconvnet", "DeconvNet"),
        Method("GUIDED_BACKPROP", "explainers.guided_backprop", "GuidedBackprop"),
        Method("GUIDED_GRADCAM", "explainers.guided_gradcam", "GuidedGradCAM"),
        Method("OCCLUSION", "explainers.occlusion", "Occlusion", (
            Option("patch", constants.OCCLUSION_PATCH, "side of the window in input pixels", read_count,
                   shown_default="a seventh of the input's shorter side"),
            Option("stride", constants.OCCLUSION_STRIDE, "pixels from window to window", read_count,
                   shown_default="half a patch"),
            Option("fill", constants.OCCLUSION_FILL, "grey value of the cover, 0-255", float),
        )),
        Method("KERNEL_SHAP", "explainers.kernel_shap", "KernelSHAP", (
            Option("num_samples", constants.KERNEL_SHAP_NUM_SAMPLES, "perturbed images per image", int),
            Option("hide_color", constants.LIME_HIDE_COLOR, "of a hidden superpixel: mean, a grey value or R,G,B",
                   read_color, shown_default="mean"),
        )),
        Method("ATTENTION", "explainers.attention", "Attention"),
    )
}  # fmt: skip

BASELINES = {  # rows of a table that no method makes: what a map is worth is how far it is above them
    method.name: method
    for method in (
        Method("RANDOM", "explainers.baseline_maps", "RandomMap"),
        Method("CENTRE", "explainers.baseline_maps", "CentreMap"),
        Method("EDGES", "explainers.baseline_maps", "EdgeMap"),
        Method("OTHERS", "explainers.baseline_maps", "GivenMap"),
        Method("PEOPLE", "explainers.baseline_maps", "GivenMap"),
    )
}
GAZE_ROWS = {"OTHERS": "other_density", "PEOPLE": "density_map"}  # baseline -> what of GazeTruth is its map


def explains_class(name: str) -> bool:
    """Whether a class enters the map of the method, or baseline, of that name."""
    return {**METHODS, **BASELINES}[name].load().uses_class


def means_all(text: str) -> bool:
    """Whether ALL is among the names: then a method that does not fit the model is left out, not refused."""
    return "ALL" in _read_names(text)


def choose_methods(text: str) -> list[Method]:
    """The methods of 'GRADCAM', 'gradcam,LIME' or 'ALL', in the order given; ValueError lists the choices."""
    names = _read_names(text)
    unknown = [name for name in names if name not in METHODS and name != "ALL"]
    if unknown:
        from utils import suggest

        raise ValueError(f"unknown explanation_method {unknown[0]!r}; {suggest(unknown[0], [*METHODS, 'ALL'])}")
    return list(METHODS.values()) if "ALL" in names else [METHODS[name] for name in dict.fromkeys(names)]


def _read_names(text: str) -> list[str]:
    return [name.strip().upper() for name in text.split(",")]

"""The same explanations by others, where they are installed: xplique, tf-keras-vis, tf-explain and lime.

    python -m pip install --no-deps -r requirements-peers.txt

Each is asked as its documentation asks, on the images and the Keras model that our methods get, made before it is
timed; what a peer cannot say of a batch it is asked image by image. Pixels are given as they are: time is the same.
"""

import importlib.util
from collections.abc import Callable
from importlib import import_module

import numpy as np

XPLIQUE, KERAS_VIS, TF_EXPLAIN, LIME = "xplique", "tf-keras-vis", "tf-explain", "lime"
MODULES = {XPLIQUE: "xplique", KERAS_VIS: "tf_keras_vis", TF_EXPLAIN: "tf_explain", LIME: "lime"}
N_SAMPLES, PATCH, N_STEPS = 96, 28, 2  # those of methods.py
REGRESSION = (("lime.lime_base:LimeBase", "explain_instance_with_data"),)

Call = tuple[Callable[[], object], tuple[tuple[str, str], ...]]  # and what is not to be counted


def list_installed(title: str) -> list[str]:
    """The peers that answer what a title asks, and are installed with all they need."""
    return [name for name in PEERS.get(title, ()) if importlib.util.find_spec(MODULES[name]) and _has_all(name)]


def _has_all(name: str) -> bool:
    """Whether what xplique imports at its start is there too."""
    needed = ("tensorflow_probability", "tf_keras", "deprecated") if name == XPLIQUE else ()
    return all(importlib.util.find_spec(module) for module in needed)


def of_xplique(kind: str, is_batch: bool = True, segments: bool = False, **options) -> Callable[[object], Call]:
    """An attribution of xplique."""

    def make(bench) -> Call:
        further = {"map_to_interpret_space": lambda image: _cut_up(image, bench)} if segments else {}
        explainer = getattr(import_module("xplique.attributions"), kind)(bench.model, **options, **further)
        images = bench.images if is_batch else bench.scene[None]
        classes = np.eye(bench.classifier.n_classes, dtype=np.float32)[[0] * len(images)]
        return lambda: explainer(images, classes), ()

    return make


def of_xpliques_metrics(kind: str) -> Callable[[object], Call]:
    """A metric of xplique, of all images at a time as it takes them, with as many scored as by ours."""

    def make(bench) -> Call:
        images = bench.images
        classes = np.eye(bench.classifier.n_classes, dtype=np.float32)[[0] * len(images)]
        metric = getattr(import_module("xplique.metrics"), kind)
        judge = metric(bench.model, images, classes, steps=bench.n_scored // len(images) - 1)
        saliency_maps = images.mean(axis=-1, keepdims=True)
        return lambda: judge(saliency_maps), ()

    return make


def of_keras_vis(module: str, kind: str, is_batch: bool = True, **options) -> Callable[[object], Call]:
    """A map of tf-keras-vis."""

    def make(bench) -> Call:
        explainer = getattr(import_module(f"tf_keras_vis.{module}"), kind)(bench.model, clone=False)
        images = bench.images if is_batch else bench.scene[None]
        score = import_module("tf_keras_vis.utils.scores").CategoricalScore([0] * len(images))
        return lambda: explainer(score, images, **options), ()

    return make


def of_tf_explain(module: str, kind: str, is_batch: bool = True, layer: bool = False, **options):
    """A map of tf-explain, with the picture it makes of it."""

    def make(bench) -> Call:
        explainer = getattr(import_module(f"tf_explain.core.{module}"), kind)()
        images = bench.images if is_batch else bench.scene[None]
        further = {"layer_name": bench.classifier.layer_name} if layer else {}
        return lambda: explainer.explain((images, None), bench.model, class_index=0, **options, **further), ()

    return make


def of_lime(bench) -> Call:
    """The package's own explainer, asking `model.predict` as its tutorials do; without segmentation and regression."""
    explainer = import_module("lime.lime_image").LimeImageExplainer(random_state=0)
    labels = _cut_up(bench.scene, bench)

    def predict(images: np.ndarray) -> np.ndarray:
        return bench.model.predict(np.asarray(images, np.float32), verbose=0)

    def explain():
        options = {"num_samples": N_SAMPLES, "segmentation_fn": lambda _: labels}
        return explainer.explain_instance(bench.scene.astype(np.double), predict, **options)

    return explain, REGRESSION


def _cut_up(image, bench) -> np.ndarray:
    """Superpixels (H, W) of the scene: 7 x 7 squares, as many as ours has by and by; it costs nothing."""
    height, width = bench.scene.shape[:2]
    rows, columns = np.arange(height) * 7 // height, np.arange(width) * 7 // width
    return (7 * rows[:, None] + columns).astype(np.int32)


PEERS = {  # title of methods.py -> name of a peer -> what makes the call
    "Grad-CAM": {
        XPLIQUE: of_xplique("GradCAM"),
        KERAS_VIS: of_keras_vis("gradcam", "Gradcam"),
        TF_EXPLAIN: of_tf_explain("grad_cam", "GradCAM", layer=True),
    },
    "Grad-CAM++": {XPLIQUE: of_xplique("GradCAMPP"), KERAS_VIS: of_keras_vis("gradcam_plus_plus", "GradcamPlusPlus")},
    "LayerCAM": {KERAS_VIS: of_keras_vis("layercam", "Layercam")},
    "Score-CAM": {KERAS_VIS: of_keras_vis("scorecam", "Scorecam", False, max_N=N_SAMPLES)},
    "RISE": {XPLIQUE: of_xplique("Rise", False, nb_samples=N_SAMPLES)},
    "LIME, besides segmentation and regression": {
        XPLIQUE: of_xplique("Lime", False, True, nb_samples=N_SAMPLES),
        LIME: of_lime,
    },
    "KernelSHAP, besides segmentation": {XPLIQUE: of_xplique("KernelShap", False, True, nb_samples=N_SAMPLES)},
    "occlusion": {
        XPLIQUE: of_xplique("Occlusion", False, patch_size=PATCH, patch_stride=PATCH),
        TF_EXPLAIN: of_tf_explain("occlusion_sensitivity", "OcclusionSensitivity", False, patch_size=PATCH),
    },
    "insertion": {XPLIQUE: of_xpliques_metrics("Insertion")},
    "deletion": {XPLIQUE: of_xpliques_metrics("Deletion")},
    "vanilla gradient": {
        XPLIQUE: of_xplique("Saliency"),
        KERAS_VIS: of_keras_vis("saliency", "Saliency"),
        TF_EXPLAIN: of_tf_explain("vanilla_gradients", "VanillaGradients"),
    },
    "guided backpropagation": {XPLIQUE: of_xplique("GuidedBackprop")},
    "DeconvNet": {XPLIQUE: of_xplique("DeconvNet")},
    "integrated gradients": {
        XPLIQUE: of_xplique("IntegratedGradients", steps=N_STEPS),
        TF_EXPLAIN: of_tf_explain("integrated_gradients", "IntegratedGradients", n_steps=N_STEPS),
    },
    "SmoothGrad": {
        XPLIQUE: of_xplique("SmoothGrad", nb_samples=N_STEPS),
        KERAS_VIS: of_keras_vis("saliency", "Saliency", smooth_samples=N_STEPS),
        TF_EXPLAIN: of_tf_explain("smoothgrad", "SmoothGrad", num_samples=N_STEPS),
    },
}

"""What each method costs, as a multiple of the network's own forward pass.

    python bench.py [--model_name ResNet] [--rounds 7]

The yardstick F is a plain compiled forward pass of the same Keras model per image: `tf.function(model)`, a
batch of 32, float32, random weights. Every round times F and each method one after the other in this process,
so that a busy machine slows both; printed are the median and the quartiles of the rounds' ratios, beside the
target. Memory is the process's high-water mark above that of F alone.
"""

import argparse
import contextlib
import resource
import sys
import time
from collections.abc import Callable, Iterator
from unittest import mock

import constants
import utils

BATCH = 32
N_MASKS = 96  # of RISE and samples of LIME per timing: three whole batches


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_name", choices=constants.ZOO, default="ResNet")
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


def seconds(call: Callable) -> float:
    """How long the call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def peak_memory() -> float:
    """The most memory this process has held so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3  # bytes there, kilobytes here


@contextlib.contextmanager
def uncounted(owner, name: str, clock: list[float]) -> Iterator[None]:
    """Within it, the time spent in `owner.name` is added to the clock."""
    original = getattr(owner, name)

    def timed(*args, **kwargs):
        begin = time.perf_counter()
        try:
            return original(*args, **kwargs)
        finally:
            clock.append(time.perf_counter() - begin)

    with mock.patch.object(owner, name, timed):
        yield


class Bench:
    """One network with random weights, and what is timed on it; each `time_...` returns seconds per unit."""

    def __init__(self, model_name: str):
        import numpy as np
        import tensorflow as tf

        import model_files
        from classifier import Classifier

        self.model = model_files.zoo_model(model_name, weights=None)
        self.classifier = Classifier(self.model, model_name)
        self.half = Classifier(self.model, model_name, precision="bfloat16")
        size = self.classifier.input_height, self.classifier.input_width
        generator = np.random.default_rng(constants.SEED)
        self.images = generator.uniform(0, 255, (BATCH, *size, 3)).astype(np.float32)
        coarse = generator.uniform(0, 255, (8, 8, 3)).astype(np.float32)
        self.scene = utils.resize_image(coarse, *size)  # patches of colour: quickshift finds superpixels in it
        self.plain = tf.function(lambda images: self.model(images, training=False))
        self.tensor = tf.constant(self.images)

    def time_forward(self) -> float:
        return seconds(lambda: self.plain(self.tensor).numpy()) / BATCH

    def time_gradcam(self) -> float:
        from gradcam import GradCAM

        explainer = GradCAM(self.classifier, None, self.images, 0)
        return seconds(explainer.compute_saliency_map) / BATCH

    def time_fem(self) -> float:
        from fem import FEM

        return seconds(FEM(self.classifier, None, self.images).compute_saliency_map) / BATCH

    def time_rise(self, classifier=None, n_masks: int = N_MASKS) -> float:
        from rise import RISE

        explainer = RISE(classifier or self.classifier, None, self.scene, 0, n_masks=n_masks)
        return seconds(explainer.compute_saliency_map) / n_masks

    def time_rise_bfloat16(self) -> float:
        return self.time_rise(self.half)

    def time_lime(self) -> float:
        from lime.lime_base import LimeBase

        from lime_explainer import LimeExplainer

        explainer = LimeExplainer(self.classifier, None, self.scene, 0, num_samples=N_MASKS)
        clock = []
        with uncounted(LimeExplainer, "segment", clock), uncounted(LimeBase, "explain_instance_with_data", clock):
            total = seconds(explainer.compute_saliency_map)
        return (total - sum(clock)) / N_MASKS

    def time_fidelity(self, metric: Callable) -> float:
        saliency_map = self.scene.mean(axis=-1)
        scored = self.scene.shape[0] + 1  # one row's worth of pixels a step
        return seconds(lambda: metric(self.classifier.predict, self.scene, saliency_map, 0)) / scored

    def time_insertion(self) -> float:
        import evaluate

        return self.time_fidelity(evaluate.insertion)

    def time_deletion(self) -> float:
        import evaluate

        return self.time_fidelity(evaluate.deletion)


TARGETS = {  # what is timed -> its name, the unit, the target in F
    "gradcam": ("Grad-CAM", "image", 1.1),
    "fem": ("FEM", "image", 1.0),
    "rise": ("RISE", "mask", 0.95),
    "rise_bfloat16": ("RISE, bfloat16", "mask", 0.7),
    "lime": ("LIME, besides segmentation and regression", "sample", 1.1),
    "insertion": ("insertion", "scored image", 1.0),
    "deletion": ("deletion", "scored image", 1.0),
}


def measure_memory(bench: Bench) -> dict[int, float]:
    """Number of RISE masks -> MB above the peak of the plain forward pass; to be called before all else."""
    bench.time_forward()
    own = peak_memory()
    above = {}
    for n_masks in (200, 800):
        bench.time_rise(n_masks=n_masks)
        above[n_masks] = peak_memory() - own
    return above


def main() -> None:
    args = parse_arguments()
    utils.silence_tensorflow()
    import numpy as np

    bench = Bench(args.model_name)
    memory = measure_memory(bench)
    timers = {name: getattr(bench, f"time_{name}") for name in TARGETS}
    for timer in timers.values():
        timer()  # traced and warmed up
    ratios = {name: [] for name in timers}
    forward = []
    for _ in range(args.rounds):
        forward.append(bench.time_forward())
        for name, timer in timers.items():
            before = bench.time_forward()
            took = timer()
            ratios[name].append(took / ((before + bench.time_forward()) / 2))
    print(f"{args.model_name}: F = {1000 * np.median(forward):.1f} ms per image, {args.rounds} rounds")
    for name, (title, unit, target) in TARGETS.items():
        low, median, high = np.percentile(ratios[name], (25, 50, 75))
        verdict = "met" if median <= target else "missed"
        print(f"{title:<42} {median:.2f} F ({low:.2f} to {high:.2f}) per {unit:<13} target {target:.2f}: {verdict}")
    for n_masks, above in memory.items():
        verdict = "met" if above < 400 else "missed"
        print(f"{f'RISE, peak memory with {n_masks} masks':<42} {above:.0f} MB above F, target 400: {verdict}")


if __name__ == "__main__":
    main()

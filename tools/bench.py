"""What each method costs, as a multiple of the network's own forward pass.

    python -m tools.bench [--model_name ResNet] [--rounds 7] [--only "RISE, openvino" "CAM family together"]

The yardstick F is a plain compiled forward pass of the same Keras model per image: `tf.function(model)`, a
batch of 32, float32, random weights. Every round times F and each method one after the other in this process,
so that a busy machine slows both; printed are the median and the quartiles of the rounds' ratios, beside the
target. Memory is the process's high-water mark above that of F alone.
"""

import argparse
import contextlib
import io
import pkgutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from unittest import mock

import constants
import utils
from explainers.registry import METHODS

BATCH = 32
N_SAMPLES = 96  # masks, samples or channels per timing: three whole batches


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_name", choices=constants.ZOO, default="ResNet")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", metavar="TITLE", choices=[timing.title for timing in TIMINGS])
    return parser.parse_args()


def seconds(call: Callable) -> float:
    """How long the call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def peak_memory() -> float:
    """The most memory this process has held so far, in MB; NaN where the system does not tell, as on Windows."""
    try:
        import resource
    except ImportError:
        return float("nan")
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
    """One network with random weights, and what is timed on it."""

    def __init__(self, model_name: str):
        import numpy as np
        import tensorflow as tf

        from network import zoo
        from network.classifier import Classifier

        self.model = zoo.build(model_name, weights=None)
        self.classifier = Classifier(self.model, model_name)
        self.others = {}  # (engine, precision) -> the classifier that runs so
        size = self.classifier.input_height, self.classifier.input_width
        generator = np.random.default_rng(constants.SEED)
        self.images = generator.uniform(0, 255, (BATCH, *size, 3)).astype(np.float32)
        coarse = generator.uniform(0, 255, (8, 8, 3)).astype(np.float32)
        self.scene = utils.resize_image(coarse, *size)  # patches of colour: quickshift finds superpixels in it
        self.plain = tf.function(lambda images: self.model(images, training=False))
        self.tensor = tf.constant(self.images)
        self.maximisers = {}  # method of visualization -> the one that is traced

    def time_forward(self) -> float:
        """F: seconds per image of the plain forward pass."""
        return seconds(lambda: self.plain(self.tensor).numpy()) / BATCH

    def choose_classifier(self, timing: "Timing"):
        """The classifier of the engine and the precision that are timed."""
        from network.classifier import Classifier

        wanted = timing.engine, "bfloat16" if timing.half else "float32"
        if wanted == (constants.ENGINES[0], "float32"):
            return self.classifier
        if wanted not in self.others:
            name = self.classifier.model_name
            self.others[wanted] = Classifier(self.model, name, engine=wanted[0], precision=wanted[1])
        return self.others[wanted]

    def time_family(self) -> float:
        """Seconds per image of Grad-CAM and what shares its pass, as one run has them."""

        def explain(name: str, images) -> None:
            METHODS[name].load()(self.classifier, None, images, 0).compute_saliency_map()

        step = constants.IMAGES_AT_ONCE
        groups = [self.images[start : start + step] for start in range(0, BATCH, step)]
        with self.classifier.shared.open():
            return seconds(lambda: [explain(name, group) for group in groups for name in FAMILY]) / BATCH

    def time_method(self, timing: "Timing") -> float:
        """Seconds per unit of one explanation, besides what is not the method's own."""
        explainer_class = METHODS[timing.method].load()
        classifier = self.choose_classifier(timing)
        images, n_images = (self.images, BATCH) if timing.batch else (self.scene, 1)
        explainer = explainer_class(classifier, None, images, 0, **timing.options)
        clock = []
        with contextlib.ExitStack() as stack:
            for owner, name in timing.besides:
                stack.enter_context(uncounted(pkgutil.resolve_name(owner), name, clock))
            took = seconds(explainer.compute_saliency_map) - sum(clock)
        return took / (n_images * timing.units)

    def time_fidelity(self, metric: Callable) -> float:
        """Seconds per scored image of insertion or deletion."""
        saliency_map = self.scene.mean(axis=-1)
        scored = self.scene.shape[0] + 1  # one row's worth of pixels a step
        return seconds(lambda: metric(self.classifier.predict, self.scene, saliency_map, 0)) / scored

    def time_visualization(self, timing: "Timing") -> float:
        """Seconds per step and image of an activation maximisation."""
        from units.maximisation import Maximiser

        if timing.method not in self.maximisers:
            settings = constants.VISUALIZATION_METHODS[timing.method]
            self.maximisers[timing.method] = Maximiser(self.classifier, "class", [0] * BATCH, settings)
        maximiser = self.maximisers[timing.method]
        state = maximiser.start()
        return seconds(lambda: maximiser.advance(state, timing.units)) / (BATCH * timing.units)

    def time_dissection(self, timing: "Timing") -> float:
        """Seconds per image of a dissection of the last layer's units, besides what is not its own."""
        from data.dataset import Sample
        from units.concepts import Concepts
        from units.dissection import MASK_SIDE, dissect
        from units.feature_store import FeatureStore

        samples = [Sample(f"{number}.png", str(number), Path()) for number in range(BATCH)]
        concepts, side = Concepts(["red", "green", "blue"], {}, ""), MASK_SIDE
        masks = {concept: self.scene[:side, :side, concept] > 127 for concept in range(3)}
        images = iter(self.images)
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.object(Sample, "read", lambda _: next(images)),
            mock.patch.object(Concepts, "read", lambda *_: (masks, {})),
            contextlib.redirect_stderr(io.StringIO()),  # its progress
        ):
            store = FeatureStore(folder, [self.classifier.layer_name])
            return seconds(lambda: dissect(self.classifier, samples, concepts, store, **timing.options)) / BATCH

    def time(self, timing: "Timing") -> float:
        """Seconds per unit of whatever is timed."""
        if timing.method in constants.VISUALIZATION_METHODS:
            return self.time_visualization(timing)
        if timing.method == TOGETHER:
            return self.time_family()
        if timing.method == DISSECTION:
            return self.time_dissection(timing)
        if timing.method in METHODS:
            return self.time_method(timing)
        return self.time_fidelity(getattr(import_module("evaluate"), timing.method))


@dataclass(frozen=True)
class Timing:
    """What is timed: of the registry, of `constants.VISUALIZATION_METHODS`, a metric of evaluate.py, DISSECTION or
    TOGETHER.

    unit: what a forward pass is spent on; units: how many of them an image has. target: in F per unit.
    batch: whether it is given the batch, or one scene. half: in bfloat16. engine: of the forward passes. besides:
    (module or class, function) whose time is left out.
    """

    title: str
    method: str
    unit: str
    target: float
    units: int = 1
    batch: bool = True
    half: bool = False
    engine: str = constants.ENGINES[0]
    options: dict = field(default_factory=dict)
    besides: tuple[tuple[str, str], ...] = ()


DISSECTION = "DISSECTION"
TOGETHER = "CAM family together"
FAMILY = "GRADCAM", "GRADCAM_PLUS_PLUS", "HIRESCAM", "LAYERCAM", "FEM"
SEGMENTATION = ("explainers.superpixels", "segment")
N_WINDOWS = 8 * 8
TIMINGS = (
    Timing("Grad-CAM", "GRADCAM", "image", 1.1),
    Timing("FEM", "FEM", "image", 1.0),
    Timing("RISE", "RISE", "mask", 0.95, N_SAMPLES, batch=False, options={"n_masks": N_SAMPLES}),
    Timing("RISE, bfloat16", "RISE", "mask", 0.7, N_SAMPLES, batch=False, half=True, options={"n_masks": N_SAMPLES}),
    *(
        Timing(f"RISE, {engine}", "RISE", "mask", 0.75, N_SAMPLES, False, False, engine, {"n_masks": N_SAMPLES})
        for engine in ("openvino", "onnxruntime")
    ),
    Timing(
        "RISE, openvino, bfloat16", "RISE", "mask", 0.75, N_SAMPLES, False, True, "openvino", {"n_masks": N_SAMPLES}
    ),
    Timing(
        "LIME, besides segmentation and regression",
        "LIME",
        "sample",
        1.1,
        N_SAMPLES,
        batch=False,
        options={"num_samples": N_SAMPLES},
        besides=(SEGMENTATION, ("lime.lime_base:LimeBase", "explain_instance_with_data")),
    ),
    Timing("insertion", "insertion", "scored image", 1.0),
    Timing("deletion", "deletion", "scored image", 1.0),
    Timing("CAM", "CAM", "image", 1.1),
    Timing("Grad-CAM++", "GRADCAM_PLUS_PLUS", "image", 1.1),
    Timing("HiResCAM", "HIRESCAM", "image", 1.1),
    Timing("LayerCAM", "LAYERCAM", "image", 1.1),
    Timing(TOGETHER, TOGETHER, "image", 1.5),
    Timing("Score-CAM", "SCORECAM", "channel", 1.0, N_SAMPLES, batch=False, options={"max_n": N_SAMPLES}),
    Timing("Ablation-CAM, all channels", "ABLATIONCAM", "image", 3.0),
    Timing("vanilla gradient", "VANILLA_GRADIENT", "image", 2.2),
    Timing("guided backpropagation", "GUIDED_BACKPROP", "image", 2.5),
    Timing("DeconvNet", "DECONVNET", "image", 2.5),
    Timing("integrated gradients", "INTEGRATED_GRADIENTS", "step", 2.2, 2, options={"n_steps": 2}),
    Timing("SmoothGrad", "SMOOTHGRAD", "step", 2.2, 2, options={"n_samples": 2}),
    Timing("occlusion", "OCCLUSION", "window", 1.0, N_WINDOWS, batch=False, options={"patch": 28, "stride": 28}),
    Timing(
        "KernelSHAP, besides segmentation",
        "KERNEL_SHAP",
        "sample",
        1.1,
        N_SAMPLES,
        batch=False,
        options={"num_samples": N_SAMPLES},
        besides=(SEGMENTATION,),
    ),
    Timing("class model, Simonyan", "CLASS_MODEL", "step", 4.0, 2),
    Timing("feature visualization, Fourier", "FOURIER", "step", 4.0, 2),
    Timing("class impression", "CLASS_IMPRESSION", "step", 4.0, 2),
    Timing(
        "dissection of the last layer, besides reading",
        DISSECTION,
        "image",
        1.5,
        options={"share": constants.DISSECTION_SHARE},
    ),
)


def measure_memory(bench: Bench) -> dict[int, float]:
    """Number of RISE masks -> MB above the peak of the plain forward pass; to be called before all else."""
    bench.time_forward()
    own = peak_memory()
    above = {}
    for n_masks in (200, 800):
        bench.time(Timing("", "RISE", "", 0, batch=False, options={"n_masks": n_masks}))
        above[n_masks] = peak_memory() - own
    return above


def main() -> None:
    args = parse_arguments()
    utils.silence_tensorflow()
    import numpy as np

    from network.engines import find_missing

    bench = Bench(args.model_name)
    timings = [timing for timing in TIMINGS if not args.only or timing.title in args.only]
    timings = [timing for timing in timings if not find_missing(timing.engine)]  # what is installed
    memory = {} if args.only else measure_memory(bench)
    ratios = [[] for _ in timings]
    forward = []
    for timing in timings:
        bench.time(timing)  # traced and warmed up
    for _ in range(args.rounds):
        for timing, values in zip(timings, ratios):
            before = bench.time_forward()
            took = bench.time(timing)
            after = bench.time_forward()
            values.append(took / ((before + after) / 2))
            forward += [before, after]
    print(f"{args.model_name}: F = {1000 * np.median(forward):.1f} ms per image, {args.rounds} rounds")
    for timing, values in zip(timings, ratios):
        low, median, high = np.percentile(values, (25, 50, 75))
        verdict = "met" if median <= timing.target else "missed"
        spread = f"{median:.2f} F ({low:.2f} to {high:.2f}) per {timing.unit}"
        print(f"{timing.title:<42} {spread:<44} target {timing.target:.2f}: {verdict}")
    for n_masks, above in memory.items():
        verdict = "not measured on this system" if above != above else "met" if above < 400 else "missed"
        print(f"{f'RISE, peak memory with {n_masks} masks':<42} {above:.0f} MB above F, target 400: {verdict}")


if __name__ == "__main__":
    main()

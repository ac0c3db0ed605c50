"""What each method costs, as a multiple of the network's own forward pass.

The yardstick F is a plain compiled forward pass of the same Keras model per image: `tf.function(model)`, a batch of 32,
float32, random weights. Every round takes F, each method, the peers' and F again, one after the other in this process,
so that a busy machine slows all; a row is the median and the quartiles of the rounds' ratios by processor time, and
their median by the clock. Memory is the process's high-water mark above that of F alone.
"""

import contextlib
import io
import pkgutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np

import constants
import evaluate
import utils
from explainers.registry import METHODS
from tools.bench import peers
from tools.bench.clocks import Taken, peak_memory, quartiles, take, uncounted
from tools.bench.rows import Row, Table, shorten

BATCH = 32
N_SAMPLES = 96  # masks, samples or channels per timing: three whole batches
MEMORY_TARGET = 400  # MB above F


class Bench:
    """One network with random weights, and what is timed on it: everything `Taken` is per unit."""

    def __init__(self, model_name: str):
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
        self.first_pass = None  # that Grad-CAM begins with in a run, once it is traced
        self.peers = {}  # (title, name) -> the call that is timed

    def time_forward(self) -> Taken:
        """F: of the plain forward pass, per image."""
        return take(lambda: self.plain(self.tensor).numpy()) / BATCH

    def time_peer(self, timing: "Timing", name: str) -> Taken:
        """Of what a peer makes of the same images."""
        if (timing.title, name) not in self.peers:
            self.peers[timing.title, name] = peers.PEERS[timing.title][name](self)
        call, besides = self.peers[timing.title, name]
        is_metric = hasattr(evaluate, timing.method)
        return self._take(call, besides) / (
            self.n_scored if is_metric else (BATCH if timing.batch else 1) * timing.units
        )

    def _take(self, call: Callable, besides: tuple[tuple[str, str], ...]) -> Taken:
        """What a call takes, without what it spends in functions of others."""
        spent = []
        with contextlib.ExitStack() as stack:
            for owner, name in besides:
                stack.enter_context(uncounted(pkgutil.resolve_name(owner), name, spent))
            taken = take(call)
        for other in spent:
            taken -= other
        return taken

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

    def time_family(self) -> Taken:
        """Of Grad-CAM and what shares its pass, as one run has them, per image."""

        def explain(name: str, images) -> None:
            METHODS[name].load()(self.classifier, None, images, 0).compute_saliency_map()

        step = constants.IMAGES_AT_ONCE
        groups = [self.images[start : start + step] for start in range(0, BATCH, step)]
        with self.classifier.shared.open():
            return take(lambda: [explain(name, group) for group in groups for name in FAMILY]) / BATCH

    def time_run(self) -> Taken:
        """Of Grad-CAM with the prediction that a run makes first, per image."""
        from data.ahead import Picture
        from data.dataset import Sample
        from pipeline.explain import Runner
        from pipeline.prepare import prepare_images

        method, rule = METHODS["GRADCAM"], "predicted"
        self.first_pass = self.first_pass or Runner(self.classifier, None, None).choose_first_pass([method])
        step, size = constants.IMAGES_AT_ONCE, self.images.shape[1:3]
        samples = [Sample(f"{number}.png", str(number), Path()) for number in range(BATCH)]
        pictures = {sample.stem: Picture(pixels, size) for sample, pixels in zip(samples, self.images)}

        def explain(group: list[Sample]) -> None:
            with self.classifier.shared.open():
                read = {sample.stem: pictures[sample.stem] for sample in group}
                prepared = prepare_images(self.classifier, group, rule, read, self.first_pass).values()
                pixels, classes = np.stack([one.pixels for one in prepared]), [one.class_index for one in prepared]
                method.load()(self.classifier, None, pixels, classes).compute_saliency_map()

        return take(lambda: [explain(samples[start : start + step]) for start in range(0, BATCH, step)]) / BATCH

    def time_method(self, timing: "Timing") -> Taken:
        """Of one explanation, besides what is not the method's own."""
        explainer_class = METHODS[timing.method].load()
        classifier = self.choose_classifier(timing)
        images, n_images = (self.images, BATCH) if timing.batch else (self.scene, 1)
        explainer = explainer_class(classifier, None, images, 0, **timing.options)
        return self._take(explainer.compute_saliency_map, timing.besides) / (n_images * timing.units)

    def time_faithfulness(self, metric: Callable) -> Taken:
        """Of insertion or deletion, per scored image."""
        saliency_map = self.scene.mean(axis=-1)
        return take(lambda: metric(self.classifier.predict, self.scene, saliency_map, 0)) / self.n_scored

    @property
    def n_scored(self) -> int:
        """How many images insertion or deletion has scored: one row's worth of pixels a step, and the start."""
        return self.scene.shape[0] + 1

    def time_visualization(self, timing: "Timing") -> Taken:
        """Of an activation maximisation, per step and image."""
        from units.maximisation import Maximiser

        if timing.method not in self.maximisers:
            settings = constants.VISUALIZATION_METHODS[timing.method]
            self.maximisers[timing.method] = Maximiser(self.classifier, "class", [0] * BATCH, settings)
        maximiser = self.maximisers[timing.method]
        state = maximiser.start()
        return take(lambda: maximiser.advance(state, timing.units)) / (BATCH * timing.units)

    def time_dissection(self, timing: "Timing") -> Taken:
        """Of a dissection of the last layer's units, per image, besides what is not its own."""
        from data.dataset import Sample
        from units.concepts import Concepts
        from units.dissection import MASK_SIDE, dissect
        from units.feature_store import FeatureStore

        samples = [Sample(f"{number}.png", str(number), Path()) for number in range(BATCH)]
        concepts, side = Concepts(["red", "green", "blue"], {}, ""), MASK_SIDE
        masks = {concept: self.scene[:side, :side, concept] > 127 for concept in range(3)}
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.object(Sample, "read", lambda sample: self.images[int(sample.stem)]),
            mock.patch.object(Concepts, "read", lambda *_: (masks, {})),
            contextlib.redirect_stderr(io.StringIO()),  # its progress
        ):
            store = FeatureStore(folder, [self.classifier.layer_name])
            return take(lambda: dissect(self.classifier, samples, concepts, store, **timing.options)) / BATCH

    def time(self, timing: "Timing") -> Taken:
        """Of whatever is timed, per unit."""
        if timing.method in constants.VISUALIZATION_METHODS:
            return self.time_visualization(timing)
        if timing.method in OTHERS:
            return OTHERS[timing.method](self, timing)
        if timing.method in METHODS:
            return self.time_method(timing)
        return self.time_faithfulness(getattr(evaluate, timing.method))


@dataclass(frozen=True)
class Timing:
    """What is timed: of the registry, of `constants.VISUALIZATION_METHODS`, a metric of evaluate.py, or one
    of OTHERS.

    unit: what a forward pass is spent on; units: how many of them an image has. target: in F per unit, or by the names
    of networks, "" for all others.
    batch: whether it is given the batch, or one scene. half: in bfloat16. engine: of the forward passes. besides:
    (module or class, function) whose time is left out.
    """

    title: str
    method: str
    unit: str
    target: float | dict[str, float]
    units: int = 1
    batch: bool = True
    half: bool = False
    engine: str = constants.ENGINES[0]
    options: dict = field(default_factory=dict)
    besides: tuple[tuple[str, str], ...] = ()


DISSECTION = "DISSECTION"
IN_A_RUN = "Grad-CAM in a run, with its prediction"
TOGETHER = "CAM family together"
FAMILY = "GRADCAM", "GRADCAM_PLUS_PLUS", "HIRESCAM", "LAYERCAM", "FEM"
SEGMENTATION = ("explainers.superpixels", "segment")
N_WINDOWS = 8 * 8
OF_ENGINES = {"MobileNetV2": 0.4, "": 0.75}  # F per mask
TIMINGS = (
    Timing("Grad-CAM", "GRADCAM", "image", 1.1),
    Timing(IN_A_RUN, IN_A_RUN, "image", 1.1),
    Timing("FEM", "FEM", "image", 1.0),
    Timing("RISE", "RISE", "mask", 0.95, N_SAMPLES, batch=False, options={"n_masks": N_SAMPLES}),
    Timing("RISE, bfloat16", "RISE", "mask", 0.7, N_SAMPLES, batch=False, half=True, options={"n_masks": N_SAMPLES}),
    *(
        Timing(f"RISE, {engine}", "RISE", "mask", OF_ENGINES, N_SAMPLES, False, False, engine, {"n_masks": N_SAMPLES})
        for engine in ("openvino", "onnxruntime")
    ),
    Timing(
        "RISE, openvino, bfloat16",
        "RISE",
        "mask",
        OF_ENGINES,
        N_SAMPLES,
        False,
        True,
        "openvino",
        {"n_masks": N_SAMPLES},
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
OTHERS = {
    TOGETHER: lambda bench, _: bench.time_family(),
    IN_A_RUN: lambda bench, _: bench.time_run(),
    DISSECTION: Bench.time_dissection,
}


def measure_memory(bench: Bench) -> list[Row]:
    """RISE's memory above the peak of the plain forward pass; to be called before all else."""
    bench.time_forward()
    own, rows = peak_memory(), []
    for n_masks in (200, 800):
        bench.time(Timing("", "RISE", "", 0, batch=False, options={"n_masks": n_masks}))
        above = peak_memory() - own
        rows.append(Row(f"RISE, memory above that of F, {n_masks} masks", (above,), "MB", MEMORY_TARGET))
    return rows


def measure(bench: Bench, rounds: int, titles: list[str]) -> Table:
    """The rows of these titles; those of memory too where all are asked for."""
    from network.engines import find_missing

    timings = [timing for timing in TIMINGS if timing.title in titles and not find_missing(timing.engine)]
    memory = measure_memory(bench) if len(titles) == len(TIMINGS) else []
    rivals = {timing.title: peers.list_installed(timing.title) for timing in timings}
    failed, forward = {}, []
    found = {timing.title: {"": [], **{name: [] for name in rivals[timing.title]}} for timing in timings}
    for number in range(rounds + 1):  # the first traces and warms up
        for timing in timings:
            before, taken = bench.time_forward(), {"": bench.time(timing)}
            for name in rivals[timing.title]:
                if (timing.title, name) in failed:
                    continue
                try:
                    quiet = io.StringIO()  # for their bars of progress
                    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                        taken[name] = bench.time_peer(timing, name)
                except Exception as error:  # of libraries made for an older Keras, which raise what they like
                    failed[timing.title, name] = f"fails ({type(error).__name__})"
            after = bench.time_forward()
            if number:
                forward += [before, after]
                for name, one in taken.items():
                    pairs = zip(one, before, after)
                    found[timing.title][name].append([own / ((first + last) / 2) for own, first, last in pairs])
    model_name = bench.classifier.model_name
    rows = [_make_row(timing, model_name, found[timing.title], failed) for timing in timings]
    clock, processor = 1000 * np.median(forward, axis=0)
    head = (
        f"{model_name}, random weights: F = {processor:.1f} ms of processor time an image, "
        f"{clock:.1f} ms by the clock; {rounds} rounds."
    )
    return Table(head, rows + memory)


def _make_row(timing: "Timing", model_name: str, ratios: dict[str, list], failed: dict[tuple[str, str], str]) -> Row:
    """ratios: of each name, '' is our own, (clock, processor) of each round in F."""
    others = {
        name: failed.get((timing.title, name)) or f"{shorten(np.median(values, axis=0)[1])} F"
        for name, values in ratios.items()
        if name
    }
    clock, _ = np.median(ratios[""], axis=0)
    measured = quartiles([processor for _, processor in ratios[""]])
    unit = f"F per {timing.unit}"
    target = timing.target.get(model_name, timing.target[""]) if isinstance(timing.target, dict) else timing.target
    return Row(timing.title, measured, unit, target, f"{shorten(clock)} F", others)

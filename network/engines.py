"""Engines: what runs a classifier's forward pass for probabilities in TensorFlow's place.

    the classifier's compiled graph, batch norms folded -> its variables frozen -> OpenVINO, or tf2onnx -> ONNX Runtime

Preprocessing, score and label level are part of that graph, so that an engine answers exactly what `Classifier.predict`
is asked, of nested models and odd ones too. Features and gradients stay with TensorFlow. What an engine gives is
checked against TensorFlow before it is used; 'auto' takes one only where it is `QUICKER` times as fast, on this model
and machine.

Cost: conversion takes seconds to tens of them, once per classifier, and the weights are held once more.
"""

import importlib.util
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tensorflow as tf

import constants
import utils
from network import timings

TENSORFLOW, AUTO = "tensorflow", "auto"
LIBRARIES = {"openvino": ("openvino",), "onnxruntime": ("onnxruntime", "tf2onnx")}  # engine -> what it needs
TOLERANCE = 1e-4  # of probability, or of the largest magnitude of outputs that are none
QUICKER = 1.2  # times as fast as TensorFlow: less is not worth other last digits
N_PROBES = 10  # images of the check
WATCHED = 256  # values of each variable
OPSET = 18  # of ONNX, the newest that tf2onnx writes
ROUNDS = 3  # of the timing; the shortest counts, as other programs only lengthen it

PredictFunction = Callable[[np.ndarray], np.ndarray]  # RGB 0-255, float32 (n, H, W, 3) -> probabilities (n, C), float32


@dataclass(frozen=True)
class Engine:
    """What answers for probabilities.

    error: the largest difference from TensorFlow's on the images of the check. note: in words, why it was taken; "" of
    TensorFlow unless something else was asked for.
    """

    name: str
    run: PredictFunction
    error: float = 0.0
    note: str = ""

    def describe(self) -> str:
        """Name, version, how far from TensorFlow, and why it was taken."""
        if self.name == TENSORFLOW:
            return f"{TENSORFLOW} {tf.__version__} ({self.note})"
        return f"{self.name} {version(self.name)}, within {self.error:.1e} of TensorFlow's outputs ({self.note})"


@dataclass(frozen=True)
class Question:
    """What an engine should answer as TensorFlow does.

    graph: from images (n, H, W, 3) to probabilities (n, C), a concrete function. predict: the same run by TensorFlow in
    the run's arithmetic. precision, batch_size: of the run. shift: by which pixels are larger than 0-255. key: what
    tells this question from others, plain values.
    """

    graph: tf.types.experimental.ConcreteFunction
    predict: PredictFunction
    precision: str
    batch_size: int
    shift: float
    key: dict


def watch(variables: Sequence) -> Callable[[], bool]:
    """What tells whether one of the variables has changed since: a frozen graph does not follow them.

    Compared are at most `WATCHED` values of each, evenly spaced; training changes more than one.
    """

    def sample():
        flat = [tf.reshape(tf.convert_to_tensor(variable), [-1]) for variable in variables]
        parts = [values[:: max(1, values.shape[0] // WATCHED)] for values in flat]
        return tf.concat([tf.zeros(1), *(tf.cast(part, tf.float32) for part in parts)], axis=0)

    sample = tf.function(sample, autograph=False)
    before = sample().numpy()
    return lambda: not np.array_equal(sample().numpy(), before, equal_nan=True)


def check_choice(name: str, precision: str) -> None:
    """Raises ValueError for an engine that is unknown, not installed, or cannot compute in that precision."""
    if name not in constants.ENGINES:
        raise ValueError(f"engine: one of {', '.join(constants.ENGINES)} was wanted; got {name!r}")
    if missing := find_missing(name):
        raise ValueError(
            f"engine: {name} needs {' and '.join(missing)}: python -m pip install -r requirements-fast.txt"
        )
    if name == "onnxruntime" and precision != "float32":
        raise ValueError(f"engine: onnxruntime computes in float32 here, not in {precision}: choose openvino")


def find_missing(name: str) -> list[str]:
    """The libraries that an engine needs and that are not installed."""
    return [library for library in LIBRARIES.get(name, ()) if importlib.util.find_spec(library) is None]


def open_engine(name: str, question: Question) -> Engine:
    """OpenVINO or ONNX Runtime, checked; of 'auto' the quickest. ValueError for one that fails or differs."""
    return _choose(question) if name == AUTO else _open(name, _freeze(question.graph), question)


def _choose(question: Question) -> Engine:
    """The quickest of TensorFlow and what is installed, by a short timing that is kept."""
    names = [name for name in LIBRARIES if not find_missing(name)]
    if question.precision != "float32":
        names = [name for name in names if name == "openvino"]
    if not names:
        return Engine(TENSORFLOW, question.predict, note="no other engine is installed")
    frozen, opened = _freeze(question.graph), {}

    def measure() -> dict:
        images = np.resize(_probe_images(question), (question.batch_size, *question.graph.inputs[0].shape[1:]))
        ratios = {}
        for name in names:
            try:
                opened[name] = _open(name, frozen, question)
            except ValueError:  # what cannot be converted, or differs, is not taken
                continue
            ratios[name] = timings.compare(question.predict, opened[name].run, images, ROUNDS)
        return ratios

    key = {**question.key, "what": "engine", "precision": question.precision, "batch_size": question.batch_size}
    key |= {TENSORFLOW: tf.__version__, **{name: version(name) for name in names}}
    ratios = timings.recall(key, measure)
    best = max(ratios, key=ratios.get, default=None)
    if best is None or ratios[best] < QUICKER:
        seen = ", ".join(f"{name} is {ratio:.2f} times as fast" for name, ratio in ratios.items())
        return Engine(TENSORFLOW, question.predict, note=f"auto: {seen or 'no other engine answers as it does'}")
    engine = opened.get(best) or _open(best, frozen, question)
    return Engine(engine.name, engine.run, engine.error, f"auto: {ratios[best]:.2f} times as fast as TensorFlow")


def _open(name: str, frozen: tf.types.experimental.ConcreteFunction, question: Question) -> Engine:
    openers = {"openvino": _open_openvino, "onnxruntime": _open_onnxruntime}
    images = _probe_images(question)
    expected = frozen(tf.constant(images))[0].numpy()
    try:
        run = openers[name](frozen, question)
        # Whole, and one image alone: a graph that only fits one number of images shows here.
        given = [run(images), run(images[:1])]
    except Exception as error:  # of a library, which may raise anything for a layer that it does not know
        raise ValueError(f"engine: {name} cannot run this model ({_find_reason(error)}): leave --engine out") from error
    differences = [np.abs(one - expected[: len(one)]).max() for one in given]
    error, allowed = float(np.max(differences)), TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if question.precision == "float32" and not error <= allowed:  # NaN is refused too
        raise ValueError(
            f"engine: {name} gives outputs that differ from TensorFlow's by up to {error:.2g} on {len(images)} images, "
            f"more than {allowed:.2g}: leave --engine out, or choose another of {', '.join(constants.ENGINES)}"
        )
    return Engine(name, run, error, "given")


def _find_reason(error: Exception) -> str:
    """The line of an error that tells most: those of OpenVINO begin with places in its own code, then list reasons."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    listed = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
    told = [line for line in lines if not line.startswith(("Exception from", "Check '"))]
    return next(iter(listed + told + lines), type(error).__name__)


def _probe_images(question: Question) -> np.ndarray:
    """Images (n, H, W, 3) as explainers make them: noise from dark to bright, patches of colour, black and white."""
    height, width = question.graph.inputs[0].shape[1:3]
    generator = np.random.default_rng(constants.SEED)
    n_noise = N_PROBES // 2 - 1
    noise = generator.uniform(0, 255, (n_noise, height, width, 3)) * np.linspace(0.25, 1, n_noise)[:, None, None, None]
    coarse = generator.uniform(0, 255, (N_PROBES - n_noise - 2, 6, 6, 3)).astype(np.float32)
    patches = [utils.resize_image(one, height, width) for one in coarse]
    plain = [np.full((height, width, 3), grey) for grey in (0, 255)]
    return (np.clip([*noise, *patches, *plain], 0, 255) + question.shift).astype(np.float32)


def _freeze(graph: tf.types.experimental.ConcreteFunction) -> tf.types.experimental.ConcreteFunction:
    """The graph with its variables as constants."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(graph)


def _open_openvino(frozen: tf.types.experimental.ConcreteFunction, question: Question) -> PredictFunction:
    import openvino

    core = openvino.Core()
    with tempfile.TemporaryDirectory(
        ignore_cleanup_errors=True
    ) as folder:  # from a file it is read by OpenVINO alone, without its Python tools
        path = Path(folder) / "graph.pb"
        path.write_bytes(frozen.graph.as_graph_def().SerializeToString())
        model = core.read_model(path)
    # An image a request, as many requests at once as there are streams, a core or a few for each: what a small network
    # computes of one image stays in the core's cache, and no image's answer depends on others beside it.
    hints = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "PERFORMANCE_HINT_NUM_REQUESTS": question.batch_size,
        "ENABLE_CPU_PINNING": False,  # several processes, as workers are, would be pinned to the same cores
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[question.precision],
    }
    if n_threads := tf.config.threading.get_intra_op_parallelism_threads():
        hints["INFERENCE_NUM_THREADS"] = n_threads
    model.reshape([1, *question.graph.inputs[0].shape[1:]])
    queue, lock = openvino.AsyncInferQueue(core.compile_model(model, "CPU", hints)), threading.Lock()

    def run(images: np.ndarray) -> np.ndarray:
        found = [None] * len(images)
        images = np.ascontiguousarray(images)  # of others OpenVINO makes copies, which are gone before they are read

        def keep(request, place: int) -> None:
            found[place] = np.array(request.get_output_tensor(0).data, dtype=np.float32)

        with lock:  # the requests answer one caller at a time
            queue.set_callback(keep)
            for place in range(len(images)):
                queue.start_async([images[place : place + 1]], place, share_inputs=True)
            queue.wait_all()
        return np.concatenate(found)

    return run


def _open_onnxruntime(frozen: tf.types.experimental.ConcreteFunction, question: Question) -> PredictFunction:
    import onnxruntime
    import tf2onnx

    [given], [wanted] = frozen.inputs, frozen.outputs
    model, _ = tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(),
        input_names=[given.name],
        output_names=[wanted.name],
        opset=OPSET,
        custom_op_handlers={"Erfc": (_write_erfc, [])},
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = tf.config.threading.get_intra_op_parallelism_threads()  # 0: as many as cores
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores to others
    known = {"CUDAExecutionProvider": {"use_tf32": 0}, "CPUExecutionProvider": {}}  # in full float32 on a GPU too
    providers = [(name, known[name]) for name in known if name in onnxruntime.get_available_providers()]
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
    return lambda images: session.run(None, {given.name: images})[0]


def _write_erfc(graph, node, name: str, args: list):
    """The node of the complementary error function, of GELU, as ONNX has it: 1 - erf(x)."""
    dtype = np.dtype(tf.as_dtype(node.get_attr_value("T")).as_numpy_dtype) if node.get_attr("T") else np.float32
    erf = graph.make_node("Erf", [node.input[0]]).output[0]
    one = graph.make_const(f"{name}_one", np.ones((), dtype)).output[0]
    node.type, node.domain = "Sub", ""
    graph.replace_inputs(node, [one, erf])
    return node

"""A Keras model opened to look inside: the calls of its layers, run one by one, and where their maps lie on the image.

    open_model (subclassed.py) -> trace_model (layer_graph.py) -> Layers (layer_choice.py): layouts, the default layer

What pixels and outputs mean is not known here: inputs are what the model takes, outputs what it gives. A traced model
never changes; one whose layers of the user's own making are entered too is another (`entered`).
"""

import contextlib
import functools
import math
from collections.abc import Callable, Collection, Sequence

import keras
import numpy as np
import tensorflow as tf

import constants
from network import layer_choice, layer_graph, model_reading, steadiness, tokens
from network.layer_graph import Step
from network.subclassed import open_model
from output import memory

FindUsed = Callable[..., list[Step]]  # (model, steps[, but_for, given]) -> those with whose map the output changes


def open_traced(
    model,
    shape: tuple[int, int, int],
    output_name: str | None = None,
    all_outputs: bool = False,
    batch_size: int = constants.BATCH_SIZE,
) -> "TracedModel":
    """A Keras model, traced. output_name: of several; all_outputs: without a name, all of them count.

    Raises ValueError for a model that TensorFlow makes no graph of, or whose answer is not that of one image alone, and
    before an image goes through it for one in which a batch finds no room.
    """
    (network, pick), closed = open_model(
        model, shape, lambda opened: model_reading.choose_output(opened, output_name, all_outputs)
    )
    try:
        traced = TracedModel(network, pick, shape, closed)
    except (TypeError, NotImplementedError) as error:
        reason = next(line for line in str(error).splitlines() if line and "Exception encountered" not in line)
        raise ValueError(
            f"model {model.name!r} runs as Python alone, TensorFlow makes no graph of it: {reason.strip()}"
        ) from error
    what = f"{batch_size} images inside the network {model.name!r}"
    memory.check_room(traced.estimate_bytes(batch_size), what, "--batch_size says how many at once")
    steadiness.check(traced.graph, traced.output, shape)
    return traced


class TracedModel:
    """The calls of the layers of a Keras model.

    network: the model up to the outputs that count, which `pick` takes of what it gives. shape: (H, W, channels) that
    it takes. closed: why its layers cannot be seen, or ''. opened: of `layer_graph.layers_to_open`.
    steps: the calls, in the order they run. output: the outputs that count, tensors of the graph.
    """

    def __init__(
        self, network, pick: Callable, shape: tuple[int, int, int], closed: str = "", opened: Collection[int] = ()
    ):
        self.network, self.shape, self.closed = network, shape, closed
        self._pick, self._opened = pick, opened
        self.steps, output = layer_graph.trace_model(network, tf.TensorSpec([None, *shape], tf.float32), opened)
        self.output = pick(output)

    @property
    def graph(self) -> tf.Graph:
        """That of the outputs."""
        return keras.tree.flatten(self.output)[0].graph

    def estimate_bytes(self, n: int) -> float:
        """The memory that n images take in it at least: themselves and what its largest layer gives."""
        outputs = [step.output for step in self.steps if tf.is_tensor(step.output) and step.output.shape.rank]
        shapes = [output.shape[1:] for output in outputs]
        largest = max((math.prod(shape) for shape in shapes if shape.is_fully_defined()), default=0)
        return 4 * n * (largest + math.prod(self.shape))

    @functools.cached_property
    def layers(self) -> layer_choice.Layers:
        """Those that a map can be made of."""
        return layer_choice.Layers(self.steps, self.output, self.shape)

    def run(self, inputs: tf.Tensor, call: Callable | None = None, weights: Sequence[tuple] = ()):
        """The outputs for a batch, each layer's output being what `call(path, layer, args, kwargs)` returns.

        call: None: the layer's own. weights: (variable, tensor) pairs that stand in for the layers' own.
        """

        def call_plainly(path, layer, args, kwargs):
            return layer_graph.call_layer(layer, args, kwargs)

        with keras.StatelessScope(state_mapping=weights):
            return self._pick(layer_graph.run_model(self.network, inputs, call or call_plainly, opened=self._opened))

    def run_to(self, step: Step, inputs: np.ndarray) -> np.ndarray:
        """What a layer gives, float32, of what the model takes, (n, H, W, channels)."""
        output = None

        def call(path, layer, args, kwargs):
            nonlocal output
            result = layer_graph.call_layer(layer, args, kwargs)
            output = result if path == step.path else output
            return result

        self.run(tf.constant(inputs), call)
        return np.asarray(output, dtype=np.float32)

    # --- layers -------------------------------------------------------------------------------------------------------

    def entered(self, steps: Sequence[Step]) -> "TracedModel | None":
        """This model with those of the steps' layers that hold layers entered, one level deeper; None without any."""
        closed = [step for step in steps if not self.layers.is_measured(step)]
        opened = layer_graph.layers_to_open(closed, self._opened)
        if len(opened) == len(self._opened):
            return None
        deeper = TracedModel(self.network, self._pick, self.shape, self.closed, opened)
        return deeper if deeper.steps else None  # None too of a model whose layers run out of sight

    def find_layers(self, names: Sequence[str]) -> tuple["TracedModel", list[Step]]:
        """The steps of these names or paths, and the model entered as deep as they stand; ValueError names others."""
        traced = self
        while traced is not None:
            with contextlib.suppress(ValueError):
                return traced, [traced.layers.find(name) for name in names]
            traced = traced.entered(traced.steps)
        return self, [self.layers.find(name) for name in names]  # raises, with the layers that are in plain sight

    def choose_layer(self, find_used: FindUsed) -> tuple["TracedModel", Step | None, str]:
        """The layer that is looked at by default, with the model entered as deep as it stands; or None and why."""
        traced = self
        layer, reason = traced._choose_layer(find_used)
        while layer is None and (deeper := traced.entered(traced.steps)):
            traced = deeper
            layer, reason = traced._choose_layer(find_used)
        if layer is None and (layer := traced.layers.choose_beside_code(functools.partial(find_used, traced))):
            reason = ""
        if layer is None or not traced.layout(layer).has_others:
            return traced, layer, reason
        nearer = traced._nearer_to_class_token(layer, find_used)
        behind = traced.steps[traced.steps.index(layer) + 1 :]
        if nearer is None and (deeper := traced.entered(behind)):  # the last block is a layer of the user's
            nearer = deeper._nearer_to_class_token(deeper.layers.find(layer.path), find_used)
            traced = traced if nearer is None else deeper
        return traced, nearer or layer, reason

    def _choose_layer(self, find_used: FindUsed) -> tuple[Step | None, str]:
        return self.layers.choose(functools.partial(find_used, self), self._place)

    def _nearer_to_class_token(self, layer: Step, find_used: FindUsed) -> Step | None:
        return self.layers.nearer_to_class_token(layer, functools.partial(find_used, self))

    def find_any(self, name: str) -> Step:
        """The step of that name or path, of a map (n, h, w, K) or of units (n, K); ValueError lists the choices."""
        maps = {id(step) for step in self.layers.steps}
        steps = [
            step
            for step in self.steps
            if id(step) in maps or (tf.is_tensor(step.output) and step.output.shape.rank in (2, 4))
        ]
        return layer_choice.find_layer(steps, name)

    def layout(self, step: Step, of_pieces: bool = False) -> tokens.FeatureLayout | None:
        """How a layer's output is a feature map; None for one without positions, and for one of pieces of images if
        these are asked for and come image by image, else ValueError."""
        shape, layout = tuple(step.output.shape[1:]), self._place(step)
        if layout is not None or (len(shape) != 3 and not self.layers.is_of_pieces(step)):
            return layout
        images = np.zeros((2, *self.shape), np.float32)
        before = self.run_to(step, images)
        if len(before) == 2:
            return tokens.stretched(*shape)
        images[0] = np.random.default_rng(constants.SEED).uniform(0, 255, self.shape)
        of_first, of_second = np.split(self.run_to(step, images) != before, 2)
        if not of_pieces or of_second.any() or not of_first.any():
            raise ValueError(
                f"{step.path!r} runs on pieces of images, its map would be that of a piece: name a layer by "
                "--layer_name that runs on whole images, or take a method that looks at no layer"
            )
        return None

    def _place(self, step: Step) -> tokens.FeatureLayout | None:
        """As `layout`, but None too where neither the layers before it nor a measurement tell where its map lies."""
        layout = self.layers.layout(step)
        if layout is not None or step.output.shape.rank != 4:
            return layout

        def run(inputs):
            output = self.run_to(step, inputs)
            return output if len(output) == len(inputs) else None  # else of pieces of images

        return self.layers.measure(step, run)

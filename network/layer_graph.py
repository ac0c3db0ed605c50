"""A Keras model read layer by layer, nested models included.

A backbone used as a layer of another model has no graph from the outer input to its inner layers, so the
usual `Model(model.input, inner_layer.output)` fails. Here the model is *run* instead: each layer is called
in its order, a nested Functional or Sequential model is entered rather than called, and the caller sees
every layer pass by. Nothing is rebuilt, no layer learns of a new node, the model stays as it was.

A layer's path is its name behind the names of the models around it: `resnet50/conv5_block3_out`.
"""

import functools
import inspect
import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import keras
import tensorflow as tf
from keras.src.layers.preprocessing.image_preprocessing.base_image_preprocessing_layer import (
    BaseImagePreprocessingLayer,
)
from keras.src.models.functional import Functional

BEFORE = "before_"  # and the name of a layer: what code has made in front of it
PATCHES_LAYER = "patches"  # of a model of bags of patches: what it cuts an image into


class Between(keras.layers.Layer):
    """What code between layers has made, in front of the layer that it is given to: a step of its own."""

    def call(self, tensor):
        return tf.identity(tensor)


@dataclass(frozen=True, eq=False)  # one step is another only if it is the same
class Step:
    """One call of one layer: where it stands, what went in, what came out (graph tensors), and how it was called."""

    path: str
    layer: object
    inputs: list
    output: object
    args: tuple = ()
    kwargs: dict = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


def has_graph(layer) -> bool:
    """Whether `layer` is a model whose own layers can be run one by one (not one with a `call` of its own)."""
    if isinstance(layer, keras.Sequential):
        return layer._functional is not None
    return isinstance(layer, Functional) and type(layer).call is Functional.call


def called_in_training(model, prefix: str = "") -> list[str]:
    """The paths of layers that the model calls with `training=True`.

    Keras itself runs them so in `model(images)`, and in inference in `model.predict`, which `call_layer` does.
    """
    found = []
    graph = getattr(model, "_functional", model) if has_graph(model) else None
    by_depth = getattr(graph, "_nodes_by_depth", {})
    for node in (node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]):
        path = prefix + node.operation.name
        of_images = isinstance(node.operation, BaseImagePreprocessingLayer)  # whose `training` is True unless told
        if node.arguments.kwargs.get("training") is True and not of_images:
            found.append(path)
        found += called_in_training(node.operation, path + "/")
    return list(dict.fromkeys(found))


def call_layer(layer, args: tuple, kwargs: dict):
    """The layer's output in inference mode."""
    if isinstance(layer, keras.layers.Layer) and "training" in inspect.signature(layer.call).parameters:
        kwargs = {**kwargs, "training": False}
    return layer(*args, **kwargs)


def run_model(model, images, call: Callable, prefix: str = "", opened: Collection[int] = ()):
    """The model's output for a batch, each layer's output being what `call(path, layer, args, kwargs)` returns.

    opened: of `layers_to_open`: layers that are entered as nested models are.
    """

    def enter_or_call(layer, prefix=prefix):
        path = prefix + layer.name
        if has_graph(layer):
            return lambda *args, **kwargs: run_model(layer, args[0] if args else kwargs, call, path + "/", opened)
        if id(layer) in opened:
            inside = functools.partial(enter_or_call, prefix=path + "/")
            return lambda *args, **kwargs: _run_inside(layer, args, kwargs, inside)
        return lambda *args, **kwargs: call(path, layer, args, kwargs)

    if not has_graph(model):
        if id(model) in opened:
            return _run_inside(model, (images,), {}, enter_or_call)
        return enter_or_call(model)(images)
    graph = model._functional if isinstance(model, keras.Sequential) else model
    if tf.is_tensor(images):  # as the model has its one input: `Model([images], ...)`, `Model({"image": images}, ...)`
        images = keras.tree.pack_sequence_as(graph._inputs_struct, [images])
    if not any(isinstance(tensor, keras.KerasTensor) for tensor in keras.tree.flatten(images)):
        images = graph._standardize_inputs(images)  # of a symbolic tensor it would become an operation of its own
    output = graph._run_through_graph(images, operation_fn=enter_or_call)
    outputs = keras.tree.flatten(output)
    return outputs[0] if len(outputs) == 1 else output


def trace_model(model, image_spec: tf.TensorSpec, opened: Collection[int] = ()) -> tuple[list[Step], object]:
    """The steps of the model in the order they run, and its output, traced once without computing anything.

    Where a shape does not show in the trace, one image of zeros is sent through and tells it.
    """
    steps, outputs = [], []

    def record(path, layer, args, kwargs):
        output = call_layer(layer, args, kwargs)
        tensors = [tensor for tensor in keras.tree.flatten((args, kwargs)) if tf.is_tensor(tensor)]
        steps.append(Step(path, layer, tensors, output, args, kwargs))
        return output

    def run(images):
        outputs.append(run_model(model, images, record, opened=opened))
        return outputs[0]

    tf.function(run, autograph=False).get_concrete_function(image_spec)
    tensors = [tensor for step in steps for tensor in keras.tree.flatten(step.output) if tf.is_tensor(tensor)]
    if any(None in tensor.shape[1:] for tensor in tensors if tensor.shape.rank):
        _tell_shapes(model, image_spec, opened, steps)
    return steps, outputs[0]


def _tell_shapes(model, image_spec: tf.TensorSpec, opened, steps: list[Step]) -> None:
    """Gives what goes in and out of traced steps, but for the first axis, the shapes that it has for one image."""
    position = itertools.count()

    def tell(path, layer, args, kwargs):
        output, step = call_layer(layer, args, kwargs), steps[next(position)]
        inputs = [tensor for tensor in keras.tree.flatten((args, kwargs)) if tf.is_tensor(tensor)]
        traced = [*step.inputs, *keras.tree.flatten(step.output)]
        for tensor, computed in zip(traced, [*inputs, *keras.tree.flatten(output)], strict=True):
            if tf.is_tensor(tensor) and tensor.shape.rank:
                tensor.set_shape([None, *computed.shape[1:]])
        return output

    run_model(model, tf.zeros([1, *image_spec.shape[1:]], image_spec.dtype), tell, opened=opened)


def layers_to_open(steps: Sequence[Step], opened: Collection[int]) -> set[int]:
    """`opened` and the ids of further layers, of others' making, that hold layers: a block, an encoder."""
    return set(opened) | {
        id(step.layer)
        for step in steps
        if not type(step.layer).__module__.startswith("keras.") and getattr(step.layer, "_layers", None)
    }


def _run_inside(layer, args: tuple, kwargs: dict, enter_or_call: Callable):
    """The layer's output, each of the layers that it holds being run by `enter_or_call(layer)` in its place.

    What code makes of maps or tokens in front of a layer goes through a step `before_<layer>`. While it runs, a layer
    inside has a `call` of its own; afterwards it is as it was. What stands in a `tf.function` of its own is left alone:
    its tensors are of another graph.
    """
    running, before, here = set(), [], tf.compat.v1.get_default_graph()
    of_layers = {id(value): value for value in keras.tree.flatten((args, kwargs))}  # all others code has made

    def hand_over(inner, value):
        if id(value) in of_layers or not (tf.is_tensor(value) and value.dtype.is_floating):
            return value
        if value.shape.rank not in (3, 4):
            return value
        return enter_or_call(Between(name=BEFORE + inner.name, autocast=False, dtype=value.dtype.name))(value)

    def watch(inner):
        original = inner.call

        @functools.wraps(original)
        def call(*args, **kwargs):
            if id(inner) in running or tf.compat.v1.get_default_graph() is not here:
                return original(*args, **kwargs)
            running.add(id(inner))
            try:
                output = enter_or_call(inner)(*(hand_over(inner, value) for value in args), **kwargs)
                of_layers.update((id(value), value) for value in keras.tree.flatten(output))
                return output
            finally:
                running.discard(id(inner))

        return call

    try:
        for inner in {id(inner): inner for inner in layer._layers}.values():
            before.append((inner, inner.__dict__.get("call")))
            inner.__dict__["call"] = watch(inner)
        return call_layer(layer, args, kwargs)
    finally:
        for inner, call in before:
            if call is None:
                del inner.__dict__["call"]
            else:
                inner.__dict__["call"] = call


def is_convolution(layer) -> bool:
    """Whether the layer owns a kernel that slides over positions: a weight with four axes."""
    return any(len(weight.shape) == 4 for weight in getattr(layer, "weights", ()))


def without_activation(layer):
    """A twin of the layer that shares its weights and leaves its activation out; the layer is not touched."""
    twin = object.__new__(type(layer))
    twin.__dict__.update(layer.__dict__)
    twin.__dict__["activation"] = keras.activations.linear
    return twin

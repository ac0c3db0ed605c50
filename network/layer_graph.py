"""A Keras model read layer by layer, nested models included.

A backbone used as a layer of another model has no graph from the outer input to its inner layers, so the
usual `Model(model.input, inner_layer.output)` fails. Here the model is *run* instead: each layer is called
in its order, a nested Functional or Sequential model is entered rather than called, and the caller sees
every layer pass by. Nothing is rebuilt, no layer learns of a new node, the model stays as it was.

A layer's path is its name behind the names of the models around it: `resnet50/conv5_block3_out`.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import tensorflow as tf
from keras.src.models.functional import Functional


@dataclass(frozen=True)
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


def call_layer(layer, args: tuple, kwargs: dict):
    """The layer's output in inference mode."""
    if isinstance(layer, keras.layers.Layer) and "training" in inspect.signature(layer.call).parameters:
        kwargs = {**kwargs, "training": False}
    return layer(*args, **kwargs)


def run_model(model, images, call: Callable, prefix: str = ""):
    """The model's output for a batch, each layer's output being what `call(path, layer, args, kwargs)` returns."""
    if not has_graph(model):
        return call(prefix + model.name, model, (images,), {})
    graph = model._functional if isinstance(model, keras.Sequential) else model

    def enter_or_call(layer):
        path = prefix + layer.name
        if has_graph(layer):
            return lambda *args, **kwargs: run_model(layer, args[0] if args else kwargs, call, path + "/")
        return lambda *args, **kwargs: call(path, layer, args, kwargs)

    if tf.is_tensor(images):  # as the model has its one input: `Model([images], ...)`, `Model({"image": images}, ...)`
        images = keras.tree.pack_sequence_as(graph._inputs_struct, [images])
    if not any(isinstance(tensor, keras.KerasTensor) for tensor in keras.tree.flatten(images)):
        images = graph._standardize_inputs(images)  # of a symbolic tensor it would become an operation of its own
    output = graph._run_through_graph(images, operation_fn=enter_or_call)
    outputs = keras.tree.flatten(output)
    return outputs[0] if len(outputs) == 1 else output


def trace_model(model, image_spec: tf.TensorSpec) -> tuple[list[Step], object]:
    """The steps of the model in the order they run, and its output, traced once without computing anything."""
    steps, outputs = [], []

    def record(path, layer, args, kwargs):
        output = call_layer(layer, args, kwargs)
        tensors = [tensor for tensor in keras.tree.flatten((args, kwargs)) if tf.is_tensor(tensor)]
        steps.append(Step(path, layer, tensors, output, args, kwargs))
        return output

    def run(images):
        outputs.append(run_model(model, images, record))
        return outputs[0]

    tf.function(run, autograph=False).get_concrete_function(image_spec)
    return steps, outputs[0]


def is_convolution(layer) -> bool:
    """Whether the layer owns a kernel that slides over positions: a weight with four axes."""
    return any(len(weight.shape) == 4 for weight in getattr(layer, "weights", ()))


def without_activation(layer):
    """A twin of the layer that shares its weights and leaves its activation out; the layer is not touched."""
    twin = object.__new__(type(layer))
    twin.__dict__.update(layer.__dict__)
    twin.__dict__["activation"] = keras.activations.linear
    return twin

"""A network filled from a file that holds weights alone: the file says which numbers, the name says of what.

How many classes it tells apart is read off the file: it is the one number in which the shapes of its weights may
differ from those of the named network. Anything else that differs is another network, and refused; so is one whose
layers have other names, for shapes alone do not tell what stands behind what.
"""

import contextlib
import math
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import h5py
import keras
import numpy as np
from keras.src.utils.naming import to_snake_case

import constants
from network import zoo
from network.demo_network import build_demo_network

IMAGENET_CLASSES = 1000
MAX_EXPANSION = 100  # times as large as in the file: weights hardly shrink, more is made to fill a disk or the memory


def build_filled(model_name: str, path: str | Path) -> keras.Model:
    """The network of that name, filled with the weights of an HDF5 file, which was saved with its classes.

    Its last layer is that of `keras.applications`, or one dense layer behind the mean over positions, as `train.py`
    puts it: whichever has the shapes and the names of layers in the file (older files tell no names). ValueError for a
    file that does not fit, saying what differs.
    """
    shapes, names, filled, differences = read_shapes(path), read_names(path), [], []
    builders = [_build_whole, _build_with_dense_layer]
    for build in builders[model_name == constants.MODEL_NAME_DEMO :]:
        template = build(model_name, IMAGENET_CLASSES)
        n_classes = _find_n_classes(shapes, _shapes_of(template))
        missing = sorted(_given_names(template) - names) if names else []
        if n_classes is None or missing:
            misfit = _tell_difference(shapes, _shapes_of(template))
            differences.append(misfit if n_classes is None else f"none of its layers is called {missing[0]!r}")
            continue
        with bounded_by(path):
            model = template if n_classes == IMAGENET_CLASSES else build(model_name, n_classes)
        fill(model, path)
        if names:
            return model
        filled.append(model)
    if filled and _agree(filled, constants.ZOO[model_name][2] if model_name in constants.ZOO else None):
        return filled[0]
    if filled:
        differences = ["it does not tell its layers' names, and fits two networks that give other numbers"]
    raise ValueError(
        f"{str(path)!r} holds weights of another network than {model_name}: {differences[0]}; save the whole model by "
        "model.save('model.keras')"
    )


def fill(model: keras.Model, path: str | Path) -> None:
    """Loads the weights of an HDF5 file of either of Keras's layouts, whatever its ending; Keras says what is amiss."""
    path = Path(path)
    ending = ".h5" if is_legacy(path) else ".weights.h5"  # by which Keras tells the two apart
    if path.name.endswith(ending) and path.name.endswith(".weights.h5") == (ending == ".weights.h5"):
        model.load_weights(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"copy{ending}"
        shutil.copy(path, copy)
        model.load_weights(copy)


@contextlib.contextmanager
def bounded_by(path: str | Path) -> Iterator[None]:
    """Within it no layer makes more weights than an HDF5 file can fill; ValueError names the first that would.

    A damaged number of units or filters asks for any size, and a system without memory ends the process wordlessly.
    """
    n_bytes, n_made, add_weight = Path(path).stat().st_size, 0, keras.Layer.add_weight
    n_named = sum(math.prod(shape) * number for shape, number in read_shapes(path).items())
    limit = max(n_bytes, min(n_named, MAX_EXPANSION * n_bytes))  # numbers of one byte, and those of a packed file

    def add_bounded(layer, shape=None, *args, **kwargs):
        nonlocal n_made
        sides = [side for side in shape or () if isinstance(side, int)]  # of others Keras says what is wrong
        n_made += math.prod(sides)
        if n_made > limit:
            size = " x ".join(f"{side:,}" for side in sides)
            raise ValueError(
                f"layer {layer.name!r} wants weights of {size}, {n_made:,} numbers with those before it, and the "
                f"file has {n_bytes:,} bytes of weights: it is damaged"
            )
        return add_weight(layer, shape, *args, **kwargs)

    keras.Layer.add_weight = add_bounded  # Keras asks nobody before it makes a weight
    try:
        yield
    finally:
        keras.Layer.add_weight = add_weight


def is_legacy(path: str | Path) -> bool:
    """Whether the weights stand layer by layer, as tf.keras 2 and `model.save('x.h5')` write them."""
    with h5py.File(path, "r") as file:
        return bool({"layer_names", "layer_names0"} & set(file.attrs)) or "model_weights" in file


def read_shapes(path: str | Path) -> Counter:
    """How many weights of which shape an HDF5 file holds."""
    shapes = Counter()

    def count(name, item):  # not what Keras counts for layers of chance, nor an optimizer's state
        if isinstance(item, h5py.Dataset) and "seed_generator" not in name and not name.startswith("optimizer"):
            shapes[item.shape] += 1

    with h5py.File(path, "r") as file:
        file.visititems(count)
    return shapes


def read_names(path: str | Path) -> set[str]:
    """The names of the layers whose weights an HDF5 file holds, in either of Keras's layouts."""
    names = set()
    with h5py.File(path, "r") as file:
        file.visititems(lambda _, item: names.add(item.attrs.get("name")))
        for key in file.attrs:
            if key.startswith("layer_names"):  # in several attributes where they are many
                names.update(file.attrs[key])
    return {name.decode() if isinstance(name, bytes) else name for name in names if name is not None}


def _given_names(model: keras.Model) -> set[str]:
    """The names of the model's layers with weights, without those that Keras counts up ('dense_3')."""
    named = [layer for layer in model.layers if layer.weights]
    return {
        layer.name for layer in named if not re.fullmatch(rf"{to_snake_case(type(layer).__name__)}(_\d+)?", layer.name)
    }


def _agree(models: list[keras.Model], side: int | None) -> bool:
    """Whether the models give the same for an image of noise, of that side where they take any."""
    shape = [1, *(size or side for size in models[0].input_shape[1:])]
    image = np.random.default_rng(constants.SEED).uniform(-1, 1, shape).astype(np.float32)
    outputs = [keras.ops.convert_to_numpy(model(image, training=False)) for model in models]
    return all(np.allclose(output, outputs[0], atol=1e-5) for output in outputs)


def _shapes_of(model: keras.Model) -> Counter:
    return Counter(tuple(weight.shape) for weight in model.weights if "seed_generator" not in weight.path)


def _build_whole(model_name: str, n_classes: int) -> keras.Model:
    return zoo.build(model_name, weights=None, classes=n_classes)


def _build_with_dense_layer(model_name: str, n_classes: int) -> keras.Model:
    if model_name == constants.MODEL_NAME_DEMO:
        backbone = build_demo_network()
    else:
        side = constants.ZOO[model_name][2]
        backbone = zoo.build(model_name, weights=None, include_top=False, input_shape=(side, side, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
    return keras.Model(backbone.input, keras.layers.Dense(n_classes, "softmax")(pooled), name=model_name)


def _find_n_classes(found: Counter, wanted: Counter) -> int | None:
    """The number of classes with which the shapes found are those wanted for IMAGENET_CLASSES; None: with none."""
    if found == wanted:
        return IMAGENET_CLASSES
    more, fewer = sorted((found - wanted).elements()), sorted((wanted - found).elements())
    n_classes = next((shape[0] for shape in more if len(shape) == 1), None)
    changed = [(*shape[:-1], n_classes) for shape in fewer if shape and shape[-1] == IMAGENET_CLASSES]
    return n_classes if len(changed) == len(fewer) and sorted(changed) == more else None


def _tell_difference(found: Counter, wanted: Counter) -> str:
    more, fewer = sorted((found - wanted).elements(), key=len), sorted((wanted - found).elements(), key=len)
    texts = [
        f"it has {found.total()} weights, {wanted.total()} were wanted",
        f"one of shape {more[-1]} too many" if more else "",
        f"none of shape {fewer[-1]}" if fewer else "",
    ]
    return ", ".join(filter(None, texts))

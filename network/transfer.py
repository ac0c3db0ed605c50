"""From a network that has learnt something to one with a new head (Yosinski et al. 2014; the lab's first part).

    backbone, up to its last feature map (h, w, K)
        -> mean over positions (K) -> dropout -> dense layer with softmax (C), or sigmoid for several classes an image

A mean and one dense layer, and not the dense layers of VGG: it is small enough for some hundred images, and CAM
(Zhou et al. 2016) is exact for it. The layers of the backbone become layers of the new model, nested or not as
they were, so that any of them can be asked for by its name.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import keras

import constants
from network import file_kinds, layer_graph, model_files, weight_files, zoo
from network.classifier import Classifier
from network.demo_network import build_demo_network
from utils import find_model_name

FINE_TUNED_SHARE = 0.2  # of the layers with weights, where the backbone's last block is not known by name

POOLING_LAYER, HEAD_LAYER = "head_pooling", "head_predictions"


@dataclass(frozen=True)
class Backbone:
    """A network without its head, and how images are made ready for it."""

    model: keras.Model  # preprocessed images (n, H, W, 3) -> features (n, h, w, K)
    model_name: str | None
    preprocessing: str  # one of `constants.PREPROCESSING`
    input_size: tuple[int, int]  # H, W in pixels


def load_backbone(model_name: str | None, weights: str, side: int | None = None) -> Backbone:
    """The network of that name without its head.

    side: of its images in pixels, None: the network's own; of a file it is the file's.

    weights: 'imagenet', as `keras.applications` downloads and keeps them; 'none', drawn from Keras's seed; or the
    path of a weights file of that network (.weights.h5, .h5), with or without its head, or of a whole saved model
    (.keras, .h5), whatever its layers; model_name may then be None if the file carries it.
    Raises ValueError for an unknown name, a missing file, or one that does not fit.
    """
    model_name = model_name and find_model_name(model_name)
    if weights in ("imagenet", "none"):
        return _build(model_name, None if weights == "none" else weights, side=side)
    if side:
        raise ValueError(f"input_size: the size of images is that of the file '{weights}'; leave it out")
    path = Path(weights)
    if not path.exists():
        raise ValueError(f"weights: 'imagenet', 'none' or a file was wanted; there is no file '{path}'")
    if file_kinds.tell_kind(path) != file_kinds.WEIGHTS:
        return cut_head(model_files.load_model(path), model_name, model_files.read_settings(path))
    return _load_weights(model_name, path)


def _build(model_name: str | None, weights: str | None, include_top: bool = False, side: int | None = None) -> Backbone:
    if model_name == constants.MODEL_NAME_DEMO:
        if weights is not None:
            raise ValueError(f"there are no ImageNet weights of {model_name}; give --weights=none or a file")
        side = side or constants.DEMO_INPUT_SIZE
        return Backbone(build_demo_network(side), model_name, constants.DEMO_PREPROCESSING, (side, side))
    _, preprocessing, usual_side, last_layer, _ = constants.ZOO[model_name]
    side = side or usual_side
    try:
        model = zoo.build(model_name, weights=weights, include_top=include_top, input_shape=(side, side, 3))
    except zoo.NoWeights:
        raise
    except Exception as error:  # no network, a proxy, a full disk: the download says what it says
        if weights is None:  # nothing was to be downloaded
            raise ValueError(f"cannot build {model_name} for images of {side} x {side} pixels: {error}") from error
        raise ValueError(
            f"cannot get the ImageNet weights of {model_name}: {error}. They are downloaded once; without a network "
            "give --weights=none or a file"
        ) from error
    if not include_top:
        model = keras.Model(model.input, model.get_layer(last_layer).output if last_layer else model.output)
    return Backbone(model, model_name, preprocessing, (side, side))


def _load_weights(model_name: str | None, path: Path) -> Backbone:
    """The network with the weights of a file, which was saved with its head or without."""
    if model_name is None:
        raise ValueError(f"weights: '{path}' holds weights alone; --model_name tells the network they are of")
    reasons = []
    for include_top in (True, False) if model_name in constants.ZOO else (False,):
        backbone = _build(model_name, None, include_top)
        try:
            weight_files.fill(backbone.model, path)
        except Exception as error:  # Keras raises whatever it stumbles on
            reasons.append(str(error).strip().splitlines()[0])
            continue
        return cut_head(backbone.model, model_name, {}) if include_top else backbone
    raise ValueError(f"weights: '{path}' does not fit {model_name}: {reasons[-1]}")


def cut_head(model: keras.Model, model_name: str | None, settings: dict) -> Backbone:
    """The model up to its last feature map, as a flat model that shares its layers.

    settings: those kept with the model file (`model_files.read_settings`). Preprocessing and input size are the
    classifier's: of the settings, else of `model_name`, else none. Raises ValueError for a model without a
    feature map or with other images than RGB.
    """
    kept = {key: settings[key] for key in ("preprocessing", "input_size") if key in settings}
    model_name = model_name or settings.get("model_name")
    classifier = Classifier(model, model_name, **kept)
    classifier.require_layer()
    size = (classifier.input_height, classifier.input_width)
    images = keras.Input((*size, 3), name="images")
    features = None

    def call(path, layer, args, kwargs):
        nonlocal features
        if features is not None:  # the head: left behind
            return args[0]
        output = layer(*args, **kwargs)
        features = output if path == classifier.layer_name else None
        return output

    try:
        named = images  # or as the model names its input: `Model([images], ...)`, `Model({"image": images}, ...)`
        if not isinstance(model, keras.Sequential):
            named = keras.tree.pack_sequence_as(model.input, [images])
        layer_graph.run_model(model, named, call)
        backbone = keras.Model(images, features)
    except (ValueError, TypeError) as error:  # gray images; two layers of one name; a `call` of its own
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"cannot cut the head off model '{model.name}': {reason}") from error
    return Backbone(backbone, model_name, classifier.preprocessing, size)


def add_head(backbone: Backbone, n_classes: int, seed: int, activation: str = "softmax") -> keras.Model:
    """The backbone with a new head: probabilities (n, C) by softmax or sigmoid. Its weights come from the seed."""
    x = keras.layers.GlobalAveragePooling2D(name=POOLING_LAYER)(backbone.model.output)
    x = keras.layers.Dropout(constants.DROPOUT, seed=seed, name="head_dropout")(x)
    draw = keras.initializers.GlorotUniform(seed=seed)
    x = keras.layers.Dense(n_classes, activation, kernel_initializer=draw, name=HEAD_LAYER)(x)
    return keras.Model(backbone.model.input, x, name=backbone.model_name)


def without_optimiser(model: keras.Model) -> keras.Model:
    """The same layers as a model that was never compiled: its file holds a third."""
    return keras.Model(model.input, model.output, name=model.name)


def build_head(model: keras.Model, seed: int) -> keras.Model:
    """A model of the head alone, pooled features (n, K) to probabilities (n, C), with the head's weights."""
    dense = model.get_layer(HEAD_LAYER)
    features = keras.Input((dense.kernel.shape[0],))
    x = keras.layers.Dropout(constants.DROPOUT, seed=seed)(features)
    head = keras.Model(features, keras.layers.Dense(dense.units, dense.activation, name=HEAD_LAYER)(x))
    head.set_weights(dense.get_weights())
    return head


def choose_first_layer(backbone: Backbone, wanted: str | None) -> str:
    """The name of the layer from which fine-tuning starts.

    wanted: None for the last block of the zoo's network, or, in another, the last FINE_TUNED_SHARE of the layers
    that have weights. Raises ValueError for a layer that is not there, or none of whose followers has weights.
    """
    names = [layer.name for layer in backbone.model.layers]
    with_weights = [layer.name for layer in backbone.model.layers if layer.weights]
    if wanted is None:
        usual = constants.ZOO[backbone.model_name][4] if backbone.model_name in constants.ZOO else None
        return usual if usual in names else with_weights[-max(1, round(FINE_TUNED_SHARE * len(with_weights)))]
    if wanted not in names:
        raise ValueError(f"fine_tune_from: no layer '{wanted}'; among its last: {', '.join(with_weights[-30:])}")
    if not set(names[names.index(wanted) :]) & set(with_weights):
        raise ValueError(f"fine_tune_from: no layer with weights from '{wanted}' on; the last is '{with_weights[-1]}'")
    return wanted


def set_trained_layers(model: keras.Model, first_layer: str | None) -> None:
    """Makes the layers from `first_layer` on trainable (None: all of them), and the ones before it not.

    In fine-tuning batch norms stay as they are: their statistics of few images would be worse than the old ones.
    """
    reached = first_layer is None
    for layer in model.layers:
        reached = reached or layer.name == first_layer
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = reached and not (is_norm and first_layer is not None)


def set_sparsity(model: keras.Model, strength: float) -> None:
    """Adds `strength` times the mean magnitude of the model's features to the loss it is trained with; 0: no more."""
    *_, features, _, _, _ = model.layers  # before pooling, dropout and the dense layer
    n_features = math.prod(features.output.shape[1:])
    features.activity_regularizer = keras.regularizers.L1(strength / n_features) if strength else None

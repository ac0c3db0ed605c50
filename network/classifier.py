"""A Keras classifier as the explainers need it: RGB 0-255 in, features, logits and probabilities out.

The only module that knows a Keras model. `Classifier` takes the model as it is - Functional, Sequential,
nested, ending in a softmax, a sigmoid, one sigmoid unit or logits - and never changes it:

    preprocess -> the model, layer by layer (layer_graph.py) -> features of the chosen layer, logits
    probabilities = softmax(logits), or sigmoid(logits) for multi-label and one-unit models

Batch norms are folded into the convolutions before them (folding.py) and every question becomes one compiled
graph, made once and kept. A model that is trained further needs a new Classifier.
"""

import collections
import contextlib
import copy
import functools
import itertools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import constants
from data.class_names import find_class_index
from network import batch_norm_folding as folding
from network import layer_graph, model_reading, node_scores


def preprocess(images: tf.Tensor, preprocessing: str) -> tf.Tensor:
    """RGB 0-255 (n, H, W, 3) as the network was trained on it; the modes are those of `keras.applications`."""
    if preprocessing == "caffe":
        return images[..., ::-1] - tf.constant(constants.CAFFE_MEAN_BGR)
    if preprocessing == "tf":
        return images / 127.5 - 1.0
    if preprocessing == "torch":
        mean, std = tf.constant(constants.TORCH_MEAN_RGB), tf.constant(constants.TORCH_STD_RGB)
        return (images / 255.0 - mean) / std
    return images


@contextlib.contextmanager
def _arithmetic(precision: str):
    """Within it, compiled graphs run in `precision` where the processor can (TensorFlow's own rewriting)."""
    option = "auto_mixed_precision_onednn_bfloat16"
    if precision == "float32":
        yield
        return
    tf.config.optimizer.set_experimental_options({option: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({option: False})


class Classifier:
    """A Keras model with its preprocessing, its score and one layer chosen to look at.

    model: a built Keras model with one RGB (or one-channel) input and one output of classes; not changed.
    model_name: a name of constants.ZOO: fixes preprocessing, input size and layer. None: raw 0-255 pixels.
    class_names, class_ids: C names, and C further identifiers (WordNet ids) or None.
    layer_name: the layer CAM methods look at, by name or path; several by commas, whose maps are averaged; None:
        the last with a feature map.
    preprocessing, input_size: of a saved model that carries them; None: from `model_name`.
    Raises ValueError for a model that cannot be explained, saying what was found and what the choices are.
    """

    def __init__(
        self,
        model,
        model_name: str | None = None,
        *,
        class_names=None,
        class_ids=None,
        layer_name: str | None = None,
        preprocessing: str | None = None,
        input_size: tuple[int, int] | None = None,
        precision: str = "float32",
        batch_size: int = constants.BATCH_SIZE,
    ):
        zoo = constants.ZOO.get(model_name)
        if model_name is not None and zoo is None and model_name != constants.MODEL_NAME_DEMO:
            choices = ", ".join([*constants.ZOO, constants.MODEL_NAME_DEMO])
            raise ValueError(f"unknown model_name {model_name!r}; choose one of: {choices}")
        if precision not in constants.PRECISIONS:
            raise ValueError(f"precision should be one of {constants.PRECISIONS}, not {precision!r}")
        self.model, self.model_name = model, model_name
        self.precision, self.batch_size = precision, batch_size
        model_reading.check_weights(model)
        side = zoo[2] if zoo else constants.INPUT_SIZE
        shape = model_reading.read_input_shape(model, *(input_size or (side, side)))
        self.input_height, self.input_width, self._channels = shape
        self.image_spec = tf.TensorSpec([None, self.input_height, self.input_width, 3], tf.float32)
        self._steps, output = layer_graph.trace_model(model, tf.TensorSpec([None, *shape], tf.float32))
        self._n_outputs = model_reading.read_n_outputs(model, output)
        probe = np.random.default_rng(constants.SEED).uniform(0, 255, (8, *shape))
        probe = (probe * np.linspace(0, 1, 8)[:, None, None, None]).astype(np.float32)  # from black to bright
        self.score = model_reading.find_score(model, self._steps, output, probe)
        self.n_classes = 2 if self.score.one_unit else self._n_outputs
        self.n_relus = model_reading.count_relus(output.graph)
        self.own_preprocessing = model_reading.preprocesses_itself(self._steps)
        self.preprocessing = preprocessing or ("none" if zoo is None or self.own_preprocessing else zoo[1])
        self._feature_steps = layer_graph.feature_map_steps(self._steps)
        wanted = layer_name.split(",") if layer_name else [None]
        usual = zoo[3] if zoo else None
        layers = [model_reading.choose_layer(self._feature_steps, name and name.strip(), usual) for name in wanted]
        self.class_ids = self._check_names(class_ids, "class_ids")
        names = self._check_names(class_names, "class_names")
        self.class_names = names or [f"class_{index}" for index in range(self.n_classes)]
        self.level = None  # of labels, whose nodes are the classes; see `at_level`
        self.counts = collections.Counter()  # 'passes': images sent forward by compiled graphs, of all views
        self._look_at(layers[0])
        # Several layers are several classifiers that share all but the layer they look at.
        self.views = [self] if len(layers) == 1 else [copy.copy(self)._look_at(layer) for layer in layers]

    def view(self, layer_name: str) -> "Classifier":
        """This classifier looking at another layer, by name or path: any of a map (n, h, w, K) or of units (n, K)."""
        steps = [step for step in self._steps if tf.is_tensor(step.output) and step.output.shape.rank in (2, 4)]
        return copy.copy(self)._look_at(model_reading.choose_layer(steps, layer_name, None))

    def _look_at(self, layer) -> "Classifier":
        self._layer, self._compiled = layer, {}
        self._folded = folding.fold_batch_norms(self._steps, keep=[self.layer_name])
        self.views = [self]
        return self

    def at_level(self, level) -> "Classifier":
        """This classifier with the nodes of a label level as its classes: the same features, logits and probabilities
        mapped (node_scores.py), so that every explainer and judge takes it as it is.

        level: a `taxonomy.Level` over these classes. ValueError for a model, or a level, without such scores.
        """
        node_scores.check_score(self.score)
        node_scores.check_nodes(level.name, level.class_names)

        def read(classifier: Classifier) -> Classifier:
            twin = copy.copy(classifier)
            twin.level, twin.n_classes, twin._compiled = level, len(level.class_names), {}
            twin.class_names, twin.class_ids, twin.views = list(level.class_names), None, [twin]
            return twin

        twin = read(self)
        if len(self.views) > 1:
            twin.views = [read(view) for view in self.views]
        return twin

    # --- what it answers ---------------------------------------------------------------------------------

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities (n, C), float32, of RGB images 0-255 (n, H, W, 3) at the model's input size."""
        predict = self.compiled("probabilities", lambda images: self.probabilities(self.forward(images)[1]))
        images = np.asarray(images, dtype=np.float32)
        if images.shape[1:] != tuple(self.image_spec.shape[1:]) or not len(images):
            raise ValueError(f"images (n, H, W, 3) = {self.image_spec.shape} are wanted, not {images.shape}")
        with _arithmetic(self.precision):
            batches = range(0, len(images), self.batch_size)
            return np.concatenate([predict(images[i : i + self.batch_size]).numpy() for i in batches])

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits (n, C), float32, of RGB images 0-255 (n, H, W, 3)."""
        logits = self.compiled("logits", lambda images: self.forward(images)[1])
        batches = range(0, len(images), self.batch_size)
        return np.concatenate([logits(images[i : i + self.batch_size]).numpy() for i in batches])

    def features(self, images: np.ndarray) -> np.ndarray:
        """Features (n, h, w, K), float32, of the chosen layer for one batch of RGB images 0-255."""
        self.require_layer()
        features = self.compiled("features", lambda images: tf.cast(self.forward(images)[0], tf.float32))
        return features(images).numpy()

    def features_by_layer(self, images: np.ndarray) -> list[np.ndarray]:
        """Features (n, h, w, K), float32, of the layer of each of `views`, for one batch, from one forward pass."""
        self.require_layer()
        paths = [view.layer_name for view in self.views]

        def run(images):
            outputs, whole = {}, copy.copy(self)
            with tf.init_scope():  # no batch norm is folded into any of these layers
                whole._folded = folding.fold_batch_norms(self._steps, keep=paths)

            def call(path, layer, args, kwargs):
                outputs[path] = whole._call_layer(path, layer, args, kwargs)
                return outputs[path]

            whole._run(images, call)
            return [tf.cast(outputs[path], tf.float32) for path in paths]

        features = self.compiled("features by layer", run)
        with _arithmetic(self.precision):
            return [output.numpy() for output in features(images)]

    def forward(self, images: tf.Tensor, watch: Callable | None = None) -> tuple[tf.Tensor | None, tf.Tensor]:
        """Features (n, h, w, K) of the chosen layer (None where there is none) and logits (n, C), as tensors.

        `watch`, a `tf.GradientTape.watch`, is given the features on their way, before the rest of the network
        runs on them: the tape then records the layers behind the chosen one and no others.
        """
        features = None

        def call(path, layer, args, kwargs):
            nonlocal features
            output = self._call_layer(path, layer, args, kwargs)
            if path == self.layer_name:
                features = output
                if watch is not None:
                    watch(features)
            return output

        logits = self._run(images, call)
        return features, logits

    def layer_inputs(self, images: tf.Tensor) -> tf.Tensor:
        """What reaches the chosen layer, (n, h, w, C), of RGB images 0-255."""
        self.require_layer()
        inputs = None

        def call(path, layer, args, kwargs):
            nonlocal inputs
            if path == self.layer_name:
                inputs = args[0]
            return self._call_layer(path, layer, args, kwargs)

        self._run(images, call)
        return inputs

    def split(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, Callable]:
        """Features (n, h, w, K), what of them reaches the first layer that mixes channels, (n, ..., K), and the rest
        of the network: a function of c changed copies per image, (n * c, ..., K), to logits (n * c, C)."""
        outputs = []  # by the order of the calls: a layer that is used twice has one path and two outputs

        def record(path, layer, args, kwargs):
            outputs.append(self._call_layer(path, layer, args, kwargs))
            return outputs[-1]

        self._run(images, record)
        features, cut = model_reading.find_channel_mixing(self._steps, self._layer)

        def rest(head):
            n_copies = tf.shape(head)[0] // tf.shape(images)[0]
            calls = itertools.count()

            def call(path, layer, args, kwargs):
                position = next(calls)
                if position == cut:
                    return head
                if position < cut:  # a way around the features: the same for every copy
                    return keras.tree.map_structure(
                        lambda tensor: tf.repeat(tensor, n_copies, axis=0), outputs[position]
                    )
                return self._call_layer(path, layer, args, kwargs)

            return self._run(images, call)

        return outputs[features], outputs[cut], rest

    def _call_layer(self, path: str, layer, args: tuple, kwargs: dict):
        if path == self.score.path:  # stop short of the softmax or sigmoid
            layer = self.score.layer
        if path in self._folded.summands:
            return self._folded.call_batch_norm(path, args[0])
        if layer is None:
            return args[0]
        return layer_graph.call_layer(layer, args, kwargs)

    def _run(self, images: tf.Tensor, call: Callable) -> tf.Tensor:
        """Logits (n, C), each layer's output being what `call` returns."""
        inputs = preprocess(images, self.preprocessing)
        if self._channels == 1:
            inputs = tf.image.rgb_to_grayscale(inputs)
        with keras.StatelessScope(state_mapping=self._folded.weights):
            output = layer_graph.run_model(self.model, inputs, call)
        logits = tf.reshape(tf.cast(output, tf.float32), [-1, self._n_outputs])
        if self.score.hides_logits:
            probabilities = tf.clip_by_value(logits, 1e-12, 1 - 1e-7)
            logits = tf.math.log(probabilities)
            if self.score.function == model_reading.SIGMOID:
                logits -= tf.math.log1p(-probabilities)
        if self.score.one_unit:  # both sides of a yes-or-no question can be explained
            logits = tf.concat([-logits, logits], axis=1)
        if self.level is not None:
            logits = node_scores.node_logits(logits, self.level.node_of, self.n_classes)
        return logits

    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Probabilities (n, C) of logits (n, C), by the model's own score function."""
        is_softmax = self.score.function == model_reading.SOFTMAX and self.level is None  # nodes have log-odds
        return tf.nn.softmax(logits) if is_softmax else tf.sigmoid(logits)

    def compiled(self, key, function: Callable) -> Callable:
        """`function(images[, class_index])` as one compiled graph, traced once per `key`."""
        if key not in self._compiled:
            specs = (self.image_spec, tf.TensorSpec([None], tf.int32))[: function.__code__.co_argcount]
            self._compiled[key] = tf.function(function, input_signature=specs, autograph=False)
        graph = self._compiled[key]

        def counted(images, *class_index):
            self.counts["passes"] += len(images)
            return graph(images, *class_index)

        return counted

    def require_layer(self):
        """Raises ValueError if the model has no layer with a feature map."""
        if self._layer is None:
            layers = ", ".join(step.path for step in self._steps)
            raise ValueError(f"a layer with a feature map (n, h, w, K) is needed; the model has: {layers}")

    def anew(self) -> "Classifier":
        """A classifier of the model as it is now, asked alike: for weights that have changed since."""
        return Classifier(
            self.model,
            self.model_name,
            class_names=self.class_names,
            class_ids=self.class_ids,
            layer_name=",".join(view.layer_name for view in self.views if view.layer_name) or None,
            preprocessing=self.preprocessing,
            input_size=(self.input_height, self.input_width),
            precision=self.precision,
            batch_size=self.batch_size,
        )

    # --- what it is --------------------------------------------------------------------------------------

    @property
    def steps(self) -> list[layer_graph.Step]:
        """The calls of the model's layers, in the order they run."""
        return self._steps

    @property
    def layer_name(self) -> str | None:
        """The path of the layer that CAM methods look at; None for a model without a feature map."""
        return None if self._layer is None else self._layer.path

    def find_step(self, name: str) -> layer_graph.Step | None:
        """The last call of a layer of that name; None if the model has none."""
        return next((step for step in reversed(self._steps) if step.name == name), None)

    def dense_weights(self) -> np.ndarray:
        """Weights (K, C) of the one dense layer behind the mean of the chosen layer's features, or ValueError."""
        self.require_layer()
        if self.level is not None:
            raise ValueError(
                f"a class of label level '{self.level.name}' has no weights of its own in the dense layer: its score "
                "is no weighted sum of the features"
            )
        weights = model_reading.read_dense_weights(self._steps, self._layer)
        return np.concatenate([-weights, weights], axis=1) if self.score.one_unit else weights

    def kernel(self) -> np.ndarray | None:
        """The chosen layer's own kernel (h, w, inputs, filters), no batch norm folded in; None of no convolution."""
        self.require_layer()
        return model_reading.read_kernel(self._layer.layer)

    @functools.cached_property
    def fingerprint(self) -> str:
        """A short text that tells these weights from others."""
        return model_reading.fingerprint(self.model)

    @property
    def layer_names(self) -> list[str]:
        """The paths of the layers that could be chosen, in the order they run."""
        return [step.path for step in self._feature_steps]

    def describe(self) -> dict:
        """What was chosen, in words: layer and its shape, score, preprocessing, input size, precision."""
        shapes = [" x ".join(map(str, view._layer.output.shape[1:])) for view in self.views if view._layer]
        itself = self.own_preprocessing and self.preprocessing == "none"
        level = {} if self.level is None else {"label_level": self.level.describe()}
        return {
            "model_name": self.model_name or self.model.name,
            "layer": ", ".join(view.layer_name or "none with a feature map" for view in self.views),
            "layer_shape": ", ".join(shapes),
            "score": self.score.function + " of one unit" * self.score.one_unit,
            **level,
            "preprocessing": "in the model itself" if itself else constants.PREPROCESSING[self.preprocessing],
            "input_size": f"{self.input_height} x {self.input_width}",
            "n_classes": self.n_classes,
            "precision": self.precision,
        }

    @functools.cached_property
    def mean_colour(self) -> tuple[float, float, float]:
        """The RGB 0-255 that the preprocessing, in the model or before it, makes 0; black if there is no such colour.

        Measured at the input of the first convolution, on images of one colour each.
        """
        seen = {}

        def call(path, layer, args, kwargs):
            if layer_graph.is_convolution(layer):
                seen.setdefault("pixels", args[0])
            return self._call_layer(path, layer, args, kwargs)

        colours = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (80, 130, 200)], np.float32)
        size = self.input_height, self.input_width
        images = np.broadcast_to(colours[:, None, None], (len(colours), *size, 3))
        self._run(tf.constant(images), call)
        pixels = seen.get("pixels")
        if pixels is None or pixels.shape.rank != 4 or len(pixels) != len(colours):
            return (0.0, 0.0, 0.0)
        values = pixels.numpy()[:, pixels.shape[1] // 2, pixels.shape[2] // 2].astype(np.float64)  # off the padding
        black, slopes = values[0], (values[1:4] - values[0]) / 255
        if len(black) == 3:
            colour = np.linalg.lstsq(slopes.T, -black, rcond=None)[0]
        else:  # one channel of grey
            grey = slopes.sum(axis=0)
            colour = np.full(3, -(grey @ black) / max(grey @ grey, np.finfo(np.float64).tiny))
        scale = max(np.abs(values).max(), np.finfo(np.float64).tiny)
        is_linear = np.abs(black + colours[4] @ slopes - values[4]).max() < 1e-3 * scale
        is_nothing = np.abs(black + colour @ slopes).max() < 1e-3 * scale
        if not (is_linear and is_nothing and (colour > -0.5).all() and (colour < 255.5).all()):
            return (0.0, 0.0, 0.0)
        return tuple(np.clip(np.round(colour, 3), 0, 255).tolist())

    def class_index_of(self, wanted: str | int) -> int:
        """The index of a class given by index, name or identifier; ValueError lists the choices."""
        return find_class_index(wanted, self.class_names, self.class_ids)

    def _check_names(self, names, what: str) -> list[str] | None:
        if names is not None and len(names) != self.n_classes:
            raise ValueError(f"{what} should hold the model's {self.n_classes} classes; {len(names)} were given")
        return None if names is None else list(names)

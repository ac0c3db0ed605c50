"""A Keras classifier as the explainers need it: RGB 0-255 in, features, logits and probabilities out.

`Classifier` takes the model as it is - Functional, Sequential, nested, ending in a softmax, a sigmoid, one sigmoid unit
or logits - and never changes it:

    preprocessing.py -> the model, layer by layer (traced_model.py) -> features of the chosen layer, outputs
    scores.py: outputs -> logits -> probabilities

Batch norms are folded into the convolutions before them (batch_norm_folding.py) and every question becomes one
compiled graph, made once and kept until the folded weights change. Another layer, label level, target or shift of the
pixels is a view: a classifier of the same traced model, with graphs of its own.
"""

import collections
import contextlib
import copy
import functools
import itertools
from collections.abc import Callable, Hashable, Iterable, Sequence

import keras
import ml_dtypes
import numpy as np
import tensorflow as tf

import constants
from data.class_names import find_class_index
from network import batch_norm_folding, cam_head, engines, layer_graph, model_reading, node_scores
from network.layer_graph import Step
from network.preprocessing import (
    OWN,
    Preprocessing,
    apply_own,
    doubt_probabilities,
    find_preprocessing,
    own_preprocessor,
    prepare,
)
from network.relus import find_relus
from network.scores import LOGITS, NONE, Score, choose_loss, find_score
from network.shared_answers import SharedAnswers
from network.tokens import FeatureLayout
from network.traced_model import TracedModel, open_traced
from utils import find_model_name, in_batches

INPUT_SIZE = 224  # side in pixels, where neither the model nor its name says

TargetFunction = Callable  # what the model gives for n images -> a number for each, (n,)


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


def _name_target(target: TargetFunction) -> list[str]:
    return [getattr(target, "__name__", "target")]


class Classifier:
    """A Keras model with its preprocessing, its score and one layer chosen to look at.

    model: a built Keras model with one RGB (or one-channel) input and one output of classes; not changed.
    model_name: a name of constants.ZOO: fixes preprocessing, input size and layer.
    class_names, class_ids: C names, and C further identifiers (WordNet ids) or None.
    layer_name: the layer CAM methods look at, by name or path; several by commas, whose maps are averaged; None:
        the last with a feature map.
    preprocessing: of constants.PREPROCESSING, or a `Preprocessing` that says how it was found; None or 'auto': found
        (preprocessing.py). input_size: (H, W) of a model that takes any.
    score: of constants.SCORES; None or 'auto': found (scores.py). loss: what the model was trained with, as `compile`
        or a file words it; None: as the model itself knows.
    output_name: which output of a model that has several.
    target: what is explained in place of a class: takes what the model gives for n images, tensors, and returns (n,);
        then any model with an image input will do.
    engine: of constants.ENGINES, what runs the forward passes of `predict`; see engines.py.
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
        preprocessing: str | Preprocessing | None = None,
        score: str | None = None,
        output_name: str | None = None,
        loss=None,
        target: TargetFunction | None = None,
        input_size: tuple[int, int] | None = None,
        precision: str = "float32",
        batch_size: int = constants.BATCH_SIZE,
        engine: str = engines.TENSORFLOW,
    ):
        model_name = model_name and find_model_name(model_name)
        zoo = constants.ZOO.get(model_name)
        if precision not in constants.PRECISIONS:
            raise ValueError(f"precision should be one of {constants.PRECISIONS}, not {precision!r}")
        engines.check_choice(engine, precision)
        self.model, self.model_name = model, model_name
        self.shift = 0.0  # grey levels by which all pixels are larger than the model was made for; see `shifted`
        self.precision, self.batch_size, self.output_name = precision, batch_size, output_name
        self.target = target
        self._engine_choice, self._engines = engine, {}  # opened for all views of the same outputs
        model_reading.check_weights(model)
        side = zoo[2] if zoo else INPUT_SIZE
        size = input_size or getattr(own_preprocessor(model), "image_size", None) or (side, side)
        shape = self.input_height, self.input_width, self.n_channels = model_reading.read_input_shape(model, *size)
        self.image_spec = tf.TensorSpec([None, self.input_height, self.input_width, 3], tf.float32)
        self._traced = open_traced(model, shape, output_name, target is not None, batch_size)
        steps, output, graph = self._traced.steps, self._traced.output, self._traced.graph
        self.pixels = find_preprocessing(model, steps, graph, shape, preprocessing, zoo and zoo[1], model_name)
        if target is None:
            self._n_outputs = model_reading.read_n_outputs(output)
            names = getattr(model, "output_names", [])
            loss = choose_loss(getattr(model, "loss", None) if loss is None else loss, names, output_name)
            self.score = find_score(output, self._n_outputs, score, loss, self._probe_outputs, steps[-1].path)
            self.n_classes = 2 if self.score.one_unit else self._n_outputs
        else:
            self.score, self.n_classes = Score(NONE, False, LOGITS, "given"), 1
        self.relus = find_relus(self.score.in_front(output))
        self.class_ids = self._check_names(class_ids, "class_ids")
        names = self._check_names(class_names, "class_names")
        self.class_names = names or self._number_classes()
        self.level = None  # of labels, whose nodes are the classes; see `at_level`
        self.counts = collections.Counter()  # 'passes': images sent forward by compiled graphs, of all views
        self.shared = SharedAnswers()  # of all views
        self._traced, layer, self._no_layer = self._traced.choose_layer(self._find_used)
        layers, self._layer_given = [layer], bool(layer_name)
        if layer_name:
            self._traced, layers = self._traced.find_layers([name.strip() for name in layer_name.split(",")])
        self._look_at(layers[0])
        # Several layers are several classifiers that share all but the layer they look at.
        self.by_layer = [self] if len(layers) == 1 else [copy.copy(self)._look_at(layer) for layer in layers]

    def _number_classes(self) -> list[str]:
        if self.target is not None:
            return _name_target(self.target)
        kind = "output" if self.score.function == NONE else "class"
        return [f"{kind}_{index}" for index in range(self.n_classes)]

    def _probe_outputs(self) -> np.ndarray:
        """What the model gives, (n, outputs), for noise from black to bright and for a white picture."""
        images = np.random.default_rng(constants.SEED).uniform(0, 255, (9, *self.image_spec.shape[1:]))
        images[:8] *= np.linspace(0, 1, 8)[:, None, None, None]
        images[8] = 255
        output = self._traced.run(self._prepare(tf.constant(images, tf.float32)))
        return np.asarray(output, dtype=np.float32).reshape(len(images), self._n_outputs)

    def _prepare(self, images: tf.Tensor) -> tf.Tensor:
        """RGB 0-255 (n, H, W, 3), all larger by `shift`, as the model takes it."""
        images = images - self.shift if self.shift else images
        if self.pixels.mode == OWN:
            return apply_own(self.model, images, self._traced.shape)
        return prepare(images, self.pixels.mode, self.n_channels)

    @property
    def preprocessing(self) -> str:
        """What is done to pixels in front of the model: a mode of constants.PREPROCESSING."""
        return self.pixels.mode

    def at_layer(self, layer_name: str, of_pieces: bool = False) -> "Classifier":
        """This classifier looking at another layer, by name or path: any of a map (n, h, w, K) or of units (n, K).

        of_pieces: also one that runs on pieces of images: its features (n * pieces, ...), image by image, are no map.
        """
        return copy.copy(self)._look_at(self._traced.find_any(layer_name), of_pieces)

    def _look_at(self, layer: Step | None, of_pieces: bool = False) -> "Classifier":
        self._layer, self._compiled = layer, {}
        self.layout = None if layer is None else self._traced.layout(layer, of_pieces)
        self._folded = self._fold([self.layer_name])
        self.by_layer = [self]
        return self

    def _fold(self, layer_names: Sequence[str]) -> batch_norm_folding.Folded:
        """The batch norms as they are now, folded where none of these layers' own output is wanted."""
        with tf.init_scope():  # it may be asked for while a graph is traced
            return batch_norm_folding.fold_batch_norms(self.steps, keep=layer_names)

    def _find_used(
        self,
        traced: TracedModel,
        steps: Sequence[Step],
        but_for: Step | None = None,
        given: FeatureLayout | None = None,
    ) -> list[Step]:
        """Those of the steps with whose map the logits change, asked with one image of noise.

        but_for: a step through whose map a change does not count. given: of the map in what that step is given: then it
        is among those found if the logits change with this.
        """
        images = np.random.default_rng(constants.SEED).uniform(0, 255, (1, *self.image_spec.shape[1:]))
        numbered = {number: step for number, step in enumerate(traced.steps) if step in steps or step is but_for}
        layouts = {number: traced.layout(step) for number, step in numbered.items()}
        folded = batch_norm_folding.fold_batch_norms(traced.steps)

        def differentiate(images):
            calls, held = itertools.count(), {}

            def call(path, layer, args, kwargs):
                position, output = next(calls), folded.call_layer(path, layer, args, kwargs)
                if position not in layouts:
                    return output
                features = layouts[position].to_map(output)
                if numbered[position] is but_for:
                    if given is not None:
                        held[position] = args[0]
                    return layouts[position].from_map(tf.stop_gradient(features), output)
                held[position] = features
                return layouts[position].from_map(features, output)

            score = self._logits_of(traced.run(self._prepare(images), call, folded.weights))[:, 0]
            gradients = dict(zip(held, tf.gradients(score, list(held.values()), unconnected_gradients="zero")))
            if given is not None:
                position = traced.steps.index(but_for)
                gradients[position] = given.to_map(gradients[position])
            return {position: tf.reduce_any(gradient != 0) for position, gradient in gradients.items()}

        used = tf.function(differentiate, autograph=False)(tf.constant(images, tf.float32))
        return [numbered[position] for position, is_used in used.items() if is_used]

    def _view(self, **changes) -> "Classifier":
        """This classifier with other answers, in each of `by_layer`; the model, counts and shared answers are one."""

        def change(classifier: Classifier) -> Classifier:
            view = copy.copy(classifier)
            vars(view).update(changes, by_layer=[view], _compiled={}, _engines={})
            return view

        view = change(self)
        if len(self.by_layer) > 1:
            view.by_layer = [change(one) for one in self.by_layer]
        return view

    def at_level(self, level) -> "Classifier":
        """This classifier with the nodes of a label level as its classes: the same features, logits and probabilities
        mapped (node_scores.py), so that every explainer and metric takes it as it is.

        level: a `taxonomy.Level` over these classes. ValueError for a model, or a level, without such scores.
        """
        node_scores.check_score(self.score)
        node_scores.check_nodes(level.name, level.class_names)
        names = list(level.class_names)
        return self._view(level=level, n_classes=len(names), class_names=names, class_ids=None)

    def of_target(self, target: TargetFunction) -> "Classifier":
        """This classifier with one number of its outputs in the place of classes; see `target` of the class."""
        if self.level is not None:
            raise ValueError(f"a target takes the place of the classes: label level '{self.level.name}' has its own")
        score = Score(NONE, False, LOGITS, "given")
        return self._view(target=target, score=score, n_classes=1, class_names=_name_target(target), class_ids=None)

    def shifted(self, shift: float) -> "Classifier":
        """This network for pixels all `shift` grey levels larger: it gives to x + shift what this one gives to x.

        A bias in front of the first weights undoes the shift (Kindermans et al. 2018); a bias of the first convolution
        would do the same but at the border, where zeros are padded.
        """
        view = self._view(shift=self.shift + shift)
        for one in (view, *view.by_layer):
            vars(one).pop("mean_colour", None)
        return view

    # --- what it answers ---------------------------------------------------------------------------------

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities (n, C), float32, of RGB images 0-255 (n, H, W, 3) at the model's input size."""
        images = np.asarray(images)
        if images.shape[1:] != tuple(self.image_spec.shape[1:]) or not len(images):
            raise ValueError(f"images (n, H, W, 3) = {self.image_spec.shape} are wanted, not {images.shape}")
        engine = self.engine
        if engine.name != engines.TENSORFLOW:  # whose graphs count for themselves
            self.counts["passes"] += len(images)
        parts = in_batches(images, self.batch_size)
        return np.concatenate([engine.run(part.astype(np.float32, copy=False)) for part in parts])

    @property
    def engine(self) -> engines.Engine:
        """What runs the forward passes of `predict`, opened and checked when it is first asked for.

        Raises ValueError, naming the flag, for an engine that cannot run this model or answers differently.
        """
        graph = self.compiled("probabilities", lambda images: self.probabilities(self.forward(images)[1]))

        def predict(images: np.ndarray) -> np.ndarray:
            with _arithmetic(self.precision):
                return graph(images).numpy()

        if self._engine_choice == engines.TENSORFLOW:
            return engines.Engine(engines.TENSORFLOW, predict)
        is_stale, engine = self._engines.get(self._engine_choice, (None, None))
        if engine is None or is_stale():
            asked = "probabilities"
            if self.level is not None:
                asked = "sums of leaves"
                self.compiled(asked, lambda images: self._sum_leaves(images))
            concrete = self._compiled[asked].get_concrete_function()
            is_stale = engines.watch(concrete.variables)
            key = {"weights": model_reading.fingerprint(self.model), "n_classes": self.n_classes}
            question = engines.Question(concrete, predict, self.precision, self.batch_size, self.shift, key)
            engine = engines.open_engine(self._engine_choice, question)
            self._engines[self._engine_choice] = is_stale, engine
        return engine

    def share(
        self,
        question: Hashable,
        arrays: Sequence[np.ndarray],
        compute: Callable,
        further: Callable[[object], Iterable[tuple]] = lambda answer: (),
    ):
        """`compute()`, an answer about these arrays that depends on nothing else but `question` and this classifier;
        within `shared.open` it is worked out once. further: as `SharedAnswers.ask` takes it."""

        def find(answer):
            return [((self, other), about, found) for other, about, found in further(answer)]

        return self.shared.ask((self, question), arrays, compute, self.counts, find)

    def predict_once(self, images: np.ndarray) -> np.ndarray:
        """As `predict`, of images that several methods ask for: the whole one, a black one."""
        return self.share("probabilities", [images], lambda: self.predict(images))

    def doubts(self, images: np.ndarray) -> list[str]:
        """In words, what speaks against how pixels and outputs are read, with the flags that would say otherwise.

        images: a few different ones, RGB 0-255 (n, H, W, 3).
        """
        found = [doubt for doubt in (self.pixels.doubt, self.score.doubt) if doubt]
        if in_training := layer_graph.called_in_training(self._traced.network):
            found.append(
                f"the model calls {', '.join(in_training)} with training=True: model(images) leaves that active, "
                "model.predict does not, nor do the maps"
            )
        doubt = "" if self.score.function == NONE else doubt_probabilities(self.predict(images))
        if doubt:
            others = "|".join(mode for mode in constants.PREPROCESSING if mode != self.pixels.mode)
            found.append(
                f"{doubt}: was the model trained on pixels as they are given to it here? {self.pixels.describe()}; "
                f"--preprocessing={others} and --score say otherwise"
            )
        return found

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits (n, C), float32, of RGB images 0-255 (n, H, W, 3)."""
        logits = self.compiled("logits", lambda images: self.forward(images)[1])
        return np.concatenate([logits(part).numpy() for part in in_batches(images, self.batch_size)])

    def features(self, images: np.ndarray) -> np.ndarray:
        """Features (n, h, w, K), float32, of the chosen layer for one batch of RGB images 0-255."""
        self.require_layer()
        features = self.compiled("features", lambda images: tf.cast(self.forward(images)[0], tf.float32))
        return self.share("features", [images], lambda: features(images).numpy())

    def predict_with_features(self, images: np.ndarray) -> np.ndarray:
        """As `predict`, of one batch; what `features` will be asked of it comes from the same forward pass."""
        self.require_layer()

        def run(images):
            features, logits = self.forward(images)
            return tf.cast(features, tf.float32), self.probabilities(logits)

        graph = self.compiled("features and probabilities", run)

        def find(answer):
            return [("features", [images], answer[0])]

        asked = "features and probabilities", [images], lambda: [part.numpy() for part in graph(images)]
        return self.share(*asked, find)[1]

    def features_by_layer(self, images: np.ndarray) -> list[np.ndarray]:
        """Features (n, h, w, K), float32, of the layer of each of `by_layer`, for one batch, from one forward pass."""
        self.require_layer()
        paths = [view.layer_name for view in self.by_layer]

        def run(images):
            outputs, folded = {}, self._fold(paths)

            def call(path, layer, args, kwargs):
                outputs[path] = folded.call_layer(path, layer, args, kwargs)
                return outputs[path]

            self._traced.run(self._prepare(images), call, folded.weights)
            return [tf.cast(view._as_map(outputs[view.layer_name]), tf.float32) for view in self.by_layer]

        features = self.compiled("features by layer", run)
        with _arithmetic(self.precision):
            return [output.numpy() for output in features(images)]

    def forward(self, images: tf.Tensor, watch: Callable | None = None) -> tuple[tf.Tensor | None, tf.Tensor]:
        """Features (n, h, w, K) of the chosen layer (None where there is none) and logits (n, C), as tensors.

        `watch`, a `tf.GradientTape.watch`, is given the features on their way, before the rest of the network
        runs on them: the tape then records the layers behind the chosen one and no others.
        """
        if tf.executing_eagerly() and watch is None:  # the logits in front of a softmax are found in a graph
            return self.compiled("forward", lambda images: self.forward(images))(images)
        features = None

        def call(path, layer, args, kwargs):
            nonlocal features
            output = self._folded.call_layer(path, layer, args, kwargs)
            if path == self.layer_name:
                features = self._as_map(output)
                if watch is not None:
                    watch(features)
                output = features if self.layout is None else self.layout.from_map(features, output)
            return output

        logits = self._run(images, call)
        return features, logits

    def _as_map(self, output: tf.Tensor) -> tf.Tensor:
        return output if self.layout is None else self.layout.to_map(output)

    def lay_out(self, saliency_map: np.ndarray, outside: float = 0.0) -> np.ndarray:
        """A map (h, w) of the chosen layer, float32 (H, W), where it lies on the input; `outside` where it does not."""
        return self.layout.lay_out(saliency_map, self.input_height, self.input_width, outside)

    def layer_inputs(self, images: tf.Tensor) -> tf.Tensor:
        """What reaches the chosen layer, (n, h, w, C), of RGB images 0-255."""
        self.require_layer()
        if tf.executing_eagerly():  # as in `forward`
            return self.compiled("layer inputs", lambda images: self.layer_inputs(images))(images)
        inputs = None

        def call(path, layer, args, kwargs):
            nonlocal inputs
            if path == self.layer_name:
                inputs = args[0]
            return self._folded.call_layer(path, layer, args, kwargs)

        self._run(images, call)
        return inputs

    def split(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, Callable]:
        """Features (n, h, w, K), what of them reaches the first layer that mixes channels, (n, ..., K), and the rest
        of the network: a function of c changed copies per image, (n * c, ..., K), to logits (n * c, C)."""
        outputs = []  # by the order of the calls: a layer that is used twice has one path and two outputs

        def record(path, layer, args, kwargs):
            outputs.append(self._folded.call_layer(path, layer, args, kwargs))
            return outputs[-1]

        self._run(images, record)
        features, cut = model_reading.find_channel_mixing(self.steps, self._layer)
        cut = cut if self.layout.order is None else features  # tokens: their map alone is changed

        def rest(head):
            n_copies = tf.shape(head)[0] // tf.shape(images)[0]
            calls = itertools.count()

            def call(path, layer, args, kwargs):
                position = next(calls)
                if position > cut:
                    return self._folded.call_layer(path, layer, args, kwargs)
                if position == cut and self.layout.order is None:
                    return head
                # A way around the features: the same for every copy.
                same = keras.tree.map_structure(lambda tensor: tf.repeat(tensor, n_copies, axis=0), outputs[position])
                return self.layout.from_map(head, same) if position == cut else same

            return self._run(images, call)

        return self._as_map(outputs[features]), outputs[cut] if cut != features else self._as_map(outputs[cut]), rest

    def _sum_leaves(self, images: tf.Tensor) -> tf.Tensor:
        """The probabilities (n, M) of a label level's nodes by operations that every engine has: the same but for
        rounding."""
        leaves = self.score.probabilities(self._run_leaves(images, self._folded.call_layer))
        return node_scores.sum_leaves(leaves, self.level.node_of, self.n_classes)

    def _run(self, images: tf.Tensor, call: Callable) -> tf.Tensor:
        """Logits (n, C), each layer's output being what `call` returns."""
        logits = self._run_leaves(images, call)
        return logits if self.level is None else node_scores.node_logits(logits, self.level.node_of, self.n_classes)

    def _run_leaves(self, images: tf.Tensor, call: Callable) -> tf.Tensor:
        """As `_run`, but of the model's own classes, whatever the label level."""
        return self._logits_of(self._traced.run(self._prepare(images), call, self._folded.weights))

    def _logits_of(self, output) -> tf.Tensor:
        """Logits (n, C) of the model's own classes by what it gives; of a target its numbers, (n, 1)."""
        if self.target is not None:
            return model_reading.read_target(self.target, output)
        return self.score.logits(output, self._n_outputs)

    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Probabilities (n, C) of logits (n, C), by the model's own score function."""
        return self.score.probabilities(logits) if self.level is None else tf.sigmoid(logits)  # nodes have log-odds

    def compiled(self, key, function: Callable) -> Callable:
        """`function(images[, class_index])` as one compiled graph, traced once per `key`."""
        if self._folded.is_stale():  # trained further: what was folded is no longer the model's
            self._folded = self._fold([self.layer_name])
            self._compiled.clear()
            self._engines.clear()
        if key not in self._compiled:
            specs = (self.image_spec, tf.TensorSpec([None], tf.int32))[: function.__code__.co_argcount]
            self._compiled[key] = tf.function(function, input_signature=specs, autograph=False)
        graph = self._compiled[key]

        def counted(images, *class_index):
            self.counts["passes"] += len(images)
            return graph(images, *class_index)

        return counted

    def require_layer(self):
        """Raises ValueError if the model has no layer with a feature map, or none that can be chosen for it."""
        if self._layer is None and self._no_layer:
            raise ValueError(
                f"no layer is chosen: {self._no_layer}; name one by --layer_name (several by commas: their mean): "
                + ", ".join(self.layer_names)
            )
        if self._layer is None:
            layers = ", ".join(step.path for step in self.steps)
            closed = (
                f". Its layers cannot be seen: {self._traced.closed}. Methods that look at no layer remain: "
                "perturbations and gradients of the pixels"
            ) * bool(self._traced.closed)
            raise ValueError(f"a layer with a feature map (n, h, w, K) is needed; the model has: {layers}{closed}")

    def rebuilt(self, model=None) -> "Classifier":
        """A classifier of the model as it is now, or of another of the same layers, asked alike."""
        fresh = Classifier(
            self.model if model is None else model,
            self.model_name,
            class_names=self.class_names,
            class_ids=self.class_ids,
            layer_name=",".join(view.layer_name for view in self.by_layer if view.layer_name) or None,
            preprocessing=self.pixels.mode,
            score=self.score.function,
            output_name=self.output_name,
            target=self.target,
            input_size=(self.input_height, self.input_width),
            precision=self.precision,
            batch_size=self.batch_size,
            engine=self.engine.name,
        )
        for view in (fresh, *fresh.by_layer):  # what was found of this model, not of the weights as they are now
            view.pixels, view.score, view._layer_given = self.pixels, self.score, self._layer_given
        return fresh

    # --- what it is --------------------------------------------------------------------------------------

    @property
    def rounding(self) -> float:
        """The relative rounding of the coarsest arithmetic of the layers: 1.2e-7 of float32, 1e-3 of float16."""
        names = {tensor.dtype.name for step in self.steps for tensor in keras.tree.flatten(step.output)
                 if tf.is_tensor(tensor) and tensor.dtype.is_floating}  # fmt: skip
        return max(float(ml_dtypes.finfo(name).eps) for name in {*names, self.precision})

    @property
    def steps(self) -> list[Step]:
        """The calls of the model's layers, in the order they run."""
        return self._traced.steps

    def estimate_bytes(self, n: int) -> float:
        """The memory that n images take inside the network at least."""
        return self._traced.estimate_bytes(n)

    @property
    def layer_name(self) -> str | None:
        """The path of the layer that CAM methods look at; None for a model without a feature map."""
        return None if self._layer is None else self._layer.path

    def find_step(self, name: str) -> Step | None:
        """The last call of a layer of that name; None if the model has none."""
        return next((step for step in reversed(self.steps) if step.name == name), None)

    def dense_weights(self) -> np.ndarray:
        """Weights (K, C) of the one dense layer behind the mean of the chosen layer's features, or ValueError."""
        self.require_layer()
        if self.target is not None:
            raise ValueError("a target has no weights of its own in the dense layer: its map is no sum of the features")
        if self.level is not None:
            raise ValueError(
                f"a class of label level '{self.level.name}' has no weights of its own in the dense layer: its score "
                "is no weighted sum of the features"
            )
        weights = cam_head.read_cam_weights(self.steps, self._layer, self.layout, self.score)
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
        return list(dict.fromkeys(step.path for step in self._traced.layers.steps))

    def _describe_choice(self) -> str:
        """How the layer was found, or why there is none."""
        if self._layer_given:
            return "given"
        return self._no_layer or ("last map on every path" if self._layer else "no layer gives one")

    def describe(self) -> dict:
        """What was chosen, in words, and how it was found: layer, score, preprocessing, input size, precision."""
        looking = [view for view in self.by_layer if view._layer]
        held = [view.layout.shape if view.layout else view._layer.output.shape[1:] for view in looking]
        shapes = [" x ".join(map(str, shape)) for shape in held]
        places = [view.layout.describe(*self.image_spec.shape[1:3]) for view in looking if view.layout]
        level = {} if self.level is None else {"label_level": self.level.describe()}
        return {
            "model_name": self.model_name or self.model.name,
            "layer": ", ".join(view.layer_name or "none with a feature map" for view in self.by_layer),
            "layer_found": self._describe_choice(),
            "layer_shape": ", ".join(shapes),
            "geometry": "; ".join(dict.fromkeys(places)),
            "score": self.score.describe() if self.target is None else f"the target {self.class_names[0]} (given)",
            **level,
            "preprocessing": self.pixels.describe(),
            "input_size": f"{self.input_height} x {self.input_width}",
            "n_classes": self.n_classes,
            "precision": model_reading.describe_precision(self.steps, self.precision),
            **({} if self.engine.name == engines.TENSORFLOW else {"engine": self.engine.name}),
        }

    @functools.cached_property
    def mean_colour(self) -> tuple[float, float, float]:
        """The RGB 0-255 that the preprocessing, in the model or before it, makes 0; black if there is no such colour.

        Measured at the input of the first convolution, on images of one colour each.
        """

        def find_pixels(images):
            seen = {}

            def call(path, layer, args, kwargs):
                if layer_graph.is_convolution(layer):
                    seen.setdefault("pixels", args[0])
                return self._folded.call_layer(path, layer, args, kwargs)

            self._run(images, call)
            return seen.get("pixels", tf.zeros([0]))

        colours = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (80, 130, 200)], np.float32)
        size = self.input_height, self.input_width
        images = np.broadcast_to(colours[:, None, None], (len(colours), *size, 3))
        pixels = tf.function(find_pixels, autograph=False)(tf.constant(images)).numpy()
        if pixels.ndim != 4 or len(pixels) != len(colours):
            return (0.0, 0.0, 0.0)
        values = pixels[:, pixels.shape[1] // 2, pixels.shape[2] // 2].astype(np.float64)  # off the padding
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

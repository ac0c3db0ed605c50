"""What a model's outputs mean: logits of a softmax, logits of sigmoids, or numbers that are no scores of classes.

How it is found, in this order: by what is asked for (`--score`); by the last operation of the traced model, whatever
layer runs it (softmax, log_softmax, sigmoid); by the numbers, where something else than weights has the last word (the
mean of several networks); by the loss that the model was trained with; by numbers that no logits are; else guessed, and
the guess is said.

    softmax   probabilities = softmax(logits)     sigmoid   probabilities = sigmoid(logits), one unit: of two classes
    none      the numbers themselves stand for both: a regression, an embedding, anything that is no probability

With `none` the judges of faithfulness measure in the number's own unit: insertion and deletion are its mean along the
curve, and average drop has a value where the number is positive.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

import constants
from network.operations import CALLS, Operations, last_operation

SOFTMAX, SIGMOID, NONE = "softmax", "sigmoid", "none"
LOGITS, OPERATION, PROBABILITIES = "logits", "operation", "probabilities"  # what the model's output is
ENDS = {"Softmax": SOFTMAX, "LogSoftmax": SOFTMAX, "Sigmoid": SIGMOID}  # operations that logits go into
BOUNDS = (  # what may make probabilities
    *(*ENDS, *CALLS, "Exp", "Tanh", "Erf", "Minimum", "ClipByValue", "Relu6", "Softsign", "Atan", "RealDiv", "Sqrt"),
)
NO_SCORES = ("Tanh", "Relu", "Relu6", "Softplus", "Softsign", "Elu", "Selu", "LeakyRelu", "Exp", "Erf")
LOSSES = {  # names without '_' and case, of keras.losses and of older files -> what the output of a linear layer means
    **dict.fromkeys(
        (
            *("meansquarederror", "mse", "meanabsoluteerror", "mae", "meanabsolutepercentageerror", "mape"),
            *("meansquaredlogarithmicerror", "msle", "huber", "huberloss", "logcosh", "poisson", "cosinesimilarity"),
        ),
        NONE,
    ),
    **dict.fromkeys(
        ("categoricalcrossentropy", "sparsecategoricalcrossentropy", "categoricalfocalcrossentropy"), SOFTMAX
    ),
    **dict.fromkeys(("binarycrossentropy", "binaryfocalcrossentropy"), SIGMOID),
}
SURE = 12.0  # a logit from which on a probability is 1 to five digits


@dataclass(frozen=True)
class Score:
    """What turns logits into probabilities, and where the logits are.

    function: 'softmax', 'sigmoid' or 'none'. one_unit: one output for two classes. output: what the model gives:
    LOGITS; OPERATION: what the function's own operation gives, with the logits in front of it; or PROBABILITIES alone,
    whose logarithm stands for the logits. found: in words, how that was found.
    """

    function: str
    one_unit: bool
    output: str
    found: str

    @property
    def hides_logits(self) -> bool:
        return self.output == PROBABILITIES

    def describe(self) -> str:
        """In words."""
        name = "none: the number itself" if self.function == NONE else self.function
        return f"{name}{' of one unit' * self.one_unit} ({self.found})"

    def in_front(self, output):
        """The model's output, a tensor of a graph, or what its last operation makes it of where that is the score."""
        if self.output != OPERATION:
            return output
        if not tf.is_symbolic_tensor(output):
            raise ValueError(f"the logits in front of a {self.function} are found in a graph: ask inside a tf.function")
        return last_operation(output).inputs[0]

    def logits(self, output: tf.Tensor, n_outputs: int) -> tf.Tensor:
        """Logits (n, C), float32, of the model's output, a tensor of a graph with n_outputs numbers an image."""
        logits = tf.reshape(tf.cast(self.in_front(output), tf.float32), [-1, n_outputs])
        if self.output == PROBABILITIES:
            probabilities = tf.clip_by_value(logits, 1e-12, 1 - 1e-7)
            logits = tf.math.log(probabilities)
            if self.function == SIGMOID:
                logits -= tf.math.log1p(-probabilities)
        return tf.concat([-logits, logits], axis=1) if self.one_unit else logits  # both sides can be explained

    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Probabilities (n, C) of logits (n, C); of 'none' the numbers themselves."""
        return {SOFTMAX: tf.nn.softmax, SIGMOID: tf.sigmoid, NONE: tf.identity}[self.function](logits)


def check_name(score: str | None) -> str | None:
    """The score function, None of 'auto'; ValueError for an unknown one lists the choices."""
    if score not in (None, *constants.SCORES):
        raise ValueError(f"unknown score {score!r}; choose one of: {', '.join(constants.SCORES)} (--score)")
    return None if score == "auto" else score


def find_score(output, n_outputs: int, wanted: str | None, loss, numbers: Callable, layer: str) -> Score:
    """The score of a model.

    output: of the traced model. wanted: 'softmax', 'sigmoid', 'none', or None. loss: of the training, as `compile`
    takes it or a file holds it; None: unknown. numbers: gives the outputs (n, n_outputs) for pictures from black to
    white, which are asked for where nothing else tells. layer: name of the last layer, for messages.
    ValueError for a model whose outputs have no meaning here, naming what was found and the flag.
    """
    wanted, one_unit = check_name(wanted), n_outputs == 1
    if wanted == NONE:
        return Score(NONE, False, LOGITS, "given")
    if wanted == SOFTMAX and one_unit:
        raise ValueError(
            "a softmax is of two outputs or more, and this model has one: --score=sigmoid is its yes or no"
        )
    last = last_operation(output).type
    if last in ENDS:
        return _check_end(ENDS[last], wanted, one_unit, layer)
    values = numbers()
    is_share = (
        not one_unit and values.min() >= 0 and values.max() <= 1 and np.allclose(values.sum(axis=-1), 1, atol=1e-3)
    )
    if is_share:  # whatever makes them so, of pictures from black to white: linear outputs do not
        found = "probed: the outputs are probabilities that sum to 1"
        return Score(wanted or SOFTMAX, False, PROBABILITIES, found)
    if last in NO_SCORES and wanted is None:
        raise ValueError(
            f"the model ends in {last.lower()!r} ({layer}); softmax, sigmoid or logits are wanted: --score=none "
            "explains the number itself"
        )
    behind = Operations(output.graph).types_behind_weights(output)
    if behind & set(BOUNDS) and values.min() >= 0 and values.max() <= 1:
        return Score(wanted or SIGMOID, one_unit, PROBABILITIES, "probed: the outputs are probabilities")
    if wanted is not None:
        return Score(wanted, one_unit, LOGITS, "given")
    name = loss_name(loss)
    if name in LOSSES:
        return Score(
            LOSSES[name], one_unit and LOSSES[name] != NONE, LOGITS, f"of the loss it was trained with, {name}"
        )
    if are_no_logits(values):
        found = f"probed: {values.min():.4g} to {values.max():.4g} whatever the picture, which are no logits"
        return Score(NONE, False, LOGITS, found)
    found = "guessed of a linear output; --score says what it is"
    return Score(SIGMOID if one_unit else SOFTMAX, one_unit, LOGITS, found)


def _check_end(end: str, wanted: str | None, one_unit: bool, layer: str) -> Score:
    """The score of a model that applies a softmax or a sigmoid itself."""
    if end == SOFTMAX and one_unit and wanted != SIGMOID:
        raise ValueError(
            f"the model ends in a softmax of one unit ({layer}), which is 1 for every image; --score=sigmoid takes "
            "what is in front of it for the logit of a yes or no"
        )
    if wanted not in (None, end) and not one_unit:
        raise ValueError(
            f"score {wanted!r} does not fit: the model applies a {end} itself ({layer}); leave --score out, or explain "
            "the number itself with --score=none"
        )
    return Score(wanted or end, one_unit, OPERATION, "given" if wanted else "the model ends in it")


def are_no_logits(values: np.ndarray) -> bool:
    """Whether numbers (n, C) of pictures from black to white would be the same sure answer to each of them."""
    if values.shape[1] == 1:
        return bool(values.min() > SURE or values.max() < -SURE)
    top = np.sort(values, axis=1)
    return len(set(values.argmax(axis=1))) == 1 and bool((top[:, -1] - top[:, -2]).min() > SURE)


# --- the loss ------------------------------------------------------------------------------------------------
def loss_name(loss) -> str | None:
    """The name of a loss, without '_' and in lower case: of a name, a function, an object, or what a file holds."""
    if isinstance(loss, dict):
        config = loss.get("config")
        loss = config if isinstance(config, str) else loss.get("class_name")
    if loss is None or isinstance(loss, (list, tuple)):
        return None
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return name.lower().replace("_", "")


def choose_loss(loss, output_names: list[str], output_name: str | None):
    """The loss of one output, of those of all outputs as `compile` takes them: by name, in order, or one for all."""
    is_one = isinstance(loss, dict) and "class_name" in loss
    if isinstance(loss, dict) and not is_one:
        return loss.get(output_name or next(iter(loss), None))
    if isinstance(loss, (list, tuple)):
        position = output_names.index(output_name) if output_name in output_names else 0
        return loss[position] if position < len(loss) else None
    return loss

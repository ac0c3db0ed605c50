"""What a model's outputs mean: logits of a softmax, logits of sigmoids, or numbers that are no scores of classes.

How it is found, in this order: by what is asked for (`--score`); by the last operation of the traced model, whatever
layer runs it (softmax, sigmoid, the logarithm of one); by the numbers, where something else than weights has the last
word (the mean of several networks); by the loss that the model was trained with; by numbers that no logits are; by
biases that add up to 0, as training by a softmax leaves them: its gradients do (of SGD; Adam weighs each otherwise).
Else several linear outputs are guessed to be logits, and warned of; a single one, pooled features and thresholds of one
number are asked about. What ends in another function than these is refused, with the flag.

    softmax   probabilities = softmax(logits)     sigmoid   probabilities = sigmoid(logits), one unit: of two classes
    none      the numbers themselves stand for both: a regression, an embedding, anything that is no probability

With `none` the metrics of faithfulness measure in the number's own unit: insertion and deletion are its mean along the
curve, and average drop has a value where the number is positive.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

import constants
from network.operations import CALLS, Operations, last_operation, recomputing

SOFTMAX, SIGMOID, NONE = "softmax", "sigmoid", "none"
LOGITS, OPERATION, PROBABILITIES = "logits", "operation", "probabilities"  # what the model's output is
ENDS = {"Softmax": SOFTMAX, "LogSoftmax": SOFTMAX, "Sigmoid": SIGMOID}  # operations that logits go into
BOUNDS = (  # what may make probabilities
    *(*ENDS, *CALLS, "Exp", "Tanh", "Erf", "Minimum", "ClipByValue", "Relu6", "Softsign", "Atan", "RealDiv", "Sqrt"),
)
NO_SCORES = ("Tanh", "Relu", "Relu6", "Softplus", "Softsign", "Elu", "Selu", "LeakyRelu", "Exp", "Erf")
NO_LOGITS = (  # whatever is pooled behind them
    *(
        "Tanh",
        "Softplus",
        "Softsign",
        "Exp",
        "Expm1",
        "Erf",
        "Erfc",
        "Log",
        "Log1p",
        "Sqrt",
        "Rsqrt",
        "Square",
        "Pow",
        "Abs",
    ),
    *("Sin", "Cos", "Atan", "Sigmoid", "Softmax", "LogSoftmax"),
)
STEPS = ("ArgMax", "ArgMin", "OneHot", "Sign", "Round", "Rint", "Floor", "Ceil")
POOLS = ("Mean", "Max", "Sum", "AvgPool", "MaxPool")
LOSSES = {  # names without '_' and case, of keras.losses and of older files -> what the output of a linear layer means
    **dict.fromkeys(
        (
            *("meansquarederror", "mse", "meanabsoluteerror", "mae", "meanabsolutepercentageerror", "mape"),
            *("meansquaredlogarithmicerror", "msle", "huber", "huberloss", "logcosh", "poisson", "cosinesimilarity"),
            *("hinge", "squaredhinge", "categoricalhinge"),  # margins, of which no probabilities are made
        ),
        NONE,
    ),
    **dict.fromkeys(
        ("categoricalcrossentropy", "sparsecategoricalcrossentropy", "categoricalfocalcrossentropy"), SOFTMAX
    ),
    **dict.fromkeys(("binarycrossentropy", "bce", "binaryfocalcrossentropy"), SIGMOID),
}
BALANCED = 1e-3  # of biases of random signs: a smaller sum is none
SURE = 12.0  # a logit from which on a probability is 1 to five digits


@dataclass(frozen=True)
class Score:
    """What turns logits into probabilities, and where the logits are.

    function: 'softmax', 'sigmoid' or 'none'. one_unit: one output for two classes. output: what the model gives:
    LOGITS; OPERATION: what the function's own operation gives, with the logits in front of it; or PROBABILITIES alone,
    whose logarithm stands for the logits. found: in words, how that was found. doubt: what speaks against it, or ''.
    """

    function: str
    one_unit: bool
    output: str
    found: str
    doubt: str = ""

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
        return _find_end(output)[1]

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
        raise ValueError(f"unknown score {score!r}; choose from: {', '.join(constants.SCORES)} (--score)")
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
    end = _find_end(output)
    if end is not None and (end[0] == SIGMOID or end[1].shape[-1] == n_outputs):  # else it is of groups of the outputs
        return _check_end(end[0], wanted, one_unit, loss, layer)
    if wanted is None and (steps := Operations(output.graph).types_behind_weights(output) & set(STEPS)):
        raise ValueError(
            f"the model's outputs come out of steps ({', '.join(sorted(steps))}; {layer}), and do not change gradually "
            "with the image: end the model in front of them; --score=none explains the number itself"
        )
    values = numbers()
    if not one_unit and values.min() >= 0 and values.max() <= 1 and np.allclose(values.sum(axis=-1), 1, atol=1e-3):
        found = "probed: the outputs are probabilities that sum to 1"  # whatever makes them so: linear outputs do not
        return Score(wanted or SOFTMAX, False, PROBABILITIES, found)
    if not one_unit and values.max() <= 0 and np.allclose(np.exp(values).sum(axis=-1), 1, atol=1e-3):
        return Score(wanted or SOFTMAX, False, LOGITS, "probed: the outputs are logarithms of probabilities")
    behind, name = Operations(output.graph).types_behind_weights(output), loss_name(loss)
    function, of_loss = LOSSES.get(name), f"of the loss it was trained with, {name}"
    if behind & set(BOUNDS) and values.min() >= 0 and values.max() <= 1 and (wanted or not _is_embedding(values)):
        found = "probed: the outputs are probabilities"
        _check_probabilities(values, wanted, layer)
        return Score(wanted or SIGMOID, one_unit, PROBABILITIES, found, _doubt_of_numbers(wanted, name))
    if wanted is not None:
        return Score(wanted, one_unit, LOGITS, "given")
    if function == NONE:
        return Score(NONE, False, LOGITS, of_loss)
    _check_ends_in_weights(last_operation(output).type, behind, values, layer)
    if function is not None and not (one_unit and function == SOFTMAX):
        return Score(function, one_unit, LOGITS, of_loss, _doubt_of_logits(loss, name))
    if are_no_logits(values):
        found = f"probed: {values.min():.4g} to {values.max():.4g} whatever the picture, which are no logits"
        return Score(NONE, False, LOGITS, found)
    if not one_unit:
        _check_vary(values, behind, layer)
    if not one_unit and _are_balanced(output):
        return Score(SOFTMAX, False, LOGITS, "probed: the biases add up to 0, as a softmax leaves them in training")
    return _guess(one_unit, name)


def _find_end(output) -> tuple[str, object] | None:
    """The score function that a traced model ends in, or in the logarithm of it, and the logits in front of it."""
    last = last_operation(output)
    if last.type in ENDS:
        return ENDS[last.type], last.inputs[0]
    if last.type == "Log":
        return _find_end(last.inputs[0])
    if last.type == "Neg" and (inner := last_operation(last.inputs[0])).type == "Softplus":
        first = last_operation(inner.inputs[0])  # log(sigmoid(x)) = -softplus(-x)
        return (SIGMOID, first.inputs[0]) if first.type == "Neg" else None
    return None


def _check_end(end: str, wanted: str | None, one_unit: bool, loss, layer: str) -> Score:
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
    doubt = _doubt_of_numbers(wanted, loss_name(loss)) if end == SIGMOID else ""
    return Score(wanted or end, one_unit, OPERATION, "given" if wanted else "the model ends in it", doubt)


def _check_ends_in_weights(last: str, behind: set[str], values: np.ndarray, layer: str) -> None:
    """ValueError for outputs that are no scores of classes, by what runs behind the last weights and by numbers."""
    if _is_embedding(values) and behind & {"Sqrt", "Rsqrt", "RealDiv"}:
        raise ValueError(
            f"the model gives vectors of length 1 ({layer}), an embedding and no scores of classes: in Python a target "
            "says what of it is explained, as its likeness to another image (docs/targets.md); --score=none explains "
            "one of its numbers"
        )
    if last in NO_SCORES or behind & set(NO_LOGITS) or (behind & set(NO_SCORES) and not behind & set(POOLS)):
        end = repr(last.lower()) if last in NO_SCORES else "a function of its own"
        raise ValueError(
            f"the model ends in {end} ({layer}); softmax, sigmoid or logits are wanted: --score=none explains the "
            "number itself, --score=softmax and sigmoid take the numbers for logits"
        )


def _check_probabilities(values: np.ndarray, wanted: str | None, layer: str) -> None:
    """ValueError for numbers of 0 to 1 that no picture changes, or that do not sum to 1 as was asked for."""
    if wanted is None and np.ptp(values, axis=0).max() < 1e-6:
        raise ValueError(
            f"the model gives {values[0].min():.4g} to {values[0].max():.4g} whatever the picture ({layer}), as a "
            "softmax over an axis of one does, or a model that was trained on other pixels (--preprocessing): there is "
            "nothing to explain; --score says what the numbers are even so"
        )
    if wanted == SOFTMAX:
        raise ValueError(
            f"score 'softmax' does not fit: the outputs are from 0 to 1 and do not sum to 1 ({layer}); leave --score "
            "out, or explain the numbers themselves with --score=none"
        )


def _is_embedding(values: np.ndarray) -> bool:
    """Whether the numbers (n, C) of each image are a vector of length 1."""
    return values.shape[1] > 1 and np.allclose(np.square(values).sum(axis=-1), 1, atol=1e-3)


def _are_balanced(output) -> bool:
    """Whether the last operation adds biases, one an output, that are not 0 and add up to 0."""
    last = last_operation(output)
    if last.type not in ("BiasAdd", "AddV2") or Operations(output.graph).depends_on_image(last.inputs[1].op):
        return False
    bias = recomputing([last.inputs[1]], [])()[0].reshape(-1)
    return len(bias) == output.shape[-1] and bool(abs(bias.sum()) < BALANCED * np.sqrt(bias @ bias))


def _check_vary(values: np.ndarray, behind: set[str], layer: str) -> None:
    """ValueError for linear outputs (n, C) that are hardly logits of one class among others."""
    between = np.ptp(values - values[:, :1], axis=0).max()
    if between < 1e-4 * np.ptp(values, axis=0).max():
        raise ValueError(
            f"the outputs are the same number with thresholds of their own, whatever the picture ({layer}), as of "
            "ordered classes, and a softmax of them would never change: --score=sigmoid takes each for a yes or no "
            "(more than this class), --score=none for a number"
        )
    if behind & set(NO_SCORES) and behind & set(POOLS):
        raise ValueError(
            f"the model ends in pooled features ({layer}) with no weights of classes behind them, as a network of "
            "include_top=False does: put a head on it, or end in a target (docs/targets.md); --score=softmax says that "
            "they are logits, --score=none that they are numbers"
        )


def _guess(one_unit: bool, loss: str | None) -> Score:
    """The score of linear outputs of which nothing else tells what they are; ValueError for a single one: the logit of
    a yes or no and a number, as of a regression, look alike."""
    of_loss = f"no loss that tells: {loss}" if loss else "no loss with it that tells"
    if one_unit:
        raise ValueError(
            f"the model has one linear output and {of_loss}: what it means cannot be known; --score=sigmoid says that "
            "it is the logit of a yes or no, --score=none that it is a number, as of a regression"
        )
    doubt = (
        f"the model has linear outputs and {of_loss}: it is guessed that they are logits of one class among others; "
        "--score=softmax says so, --score=sigmoid that several may be there, --score=none that they are numbers"
    )
    return Score(SOFTMAX, False, LOGITS, "guessed of a linear output; --score says what it is", doubt)


def _doubt_of_numbers(wanted: str | None, loss: str | None) -> str:
    """In words, of outputs of 0 to 1, what a loss of numbers says against their being probabilities."""
    if wanted is not None or LOSSES.get(loss) != NONE:
        return ""
    return (
        f"the outputs are from 0 to 1 and were trained with {loss}, as numbers are: if they are no probabilities, "
        "--score=none explains them"
    )


def _doubt_of_logits(loss, name: str) -> str:
    """In words, of linear outputs, what their loss says against their being logits."""
    if takes_logits(loss) is not False:
        return ""
    return (
        f"the outputs are linear, and {name} was not told from_logits=True: training took them for probabilities, and "
        "here they are logits; --score=none explains the numbers themselves"
    )


def are_no_logits(values: np.ndarray) -> bool:
    """Whether numbers (n, C) of pictures from black to white would be the same sure answer to each of them."""
    if values.shape[1] == 1:
        return bool(values.min() > SURE or values.max() < -SURE)
    top = np.sort(values, axis=1)
    return len(set(values.argmax(axis=1))) == 1 and bool((top[:, -1] - top[:, -2]).min() > SURE)


# --- the loss ------------------------------------------------------------------------------------------------
def loss_name(loss) -> str | None:
    """The name of a loss, without '_' and in lower case: of a name, a function, an object, or what a file holds.

    What wraps another loss, a `functools.partial` or a class derived from one of Keras's, has the name of that.
    """
    if isinstance(loss, dict):
        config = loss.get("config")
        inner = config.get("fn") if isinstance(config, dict) else config
        loss = inner if isinstance(inner, (str, dict)) else loss.get("class_name")
        return loss_name(loss)
    if loss is None or isinstance(loss, (list, tuple)):
        return None
    if isinstance(loss, functools.partial):
        return loss_name(loss.func)
    if isinstance(loss, str):
        return (loss.rsplit(">", 1)[-1] or loss).lower().replace("_", "")  # a file may hold 'package>name'
    if hasattr(loss, "__name__"):
        return loss_name(loss.__name__)
    names = [loss_name(kind.__name__) for kind in type(loss).__mro__]
    known = next((name for name in names if name in LOSSES), None)
    return known or (loss_name(loss.fn) if hasattr(loss, "fn") else names[0])


def takes_logits(loss) -> bool | None:
    """Whether a loss of Keras was told that it is given logits; None of another loss."""
    if isinstance(loss, functools.partial):
        return bool(loss.keywords.get("from_logits", takes_logits(loss.func)))
    if isinstance(loss, dict):
        config = loss.get("config")
        return bool(config.get("from_logits", False)) if isinstance(config, dict) else False
    if isinstance(loss, str) or getattr(loss, "__module__", "").startswith("keras."):
        return bool(getattr(loss, "from_logits", False))
    return getattr(loss, "from_logits", None)


def choose_loss(loss, output_names: list[str], output_name: str | None):
    """The loss of one output, of those of all outputs as `compile` takes them: by name, in order, or one for all."""
    is_one = isinstance(loss, dict) and "class_name" in loss
    if isinstance(loss, dict) and not is_one:
        return loss.get(output_name or next(iter(loss), None))
    if isinstance(loss, (list, tuple)):
        position = output_names.index(output_name) if output_name in output_names else 0
        return loss[position] if position < len(loss) else None
    return loss

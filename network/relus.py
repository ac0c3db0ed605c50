"""Which ReLUs of a traced network are its activations, and which other non-linearities it has.

Guided backpropagation and DeconvNet change the gradient of the ReLUs that a network is made of. A ReLU may also be a
part of something else, and its gradient is then left as it is:

    hard sigmoid   relu6(x + 3) / 6, which scales what it is multiplied with: a gate
    hard swish     x relu6(x + 3) / 6
    PReLU          relu(x) - a relu(-x): the two of them are one activation
"""

from collections import Counter
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from network.operations import CALLS, HANDS_ON, Operations

RELU_OPERATIONS = ("Relu", "Relu6")  # TensorFlow's, whatever layer runs them
HARD_SIGMOID, HARD_SWISH, PRELU = "hard sigmoid", "hard swish", "PReLU"
GATES = (HARD_SIGMOID, "sigmoid")  # they weigh features and are no activation of any
OTHERS = {  # operations of other non-linearities -> what they are called
    "Elu": "ELU",
    "Erf": "GELU",
    "Erfc": "GELU",
    "LeakyRelu": "leaky ReLU",
    "Selu": "SELU",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}


@dataclass(frozen=True)
class Relus:
    """activations: how many ReLUs are activations. others: the other non-linearities, name -> how many."""

    activations: int
    others: dict[str, int]

    @property
    def n_other_activations(self) -> int:
        """How many activations are no ReLUs."""
        return sum(count for name, count in self.others.items() if name not in GATES)

    def describe_others(self) -> str:
        """The other non-linearities in words; '' where there are none."""
        return ", ".join(f"{count} x {name}" for name, count in self.others.items())


def find_relus(outputs) -> Relus:
    """The non-linearities between the images and the tensors, any structure of them, of a traced graph."""
    tensors = keras.tree.flatten(outputs)
    graph = tensors[0].graph
    inside = Operations(graph).on_the_way_to(tensors)
    kinds = Counter(kind_of(operation) for operation in inside)
    others = {name: count for name, count in sorted(kinds.items()) if name not in ("", "ReLU")}
    if PRELU in others:
        others[PRELU] //= 2
    closed = [operation for operation in inside if operation.type in CALLS]
    types = _types_by_function(graph) if closed else {}
    n_hidden = sum(bool({*RELU_OPERATIONS, *OTHERS} & types[operation.get_attr("f").name]) for operation in closed)
    return Relus(kinds["ReLU"], {**others, "function that cannot be looked into": n_hidden} if n_hidden else others)


def _types_by_function(graph) -> dict[str, set[str]]:
    """The types of the operations of each function that the graph may call, by its name."""
    library = graph.as_graph_def().library.function
    return {function.signature.name: {node.op for node in function.node_def} for function in library}


def kind_of(operation) -> str:
    """'ReLU' of one that is an activation, the name of another non-linearity, '' of an operation that is none."""
    if operation.type in RELU_OPERATIONS:
        return _kind_of_relu(operation)
    if operation.type == "Sigmoid":
        before = [operation.inputs[0], *operation.inputs[0].op.inputs]  # x, or a constant times x
        return "swish" if any(_multiplies(operation.outputs[0], tensor) for tensor in before) else "sigmoid"
    if operation.type == "Maximum" and any(_is_constant(tensor) for tensor in operation.inputs):
        return "maximum of a constant"
    return OTHERS.get(operation.type, "")


def _kind_of_relu(operation) -> str:
    for scaled, factor in _scaled(operation.outputs[0]):
        by_a_sixth = operation.type == "Relu6" and np.isclose(factor, 1 / 6, rtol=0.01)
        if by_a_sixth or _multiplies(scaled, None):
            shifted = _values(operation.inputs[0]).op
            own = any(_multiplies(scaled, tensor) for tensor in shifted.inputs)
            return HARD_SWISH if own else HARD_SIGMOID
    return PRELU if _is_half_of_a_pair(operation) else "ReLU"


def _scaled(tensor):
    """(tensor, factor) of each product of the tensor and one number."""
    for consumer in _consumers(tensor):
        if consumer.type in ("Mul", "RealDiv"):
            for other in consumer.inputs:
                value = tf.get_static_value(other)
                if value is not None and np.size(value) == 1:
                    factor = float(np.reshape(value, -1)[0])
                    yield consumer.outputs[0], 1 / factor if consumer.type == "RealDiv" else factor


def _multiplies(tensor, wanted) -> bool:
    """Whether the tensor is multiplied with the wanted one, or, of None, with any that is neither number nor weight."""
    for consumer in _consumers(tensor):
        for other in consumer.inputs if consumer.type == "Mul" else ():
            if wanted is not None:
                if _values(other) is _values(wanted):
                    return True
            elif _values(other) is not _values(tensor) and not _is_constant(other):
                return True
    return False


def _is_half_of_a_pair(operation) -> bool:
    """Whether it is one of relu(x) and relu(-x), which are added up and not laid side by side."""
    before = operation.inputs[0]
    if before.op.type == "Neg":
        partners = _consumers(before.op.inputs[0])
    else:
        partners = [
            after for other in _consumers(before) if other.type == "Neg" for after in _consumers(other.outputs[0])
        ]
    if not any(other.type in RELU_OPERATIONS for other in partners):
        return False
    return not any(consumer.type == "ConcatV2" for consumer in _consumers(operation.outputs[0]))


def _consumers(tensor) -> list:
    """The operations that take the tensor's values, behind those that only hand them on."""
    found = []
    for consumer in tensor.consumers():
        found += _consumers(consumer.outputs[0]) if consumer.type in HANDS_ON else [consumer]
    return found


def _values(tensor):
    """The tensor whose values this one hands on."""
    return _values(tensor.op.inputs[0]) if tensor.op.type in HANDS_ON else tensor


def _is_constant(tensor) -> bool:
    return tf.get_static_value(tensor) is not None or _values(tensor).op.type == "ReadVariableOp"

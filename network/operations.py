"""A traced network read operation by operation: what is computed, whatever the layers around it are called.

A `Lambda`, a custom layer or a model with a `call` of its own shows nothing of what it does; the graph that
TensorFlow traces of it does. Weights are what is read from variables, and the first of them stand in the first
convolution or matrix product that an image reaches.
"""

from collections.abc import Callable, Collection, Sequence

import tensorflow as tf

MIXING = (  # operations that weigh and add up channels or positions
    "Conv2D",
    "Conv2DBackpropInput",
    "Conv3D",
    "DepthwiseConv2dNative",
    "MatMul",
    "BatchMatMul",
    "BatchMatMulV2",
    "BatchMatMulV3",
    "Einsum",
)
CALLS = ("PartitionedCall", "StatefulPartitionedCall")  # of graphs of their own: what is in them is not seen
HANDS_ON = ("Identity", "Reshape", "Cast", "Squeeze", "ExpandDims", "CheckNumerics", "EnsureShape")  # the same values


class Operations:
    """The operations of a traced graph, told apart by what they depend on.

    graph: a `FuncGraph` whose first input is the images.
    """

    def __init__(self, graph):
        self.all = graph.get_operations()  # in the order they were made: what an operation needs stands before it
        self._of_image, self._of_weights, self._behind_weights = set(), set(), set()
        images = graph.inputs[0].op
        for operation in self.all:
            before = [tensor.op for tensor in operation.inputs]
            if operation is images or any(self.depends_on_image(other) for other in before):
                self._of_image.add(operation.name)
            elif operation.type == "ReadVariableOp" or any(other.name in self._of_weights for other in before):
                self._of_weights.add(operation.name)
            if self.weighs(operation) or any(other.name in self._behind_weights for other in before):
                self._behind_weights.add(operation.name)

    def depends_on_image(self, operation) -> bool:
        """Whether what the operation gives changes with the image."""
        return operation.name in self._of_image

    def weighs(self, operation) -> bool:
        """Whether the operation applies learnt weights to what depends on the image, or calls what may."""
        if not self.depends_on_image(operation):
            return False
        weights = any(tensor.op.name in self._of_weights for tensor in operation.inputs)
        if operation.type in CALLS:
            return weights or any(tensor.dtype == tf.resource for tensor in operation.inputs)
        return weights and operation.type in MIXING

    def in_front_of_weights(self) -> list:
        """The tensors that the first weights of each branch are applied to; [] where the graph holds none."""
        found = {}
        for operation in self.all:
            for tensor in operation.inputs if self.weighs(operation) else ():
                is_new = tensor.op.name not in self._behind_weights and tensor.dtype.is_floating  # no shape, no index
                if is_new and self.depends_on_image(tensor.op):
                    found[tensor.name] = tensor
        return list(found.values())

    def on_the_way_to(self, tensors: list) -> list:
        """The operations that carry the image to any of the tensors, in their order."""
        return [operation for operation in self.needed_for(tensors) if self.depends_on_image(operation)]

    def needed_for(self, tensors: list) -> list:
        """The operations that any of the tensors needs, in their order."""
        needed = _needed_for([tensor.op for tensor in tensors])
        return [operation for operation in self.all if operation.name in needed]

    def types_behind_weights(self, tensor) -> set[str]:
        """The types of the operations between the last weights and the tensor."""
        types, left, seen = set(), [tensor.op], set()
        while left:
            operation = left.pop()
            if operation.name in seen or not self.depends_on_image(operation):
                continue
            seen.add(operation.name)
            types.add(operation.type)
            if not self.weighs(operation):
                left += [before.op for before in operation.inputs]
        return types


def last_operation(tensor):
    """The operation that made the tensor's values; those behind it only hand them on."""
    operation = tensor.op
    while operation.type in HANDS_ON:
        operation = operation.inputs[0].op
    return operation


def recomputing(tensors: list, given: Sequence | None = None, averaging: bool = False) -> Callable:
    """A function from other values of `given` to those of tensors of a traced graph, float32 arrays; nothing behind
    them is computed.

    given: tensors of the graph; None: its images. averaging: of windows that are pooled the mean, not the largest.
    """
    graph = tensors[0].graph
    given = graph.inputs[:1] if given is None else given
    wanted = [tensor.op for tensor in tensors]
    kept = _needed_for(wanted, {tensor.name for tensor in given})
    definition = graph.as_graph_def()
    nodes = [node for node in definition.node if node.name in kept]
    for node in nodes:
        node.attr.pop("_class", None)  # that it runs beside one which may be left out
        if averaging and node.op == "MaxPool":
            node.op = "AvgPool"
            node.attr.pop("explicit_paddings", None)
    del definition.node[:]
    definition.node.extend(nodes)
    read = {tensor.name for name in kept for tensor in graph.get_operation_by_name(name).inputs}
    read |= {tensor.name for tensor in tensors}

    def run(*values):
        here = tf.compat.v1.get_default_graph()
        feeds = {inner.name: here.capture(outer) for outer, inner in graph.captures if inner.name in read}
        feeds |= {tensor.name: value for tensor, value in zip(given, values) if tensor.name in read}
        found = tf.graph_util.import_graph_def(definition, feeds, [tensor.name for tensor in tensors])
        return [tf.cast(tensor, tf.float32) for tensor in found]

    specs = [tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype) for tensor in given]
    compiled = tf.function(run, input_signature=specs, autograph=False)
    return lambda *values: [tensor.numpy() for tensor in compiled(*values)]


def _needed_for(operations: list, given: Collection[str] = ()) -> set[str]:
    """The names of the operations and of all that they need; of what only `given`, names of tensors, need, nothing."""
    needed, left = set(), list(operations)
    while left:
        operation = left.pop()
        if operation.name not in needed:
            needed.add(operation.name)
            left += [tensor.op for tensor in operation.inputs if tensor.name not in given]
            left += operation.control_inputs
    return needed

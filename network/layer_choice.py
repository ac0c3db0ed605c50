"""The layer that CAM methods look at: the last feature map that every path from the image to the output passes through.

    v lies on every path   <=>   paths(image, v) * paths(v, output) = paths(image, output)

counted over the operations of the traced graph; how large a tensor is (`tf.shape`) is no path. So neither a branch of
squeezed features, nor a convolution that scores positions for attention, nor one of two networks is ever chosen. Nor is
a patch embedding while positions have not yet seen each other and will behind it; nor a map of which the output only
uses what is no part of it (the class token behind the last attention). Beside a class token the patches' last path
leads on into the attention of the last block, mostly through its normalisation: that is then the layer.
"""

import difflib
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from network import geometry, tokens
from network.layer_graph import PATCHES_LAYER, Between, Step
from network.operations import last_operation

KEEPS_THE_MAP = (  # layers that hand a feature map on without making a new one
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.Dropout,
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.SpatialDropout2D,
    keras.layers.Flatten,
    keras.layers.Identity,
    keras.layers.ZeroPadding2D,
)
KEEPS_OPERATIONS = ("Reshape", "Transpose", "Pad", "Cast", "MaxPool", "AveragePool", "GetItem", "Squeeze")  # keras.ops
NO_PATH = ("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike")  # of TensorFlow: what is inside does not count


class Layers:
    """The layers of a traced network that a map can be made of.

    steps: of `layer_graph.trace_model`, outputs: what of the network's is explained, image_shape: (H, W, channels).
    """

    def __init__(self, steps: Sequence[Step], outputs, image_shape: Sequence[int]):
        self._all, self._outputs, self._image_shape = list(steps), keras.tree.flatten(outputs), tuple(image_shape)
        self._places = geometry.carry(steps, image_shape)
        self._layouts, self._measured, self._rows = {}, set(), _rows_per_image(steps)
        self.steps = self._feature_map_steps()

    def layout(self, step: Step) -> tokens.FeatureLayout | None:
        """How the step's output is a feature map, by its carried places; None where they are not understood."""
        key = id(step.output)
        if key not in self._layouts:
            carried = tokens.find_layout(tuple(step.output.shape[1:]), self._places.get(key))
            self._layouts[key] = carried or self._over_patches(step)
        return self._layouts[key]

    def _over_patches(self, step: Step) -> tokens.FeatureLayout | None:
        """The layout of a map over the patches of `attention_layers.cut_patches`, whose cells fill the image."""
        cut = [other.output for other in self._all if other.name == PATCHES_LAYER and tf.is_tensor(other.output)]
        if not cut or cut[-1].shape.rank != 6 or step.output.shape.rank != 4 or self.is_of_pieces(step):
            return None
        if step.output.shape[1:3] != cut[-1].shape[1:3]:
            return None
        return tokens.stretched(*step.output.shape[1:], assumed=False)

    def is_of_pieces(self, step: Step) -> bool:
        """Whether its output is known to have several rows for an image."""
        return self._rows[id(step.output)] != 1

    def is_measured(self, step: Step) -> bool:
        """Whether it is known by measuring where the layer moves things: what is inside does not matter."""
        places = self._places.get(id(step.output))
        return places is not None and step.name in places.through[-1:]

    def measure(self, step: Step, run: Callable[[np.ndarray], np.ndarray]) -> tokens.FeatureLayout | None:
        """The layout of a step whose places were lost on the way, measured on the whole network.

        run: images (n, H, W, channels) to the step's output (n, ...).
        """
        if id(step.output) in self._measured:
            return self.layout(step)
        self._measured.add(id(step.output))
        before, after = self._image_shape, tuple(step.output.shape[1:])
        image = geometry.whole_image(*before[:2])
        self._layouts[id(step.output)] = tokens.find_layout(
            after, geometry.measure(run, image, before, after, "measured")
        )
        return self.layout(step)

    def _feature_map_steps(self) -> list[Step]:
        """Those from the first kernel on, with positions, of whole images."""
        first = next((i for i, step in enumerate(self._all) if _has_kernel(step.layer)), len(self._all))
        found = []
        for step in self._all[first:]:
            if not tf.is_tensor(step.output) or self.is_of_pieces(step):
                continue
            if step.output.shape.rank and step.output.shape[0] is not None:  # the images lie along another axis
                continue
            is_map = step.output.shape.rank == 4 and step.output.shape[1:3].num_elements() != 1
            if is_map or (step.output.shape.rank == 3 and self.layout(step) is not None):
                found.append(step)
        return found

    def choose(self, find_used: Callable[[list], list], place: Callable[[Step], object]) -> tuple[Step | None, str]:
        """The default layer, or None and the reason.

        find_used(steps): those with whose map the output changes. place(step): its layout by `layout` or, where
        that knows none, measured on the whole network; None where it has none.
        """
        on_every_path = self._on_every_path()
        last_calls = {step.path: step for step in self.steps}  # what a layer is looked at for, if it runs several times
        maps = {id(step.output) for step in self.steps if self.layout(step) is not None}
        used = None
        for step in reversed(self.steps):
            if step.output not in on_every_path or self._hands_on(step, maps):
                continue
            if last_calls[step.path] is not step:
                continue
            layout = place(step)
            if layout is None:
                return None, f"where the map of {step.path!r} lies on the image is not understood"
            if not layout.mixed and self._mixes_behind(step):
                return None, f"{step.path!r} holds patches that have not seen each other yet"
            if not layout.has_others and self._is_joined_out_of_sight(step, on_every_path):
                return None, f"code joins what layers make of {step.path!r} to a map that no layer is given"
            if not layout.has_others:
                return step, ""
            if used is None:
                used = find_used([other for other in self._beside_others() if other.output in on_every_path])
            if step in used:
                return step, ""
        return None, "no feature map lies on every path from the image to the output" if self.steps else ""

    def choose_beside_code(self, find_used: Callable[..., list]) -> Step | None:
        """The default layer where `choose` knows none as code carries tokens around layers, `x + attend(norm(x))`: the
        last through whose patches alone those of what it is given, which lies on every path, reach the output; or None.

        find_used(steps, but_for, given): as in `nearer_to_class_token`; with `given`, the layout of what `but_for` is
        given, that step is among those found if the output changes with it otherwise than through the step.
        """
        on_every_path, beside = self._on_every_path(), self._beside_others()
        for step in reversed(find_used(beside) if beside else []):
            tensor = step.inputs[0]
            given = tokens.find_layout(tuple(tensor.shape[1:]), self._places.get(id(tensor)))
            if tensor not in on_every_path or given is None or not (given.has_others and given.mixed):
                continue
            if not find_used([], step, given):
                return step
        return None

    def _hands_on(self, step: Step, maps: set[int]) -> bool:
        """Whether the step gives the map that it is given. maps: ids of the tensors that are some."""
        if isinstance(step.layer, Between):
            return last_operation(step.inputs[0]) in {tensor.op for other in self._all for tensor in _tensors(other)}
        hands_on = isinstance(step.layer, KEEPS_THE_MAP) or type(step.layer).__name__ in KEEPS_OPERATIONS
        return hands_on and any(id(tensor) in maps or tensor.shape.rank == 4 for tensor in step.inputs)

    def _is_joined_out_of_sight(self, step: Step, on_every_path: "_Tensors") -> bool:
        """Whether branches with kernels behind the step meet in a map that is no layer's: x + conv(x) in code."""
        branches = [other for other in self.steps[self.steps.index(step) + 1 :] if _has_kernel(other.layer)]
        branches = [other for other in branches if other.output not in on_every_path]
        operations = step.output.graph.get_operations()
        start = operations.index(branches[0].output.op) + 1 if branches else len(operations)
        return any(
            tensor in on_every_path and tensor.shape.rank == 4 and tensor.shape[1:3].num_elements() != 1
            for operation in operations[start:]
            for tensor in operation.outputs
        )

    def nearer_to_class_token(self, step: Step, find_used: Callable[..., list]) -> Step | None:
        """The last layer behind the step through whose patches alone those of the step reach the output, or None.

        find_used(steps, but_for): those with whose map the output changes, otherwise than through that of another.
        """
        behind = [later for later in self._beside_others() if self.steps.index(later) > self.steps.index(step)]
        behind = [later for later in behind if self.layout(later).shape[:2] == self.layout(step).shape[:2]]
        used, found = find_used(behind) if behind else [], None
        for later in behind:
            if later not in used or find_used([step], later):
                break
            found = later
        return found

    def _beside_others(self) -> list[Step]:
        """The steps whose tensors hold more than the map: a class token."""
        layouts = [(step, self.layout(step)) for step in self.steps]
        return [step for step, layout in layouts if layout is not None and layout.has_others]

    def find(self, wanted: str) -> Step:
        """The step of that name or path, as `find_layer`; ValueError for one that runs several times side by side."""
        step = find_layer(self.steps, wanted)
        n_calls = len({id(other.output) for other in self.steps if other.path == step.path})
        if n_calls > 1 and step.output not in self._on_every_path():
            raise ValueError(
                f"the layer {wanted!r} runs {n_calls} times in this model, its map would be that of one call alone; "
                "choose by --layer_name a layer in front of it or behind, where its calls meet"
            )
        return step

    def _mixes_behind(self, step: Step) -> bool:
        """Whether positions see each other behind the step: in attention, a convolution, a recurrent layer."""
        behind = self._all[self._all.index(step) + 1 :]
        return any(
            getattr(later.layer, "weights", ())
            and not isinstance(later.layer, (*geometry.KEEPS_POSITIONS, *geometry.LAST_AXIS))
            and any(tensor.shape.rank in (3, 4) and tensor.shape[1:-1].num_elements() != 1 for tensor in later.inputs)
            for later in behind
        )

    def _on_every_path(self) -> "_Tensors":
        """The tensors of the graph that every path from the image to the output passes through."""
        graph, ends = self._outputs[0].graph, [output.op for output in self._outputs]
        source, operations = graph.inputs[0].op, graph.get_operations()
        to, back = {source: 1}, dict.fromkeys(ends, 1)
        for operation in operations:  # in an order in which they can run
            if operation is not source and operation.type not in NO_PATH:
                to[operation] = sum(to.get(tensor.op, 0) for tensor in operation.inputs)
        for operation in reversed(operations):
            if operation.type in NO_PATH:
                continue
            for tensor in operation.inputs:
                back[tensor.op] = back.get(tensor.op, 0) + back.get(operation, 0)
        total = sum(to[end] for end in set(ends))
        return _Tensors({operation for operation in to if to[operation] * back.get(operation, 0) == total > 0})


class _Tensors:
    """A set of tensors by what makes them; one that goes through unchanged is that of the layer before."""

    def __init__(self, operations: set):
        self._operations = operations

    def __contains__(self, tensor: tf.Tensor) -> bool:
        return tensor.op in self._operations


def _tensors(step: Step) -> list[tf.Tensor]:
    return [tensor for tensor in keras.tree.flatten(step.output) if tf.is_tensor(tensor)]


def _has_kernel(layer) -> bool:
    """Whether the layer owns a matrix or a kernel that slides over positions."""
    return any(len(weight.shape) >= 2 for weight in getattr(layer, "weights", ()))


def _rows_per_image(steps: Sequence[Step]) -> dict[int, float]:
    """id of an output -> how many rows of it an image has: one, until `keras.ops.reshape` makes images of patches."""
    rows = {}
    for step in steps:
        n = max((rows.get(id(tensor), 1) for tensor in step.inputs), default=1)
        if type(step.layer).__name__ == "Reshape":
            before, after = (tensor.shape[1:].num_elements() for tensor in (step.inputs[0], step.output))
            n *= before / after if before and after else 1
        for tensor in keras.tree.flatten(step.output):
            rows[id(tensor)] = n
    return rows


def find_layer(steps: Sequence[Step], wanted: str) -> Step:
    """The last of the steps of that name or path; ValueError lists the near and the last ones."""
    found = [step for step in steps if step.path == wanted] or [step for step in steps if step.name == wanted]
    paths = list(dict.fromkeys(step.path for step in found or steps))
    if found and len(paths) == 1:
        return found[-1]
    near = difflib.get_close_matches(wanted, paths, n=5, cutoff=0.6)
    listed = list(dict.fromkeys([*near, *paths[-10:]])) or ["none, the model has no convolution"]
    more = ", ..." if len(listed) < len(paths) else ""
    problem = f"several layers are named {wanted!r}" if found else f"no layer {wanted!r} with a feature map"
    raise ValueError(f"{problem}; choose among {len(paths)}: {', '.join(listed)}{more}")

"""The config of a model of tf.keras 2 (TensorFlow 2.0-2.15, Teachable Machine), as Keras 3 understands it.

The two write the same networks in other words. What only another word is, is reworded; what has another meaning in
Keras 3, or none, is refused by layer and by what to do:

    DepthwiseConv2D(groups=1), BatchNormalization(fused=None), ...                arguments that say nothing: left out
    BatchNormalization(axis=[3]), dtype=Policy, batch_input_shape, Conv/BatchNorm  reworded
    TFOpLambda(math.truediv), SlicingOpLambda: `preprocess_input` in the model     the operation of keras.ops
    RandomHeight, RandomWidth                                                      nothing happens at inference

Weights are not touched: Keras reads those of both. A config of Keras 3 comes out as it went in.
"""

import inspect

import keras

from network.model_config_check import ACTIVATIONS, LAYERS, MODELS, find_operation

SAYS_NOTHING = {  # argument that Keras 3 does not know -> its values that change nothing; None: whatever its value
    "groups": (1,),  # of depthwise, separable and transposed convolutions
    "kernel_initializer": None,  # of depthwise and separable ones: their kernels have names of their own
    "kernel_regularizer": None,
    "kernel_constraint": None,
    "virtual_batch_size": (None,),
    "fused": None,
    "adjustment": (None,),
    "rng_type": None,
    "implementation": None,
    "time_major": (False,),
    "experimental_autocast": None,
    "experimental_run_tf_function": None,
    "fill_mode": None,  # of augmentation: nothing happens at inference
    "interpolation": None,
    "activity_regularizer": None,
    "noise_shape": (None,),
    "trainable": None,
}
NOTHING_AT_INFERENCE = ("RandomHeight", "RandomWidth")
RENAMED = {"SyncBatchNormalization": ("BatchNormalization", {"synchronized": True})}
ARITHMETIC = {  # operation of TensorFlow -> class of keras.ops, and what it calls the second operand
    "math.add": ("Add", "y"),
    "__operators__.add": ("Add", "y"),
    "nn.bias_add": ("Add", "bias"),
    "math.subtract": ("Subtract", "y"),
    "math.multiply": ("Multiply", "y"),
    "math.truediv": ("TrueDivide", "y"),
    "math.divide": ("TrueDivide", "y"),
}
REDUCTIONS = {"math.reduce_mean": "Mean", "math.reduce_sum": "Sum", "math.reduce_max": "Max"}


def modernise(config: dict) -> dict:
    """The config of a model in the words of Keras 3; ValueError names the layer that has none there."""
    if isinstance(config.get("config"), list):  # a Sequential of Keras 2.0
        config = {**config, "config": {"name": config["class_name"].lower(), "layers": config["config"]}}
    if not _is_model(config):  # a class of its author's, with a config of its own
        return config
    try:
        return _reword_model(config)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"its layers are not described as Keras does ({type(error).__name__}: {error})") from error


def _reword_model(model: dict) -> dict:
    inner = dict(model["config"])
    is_old = any(isinstance(node, list) for layer in inner["layers"] for node in layer.get("inbound_nodes", ()))
    if is_old:
        inner = _recount_calls(inner)
    layers = [_reword_layer(layer) for layer in inner["layers"]]
    for key in ("input_layers", "output_layers"):
        if key in inner:
            # One tensor was written as a list of one, which Keras 3 takes for a list that the model returns.
            only = is_old and len(inner[key]) == 1 and _is_reference(inner[key][0])
            inner[key] = _without_slashes(inner[key][0] if only else inner[key])
    model = {**model, "config": {**inner, "layers": layers}}
    if "module" in model and model["class_name"] in MODELS:
        module = "keras.src.models.functional" if model["class_name"] == "Functional" else "keras.models"
        model |= {"module": module, "registered_name": None}
    return model


def _recount_calls(inner: dict) -> dict:
    """The config of a functional model with the calls of the models in it counted from 0.

    In tf.keras 2 the first call of a nested model is its second, after the one that built it. Keras 3 knows that of
    the functional ones among a model's outputs, and nowhere else.
    """
    nested = {layer["name"]: layer["class_name"] for layer in inner["layers"] if _is_model(layer)}

    def recount(value, models):
        if _is_reference(value):
            index = max(0, value[1] - 1) if value[0] in models else value[1]
            return [value[0], index, value[2], *(recount(item, models) for item in value[3:])]
        if isinstance(value, list):
            return [recount(item, models) for item in value]
        return {key: recount(item, models) for key, item in value.items()} if isinstance(value, dict) else value

    layers = [{**layer, "inbound_nodes": recount(layer["inbound_nodes"], nested)} for layer in inner["layers"]]
    sequential = [name for name, class_name in nested.items() if class_name == "Sequential"]
    return {**inner, "layers": layers, "output_layers": recount(inner["output_layers"], sequential)}


def _is_model(layer: dict) -> bool:
    return isinstance(layer.get("config"), dict) and isinstance(layer["config"].get("layers"), list)


def _reword_layer(layer: dict) -> dict:
    """One entry of a model's `layers`: class, config, and in a functional model its inputs."""
    layer = dict(layer)
    class_name = layer["class_name"]
    if class_name in ("TFOpLambda", "SlicingOpLambda"):
        return _reword_operation(layer)
    if "name" in layer:
        layer["name"] = _without_slashes(layer["name"])
    if "inbound_nodes" in layer:
        layer["inbound_nodes"] = [_reword_node(node) for node in layer["inbound_nodes"]]
    is_call = any(isinstance(node, dict) for node in layer.get("inbound_nodes", ()))
    if "module" not in layer and is_call and "trainable" not in layer["config"]:  # an operation in a `.h5` of Keras 3
        return {**layer, "module": find_operation(class_name), "registered_name": None}
    if _is_model(layer):
        layer = _reword_model(layer)
        layer["config"]["name"] = _without_slashes(layer["config"].get("name") or class_name.lower())
        return layer
    return _reword_class(layer)


def _reword_class(layer: dict) -> dict:
    """A layer without what only tf.keras 2 says; wrapped layers too."""
    class_name, inner = layer["class_name"], dict(layer.get("config") or {})
    if class_name in NOTHING_AT_INFERENCE:
        class_name, inner = "Identity", {"name": inner.get("name")}
    elif class_name in RENAMED:
        class_name, more = RENAMED[class_name]
        inner |= more
    if class_name not in LAYERS or not _is_of_keras(layer):
        return layer
    if "module" in layer:
        layer |= {"module": "keras.layers", "registered_name": None}
        if "batch_input_shape" in inner:
            inner["batch_shape" if class_name == "InputLayer" else "batch_input_shape"] = inner.pop("batch_input_shape")
    if isinstance(inner.get("name"), str):
        inner["name"] = _without_slashes(inner["name"])
    if isinstance(inner.get("dtype"), dict) and inner["dtype"].get("class_name") == "Policy":
        inner["dtype"] = inner["dtype"]["config"]["name"]
    if class_name in ("BatchNormalization", "LayerNormalization") and isinstance(inner.get("axis"), list):
        inner["axis"] = inner["axis"][0] if len(inner["axis"]) == 1 else inner["axis"]
    for key in ("layer", "forward_layer", "backward_layer"):  # of TimeDistributed, Bidirectional
        if isinstance(inner.get(key), dict) and "class_name" in inner[key]:
            inner[key] = _reword_layer(inner[key])
    for key in set(SAYS_NOTHING) & set(inner) - _arguments(class_name):
        nothing = SAYS_NOTHING[key]
        if nothing is not None and inner[key] not in nothing:
            raise ValueError(
                f"layer {inner.get('name')!r} ({class_name}) has {key}={inner[key]!r}, which Keras 3 does not have; "
                "rebuild the model in Keras 3 without it"
            )
        del inner[key]
    return {**layer, "class_name": class_name, "config": inner}


def _is_of_keras(layer: dict) -> bool:
    """Whether a layer is Keras's own, of either version, and not one of that name from elsewhere."""
    module = layer.get("module", "keras.layers") or ""
    is_operation = module.startswith("keras.src.ops.")
    return module.startswith(("keras.", "tf_keras.")) and not is_operation


def _arguments(class_name: str) -> set[str]:
    """The arguments that a layer of Keras 3 takes, with those that it hands on to the classes above it."""
    found = set()
    for kind in getattr(keras.layers, class_name).__mro__:
        if "__init__" not in vars(kind):
            continue
        parameters = inspect.signature(kind.__init__).parameters
        found |= set(parameters)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            break
    return found


def _without_slashes(value):
    """A layer's name, or a list of such as [name, node, tensor]: Keras 3 lets no name hold a '/'."""
    if isinstance(value, str):
        return value.replace("/", "_")
    if isinstance(value, list):
        return [_without_slashes(item) for item in value]
    if isinstance(value, dict) and "keras_history" not in value:
        return {key: _without_slashes(item) for key, item in value.items()}
    return value


# --- calls and operations --------------------------------------------------------------------------------
def _is_reference(value) -> bool:
    """Whether the value is a tensor of tf.keras 2: [layer, node, tensor] or [layer, node, tensor, arguments]."""
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(number, int) for number in value[1:3])
    )


def _reword_node(node):
    """One call of a layer; those of Keras 3 are dictionaries."""
    if not isinstance(node, list):
        return node
    if _is_reference(node):
        node = [node]
    return [[_without_slashes(call[0]), *call[1:]] if _is_reference(call) else call for call in node]


def _tensor(reference: list) -> dict:
    """The tensor as Keras 3 writes it; its shape is told by the layer it comes from."""
    history = [_without_slashes(reference[0]), *reference[1:3]]
    return {"class_name": "__keras_tensor__", "config": {"shape": [None], "dtype": "float32", "keras_history": history}}


def _operand(value):
    if _is_reference(value):
        return _tensor(value)
    if isinstance(value, list):
        return {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}}
    return value


def _reword_operation(layer: dict) -> dict:
    """A TensorFlow function called on a tensor, as the operation of keras.ops that does the same."""
    function, name = layer["config"]["function"], _without_slashes(layer["config"]["name"])
    new, nodes = None, []
    for node in layer.get("inbound_nodes", ()):
        if not isinstance(node, list) or not node:
            break
        calls = [node] if _is_reference(node) or node[0] == "_CONSTANT_VALUE" else node
        if not all(isinstance(call, list) and len(call) in (3, 4) for call in calls):
            break
        given = {key: value for key, value in (calls[0][3] if len(calls[0]) == 4 else {}).items() if value is not None}
        given.pop("name", None)
        found = _find_operation(function, calls, given)
        if found is None:
            break
        module, class_name, options, args = found
        new = {"module": module, "class_name": class_name, "config": {"name": name, **options}}
        nodes.append({"args": args, "kwargs": {}})
    if new is None or len(nodes) < len(layer["inbound_nodes"]):
        raise ValueError(
            f"layer {name!r} is an operation of tf.keras 2 (tf.{function}) which Keras 3 does not have; save the "
            "model with a layer in its place (Rescaling, Activation), or as a SavedModel folder, for --trust_model"
        )
    return {**new, "registered_name": None, "name": name, "inbound_nodes": nodes}


def _find_operation(function: str, calls: list, given: dict) -> tuple[str, str, dict, list] | None:
    """Module, class, options and arguments of the operation of Keras 3; None where there is none.

    calls: the tensors it is called on; given: its further arguments, None left out.
    """
    first = calls[0][2] if calls[0][0] == "_CONSTANT_VALUE" else _tensor(calls[0])
    if function in ARITHMETIC:
        class_name, second = ARITHMETIC[function]
        if given.pop("data_format", "NHWC") == "NHWC" and set(given) == {second}:
            return "keras.src.ops.numpy", class_name, {}, [first, _operand(given[second])]
    elif function in REDUCTIONS and set(given) <= {"axis", "keepdims"}:
        return "keras.src.ops.numpy", REDUCTIONS[function], given, [first]
    elif function == "__operators__.getitem" and set(given) == {"slice_spec"}:
        return "keras.src.ops.numpy", "GetItem", {}, [first, _reword_slices(given["slice_spec"])]
    elif function == "reshape" and set(given) == {"shape"} and all(isinstance(side, int) for side in given["shape"]):
        return "keras.src.ops.numpy", "Reshape", {"newshape": given["shape"]}, [first]
    elif function == "concat" and set(given) == {"axis"}:
        return "keras.src.ops.numpy", "Concatenate", given, [[_tensor(call) for call in calls]]
    elif function == "cast" and set(given) == {"dtype"} and isinstance(given["dtype"], str):
        return "keras.src.ops.core", "Cast", given, [first]
    elif function.split(".")[0] in ("nn", "math"):
        activation = function.split(".")[1]
        if activation in ACTIVATIONS and (not given or given == {"axis": -1}):
            return "keras.layers", "Activation", {"activation": activation}, [first]
    return None


def _reword_slices(slices: list) -> list:
    words = []
    for part in slices:
        if isinstance(part, dict):
            is_ellipsis = part.get("class_name") == "__ellipsis__"
            config = {} if is_ellipsis else {key: part.get(key) for key in ("start", "stop", "step")}
            part = {"class_name": "__ellipsis__" if is_ellipsis else "__slice__", "config": config}
        words.append(part)
    return words

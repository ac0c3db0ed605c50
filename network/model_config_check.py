"""What a model file may name: Keras's own layers with plain data, and nothing else.

A model's config says by name which classes Keras shall make and which functions it shall call. Keras's safe mode
refuses some of them one by one, and where it looks is not where all are made. So the whole config is walked before
Keras sees it, at any depth, and only what stands in this list is let through:

    layers, initializers, regularizers, constraints and precisions of Keras    made of numbers, texts and one another
    operations of `keras.ops` on arrays                                        none that takes a function
    activation functions of Keras, by name                                     as the only functions

The list is of what is allowed: what it does not know is refused, be it harmless. Left out on purpose are layers that
hold code (Lambda), load a graph or a module (TFSMLayer, TorchModuleWrapper, JaxLayer, FlaxLayer) or read files
(StringLookup and its kin). Classes that the running program itself has registered with Keras may be named too.
"""

import importlib
import inspect
import sys
from collections.abc import Iterator

import keras


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LAYERS = _words(
    """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention
    AugMix AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization
    Bidirectional CategoryEncoding CenterCrop Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D
    Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D
    Cropping2D Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU
    EinsumDense Embedding Equalization Flatten GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D
    GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
    GroupNormalization GroupQueryAttention Identity InputLayer LSTM LSTMCell LayerNormalization LeakyReLU
    Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum MixUp MultiHeadAttention Multiply
    Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness
    RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing
    RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization
    RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector
    Rescaling Reshape Resizing ReversibleEmbedding SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell
    Softmax Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization
    StackedRNNCells Subtract TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D
    ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """
)
MODELS = _words("Functional Model Sequential")
INITIALIZERS = _words(
    """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform
    Ones Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
    """
)
REGULARIZERS = _words("L1 L1L2 L2 OrthogonalRegularizer")
CONSTRAINTS = _words("MaxNorm MinMaxNorm NonNeg UnitNorm")
PRECISIONS = _words(
    """
    DTypePolicy DTypePolicyMap FloatDTypePolicy Int4DTypePolicy QuantizedDTypePolicy QuantizedFloat8DTypePolicy
    """
)
QUANTIZERS = _words("AbsMaxQuantizer Float8QuantizationConfig Int4QuantizationConfig Int8QuantizationConfig")
ACTIVATIONS = _words(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear
    log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus
    sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold
    """
)
OF_APPLICATIONS = {  # layers that networks of keras.applications make for themselves -> their modules
    "LayerScale": "keras.src.applications.convnext",
    "StochasticDepth": "keras.src.applications.convnext",
    "CustomScaleLayer": "keras.src.applications.inception_resnet_v2",
}
CLASSES = {  # where Keras may look for a class -> the classes it may find there
    "keras": frozenset(("DTypePolicy", "Model", "Sequential")),
    "keras.constraints": CONSTRAINTS,
    "keras.dtype_policies": PRECISIONS,
    "keras.initializers": INITIALIZERS,
    "keras.layers": LAYERS,
    "keras.models": MODELS,
    "keras.quantizers": QUANTIZERS,
    "keras.regularizers": REGULARIZERS,
    "keras.src.models.functional": frozenset(("Functional",)),
    "keras.src.models.model": frozenset(("Model",)),
    "keras.src.models.sequential": frozenset(("Sequential",)),
    "keras.src.ops.core": _words(
        "Cast ConvertToTensor SaturateCast Scatter ScatterUpdate Slice SliceUpdate StopGradient Unstack"
    ),
    "keras.src.ops.einops": frozenset(("Rearrange",)),
    **{module: frozenset(OF_APPLICATIONS) for module in OF_APPLICATIONS.values()},
}
WITHOUT_MODULE = (
    LAYERS | MODELS | frozenset(OF_APPLICATIONS) | INITIALIZERS | REGULARIZERS | CONSTRAINTS | PRECISIONS
)  # in a legacy .h5
ARRAY_OPERATIONS = tuple(f"keras.src.ops.{name}" for name in ("image", "linalg", "math", "nn", "numpy"))
TAKES_A_FUNCTION = _words("JVP")  # of ARRAY_OPERATIONS
FUNCTION_MODULES = (None, "builtins", "keras.activations", "keras.src.activations.activations")
PLAIN = frozenset(  # how Keras writes values that JSON has no word for
    ["__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__"]
)
HOLDS_CODE = {
    "Lambda": "holds code",
    "__lambda__": "is code",
    "TFSMLayer": "loads a SavedModel, whose graph may read and write files",
    "TorchModuleWrapper": "unpickles a PyTorch module, which may run anything",
    "JaxLayer": "holds a function of JAX",
    "FlaxLayer": "holds a module of Flax",
}


def check_config(config: dict, custom_objects: dict | None = None) -> None:
    """Raises ValueError for a model's config that names anything but what this module allows.

    custom_objects: name -> class or function that may be named too, beside those registered with Keras. The message
    says which layer names what, and the flag that would let it through.
    """
    known = {**keras.saving.get_custom_objects(), **(custom_objects or {})}
    _walk(config, known, "the model")


def check_chains(config) -> None:
    """Raises ValueError for a model, at any depth, whose layers stand in a longer row than Keras can follow: it goes
    from the last to the first by a call in a call, and only after it has made them all."""
    if isinstance(config, (list, tuple)):
        for item in config:
            check_chains(item)
    elif isinstance(config, dict):
        layers, longest = config.get("layers"), sys.getrecursionlimit()
        is_model = isinstance(layers, list) and all(isinstance(layer, dict) for layer in layers)  # else: own settings
        if is_model and (n := _longest_chain(layers)) > longest:
            raise ValueError(f"{n:,} of its layers stand in a row; Keras follows at most {longest:,}")
        for item in config.values():
            check_chains(item)


def _longest_chain(layers: list[dict]) -> int:
    """The layers in a row of a model whose layers these are, a source before what it goes to, as Keras lists them."""
    if not any("inbound_nodes" in layer for layer in layers):  # of a Sequential model
        return len(layers)
    lengths = {}  # (layer, number of its call) -> layers in a row up to there
    for layer in layers:
        for call, sources in enumerate(layer.get("inbound_nodes") or ()):
            before = (lengths.get(source, 0) for source in _find_sources(sources))
            lengths[layer.get("name"), call] = 1 + max(before, default=0)
    return max(lengths.values(), default=0)


def _find_sources(value) -> Iterator[tuple[str, int]]:
    """(layer, number of its call) of every tensor that a call of a layer takes, in the words of Keras 3 or tf.keras."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from [tuple(item[:2])] if key == "keras_history" else _find_sources(item)
    elif isinstance(value, list):
        if len(value) > 2 and isinstance(value[0], str) and isinstance(value[1], int):
            yield tuple(value[:2])
        for item in value:
            yield from _find_sources(item)


def _walk(value, known: dict, owner: str) -> None:
    if isinstance(value, (list, tuple)):
        for item in value:
            _walk(item, known, owner)
    elif isinstance(value, dict):
        if "class_name" in value:
            inner = value.get("config")
            name = value.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
            owner = f"layer {name!r}" if isinstance(name, str) else owner
            _check_name(value, known, owner)
        for key, item in value.items():
            if key.endswith("activation") and isinstance(item, str) and item not in ACTIVATIONS and item not in known:
                raise ValueError(f"{owner} has the activation {item!r}, which Keras does not have{_ask_for_file()}")
            _walk(item, known, owner)


def _check_name(value: dict, known: dict, owner: str) -> None:
    """Raises ValueError unless Keras would find something allowed by the names in this dictionary."""
    class_name, module = value["class_name"], value.get("module")
    registered_name = value.get("registered_name", class_name)
    if not isinstance(class_name, str) or not all(
        isinstance(name, (str, type(None))) for name in (module, registered_name)
    ):
        raise ValueError(
            f"{owner} names a class by {class_name!r}, {module!r} and {registered_name!r}: texts were wanted"
        )
    if class_name == "function":
        function = value.get("config")
        if not isinstance(function, str) or not (
            function in known or (function in ACTIVATIONS and module in FUNCTION_MODULES)
        ):
            raise ValueError(
                f"{owner} names the function {function!r} of module {module}; only Keras's activations may be named"
                f"{_ask_for_file()}"
            )
    elif registered_name in known:  # Keras looks there first, and by this name
        pass
    elif class_name in HOLDS_CODE:
        raise ValueError(
            f"{owner} ({class_name}) {HOLDS_CODE[class_name]}; --trust_model loads it, and runs the code in it"
        )
    elif not _is_allowed(class_name, module, "module" in value):
        place = f" of module {module}" if module else ""
        raise ValueError(f"{owner} is a {class_name!r}{place}, which is none of Keras's known layers{_ask_for_file()}")


def _is_allowed(class_name: str, module: str | None, has_module: bool) -> bool:
    if class_name in PLAIN:
        return True
    if module is None:
        return not has_module and class_name in WITHOUT_MODULE
    return class_name in CLASSES.get(module, ()) or find_operation(class_name) == module


def find_operation(class_name: str) -> str | None:
    """The module of Keras's operations on arrays that has this class; None if none has, or it takes a function."""
    for module in ARRAY_OPERATIONS:
        found = vars(importlib.import_module(module)).get(class_name)
        is_own = inspect.isclass(found) and issubclass(found, keras.Operation) and found.__module__ == module
        if is_own and class_name not in TAKES_A_FUNCTION:
            return module
    return next(
        (module for module in ("keras.src.ops.core", "keras.src.ops.einops") if class_name in CLASSES[module]), None
    )


def _ask_for_file() -> str:
    return "; --custom_objects=my_layers.py names a file that defines it, and runs that file"

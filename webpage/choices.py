"""What a visitor may choose of a method: its options of the registry, read as the flags of main.py are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from explainers.registry import METHODS, Method, Option, read_bool
from pipeline.run_figures import Style

if TYPE_CHECKING:
    from network.classifier import Classifier

MAX_NUMBER = 5000  # of masks, samples, steps that a visitor may ask for
MAX_CELLS = 2**22  # of all masks of RISE together: n_masks * mask_size^2
MAX_SEED = 2**32 - 1
COLORMAPS = ("jet", "turbo", "viridis", "inferno", "gray", "RdBu_r", "coolwarm")
FAST = {  # method -> the options it has on the page at first: seconds instead of minutes
    "RISE": {"n_masks": 500},
    "LIME": {"num_samples": 200},
    "KERNEL_SHAP": {"num_samples": 200},
    "SCORECAM": {"max_n": 64},
    "SMOOTHGRAD": {"n_samples": 10},
    "INTEGRATED_GRADIENTS": {"n_steps": 20},
}
NO_CLASS = -1  # the value of 'none' in the list of second classes


def first_text(method: Method, option: Option) -> str:
    """What stands in the option's field at first: a fast setting, else the default; '' for a default of None."""
    value = FAST.get(method.name, {}).get(option.name, option.default)
    return "" if value is None else str(value)


def list_choices(option: Option) -> list[str] | None:
    """The texts an option can have; None: any."""
    if option.read is read_bool:
        return ["True", "False"]
    return None if option.choices is None else [str(choice) for choice in option.choices]


def read_methods(
    names: Sequence[str], texts: dict[tuple[str, str], str | None], classifier: "Classifier"
) -> dict[Method, dict]:
    """The methods of these names with their options; ValueError for what cannot be asked of the classifier.

    texts: (method, option) -> what stands in its field.
    """
    from pipeline.model_check import check_options

    if not names:
        raise ValueError("choose a method")
    if not isinstance(names, list) or not all(isinstance(name, str) and name in METHODS for name in names):
        raise ValueError(f"methods: a list of {', '.join(METHODS)} is wanted")
    methods = [METHODS[name] for name in names]
    chosen = {
        method: read_options(method, {option.name: texts.get((method.name, option.name)) for option in method.options})
        for method in methods
    }
    _check_masks(chosen.get(METHODS["RISE"]), classifier)
    check_options(classifier, chosen)
    return chosen


def _check_masks(options: dict | None, classifier: "Classifier") -> None:
    """ValueError for masks of RISE finer than the pixels, or too many cells to keep in memory."""
    if options is None:
        return
    side, size = min(classifier.input_height, classifier.input_width), options["mask_size"]
    if size > side:
        raise ValueError(f"RISE, mask_size: {side} at most, the pixels along a side of the input, not {size}")
    if size > 0 and options["n_masks"] * size**2 > MAX_CELLS:
        most = MAX_CELLS // size**2
        raise ValueError(f"RISE, n_masks: the page takes {most} at most with a mask_size of {size}; main.py takes more")


def read_options(method: Method, texts: dict[str, str | None]) -> dict:
    """The method's options of the texts in their fields, an empty one being the default.

    ValueError, naming method and option, for a text that is none of its values or a number the page does not take.
    """
    values = {}
    for option in method.options:
        text = str(texts.get(option.name) or "").strip()
        values[option.name] = _read(method, option, text) if text else option.default
    return values


def _read(method: Method, option: Option, text: str):
    try:
        value = option.read(text)
    except ValueError as error:
        reason = f"a number is wanted, not {text!r}" if option.read in (int, float) else str(error)
        raise ValueError(f"{method.name}, {option.name}: {reason}") from None
    if option.choices is not None and value not in option.choices:
        raise ValueError(f"{method.name}, {option.name}: one of {', '.join(option.choices)} is wanted, not {text!r}")
    too_large = isinstance(value, int | float) and value > MAX_NUMBER
    if too_large and value != option.default:  # one visitor's millions would starve the others
        raise ValueError(f"{method.name}, {option.name}: the page takes {MAX_NUMBER} at most; main.py takes more")
    return value


def read_number(name: str, value: object, least: float, most: float) -> float:
    """The number in a field; ValueError, naming it, for any other and for nothing."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        raise ValueError(f"{name}: a number from {least} to {most} is wanted, not {_say(value)}")
    return value


def read_seed(value: object) -> int:
    """The seed in its field; ValueError for what is no whole number, or none that a generator takes."""
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"seed: a whole number is wanted, not {value}")
    return int(read_number("seed", value, 0, MAX_SEED))


def read_classes(values: Sequence[object], n_classes: int) -> list[int]:
    """The classes chosen, each once; None and NO_CLASS are none. ValueError without any, or for others."""
    chosen = [value for value in values if value is not None and value != NO_CLASS]
    if not chosen:
        raise ValueError("choose a class")
    return [*dict.fromkeys(read_index("class", value, n_classes) for value in chosen)]


def read_index(name: str, value: object, n: int) -> int:
    """Which one of n was picked; ValueError for none of them."""
    if type(value) is not int or not 0 <= value < n:
        raise ValueError(f"{name}: one of the {n} on the page is wanted, not {_say(value)}")
    return value


def read_style(alpha: object, colormap: object) -> Style:
    """How maps are drawn; ValueError for what the page does not offer."""
    alpha = read_number("Opacity", alpha, 0, 1)
    if colormap not in COLORMAPS:
        raise ValueError(f"Colour map: one of {', '.join(COLORMAPS)} is wanted, not {_say(colormap)}")
    return Style(colormap, alpha)


def _say(value: object) -> str:
    """A wrong value in a few words."""
    return "nothing" if value is None or value == "" else f"{value!r:.40}"

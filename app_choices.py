"""What a visitor may choose of a method: its options of the registry, read as the flags of main.py are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import constants
from methods import METHODS, Method, Option, read_bool

if TYPE_CHECKING:
    from classifier import Classifier


def first_text(method: Method, option: Option) -> str:
    """What stands in the option's field at first: a fast setting, else the default; '' for a default of None."""
    value = constants.APP_FAST.get(method.name, {}).get(option.name, option.default)
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
    from explaining import check_options

    if not names:
        raise ValueError("choose a method")
    methods = [METHODS[name] for name in names]
    chosen = {
        method: read_options(
            method, {option.name: texts.get((method.name, option.name)) for option in method.options}
        )
        for method in methods
    }
    check_options(classifier, chosen)
    return chosen


def read_options(method: Method, texts: dict[str, str | None]) -> dict:
    """The method's options of the texts in their fields, an empty one being the default.

    ValueError, naming method and option, for a text that is none of its values or a number the page does not take.
    """
    values = {}
    for option in method.options:
        text = (texts.get(option.name) or "").strip()
        values[option.name] = _read(method, option, text) if text else option.default
    return values


def _read(method: Method, option: Option, text: str):
    try:
        value = option.read(text)
    except ValueError as error:
        reason = f"a number is wanted, not {text!r}" if option.read in (int, float) else str(error)
        raise ValueError(f"{method.name}, {option.name}: {reason}") from None
    if option.choices is not None and value not in option.choices:
        raise ValueError(
            f"{method.name}, {option.name}: one of {', '.join(option.choices)} is wanted, not {text!r}"
        )
    too_large = isinstance(value, int | float) and value > constants.APP_MAX_NUMBER
    if too_large and value != option.default:  # one visitor's millions would starve the others
        raise ValueError(
            f"{method.name}, {option.name}: the page takes {constants.APP_MAX_NUMBER} at most; main.py takes more"
        )
    return value

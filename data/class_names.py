"""The names of a model's classes: read from a flag or a file, and found again by whoever asks for one."""

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from utils import fold_class

BY_INDEX = "index:"  # in front of a number that is an index, where it may be a name too
NAMES_SHOWN = 5


def find_class_index(wanted: str | int, class_names: Sequence[str], class_ids: Sequence[str] | None = None) -> int:
    """The index of a class given by index, name or identifier; ValueError lists the choices.

    A whole number is an index, 'index:7' too. A text of digits may be a name as well: where it could mean two
    classes, or where classes are called by numbers and it is none of them, it is refused.
    """
    text = str(wanted).strip()
    is_index = isinstance(wanted, int) or text.startswith(BY_INDEX)
    number = text.removeprefix(BY_INDEX)
    index = int(number) if re.fullmatch(r"-?[0-9]+", number) else None
    if is_index:
        return _check_index(index, number, class_names)
    found = _find_names(text, class_names)
    found |= {place for place, identifier in enumerate(class_ids or ()) if identifier == text}
    if index is not None and not found:
        numbered = [name for name in class_names if re.fullmatch(r"-?[0-9]+", name)]
        if len(numbered) < len(class_names):
            return _check_index(index, text, class_names)
        raise ValueError(
            f"the model's classes are called by numbers, and none is {text!r}: {_list_some(class_names)}; write "
            f"{BY_INDEX}{text} for the class at that index"
        )
    if index is not None and 0 <= index < len(class_names):
        found |= {index}
    if len(found) == 1:
        return found.pop()
    if found:
        places = ", ".join(f"{BY_INDEX}{place} ({class_names[place]})" for place in sorted(found))
        raise ValueError(f"{text!r} may mean several classes: write one of {places}")
    folded = [fold_class(name) for name in class_names]
    near = difflib.get_close_matches(fold_class(text), folded, n=5, cutoff=0.5)
    choices = [class_names[folded.index(name)] for name in near] or class_names[:20]
    more = f" ... ({len(class_names)} in all)" if len(class_names) > len(choices) else ""
    raise ValueError(f"the model has no class {text!r}; choose from: {', '.join(choices)}{more}")


def _check_index(index: int | None, text: str, class_names: Sequence[str]) -> int:
    if index is None or not 0 <= index < len(class_names):
        raise ValueError(f"class_index {text} is not among the model's {len(class_names)} classes, 0 the first")
    return index


def _find_names(wanted: str, class_names: Sequence[str]) -> set[int]:
    """The classes of exactly that name; if there is none, those whose names differ in letter case or '_' for ' '."""
    exact = {index for index, name in enumerate(class_names) if name == wanted}
    return exact or {index for index, name in enumerate(class_names) if fold_class(name) == fold_class(wanted)}


# --- labels ----------------------------------------------------------------------------------------------
def describe_labels(
    labels: Sequence[str | None], indices: Sequence[int | None], class_names: Sequence[str]
) -> tuple[str, str | None]:
    """How many images have a label that is a class of the model, and where some have another, which and what to do.

    labels, indices: of each image, the name of its class in the data and its index in the model; None for neither.
    """
    n_matched = sum(index is not None for index in indices)
    others = [label for label, index in zip(labels, indices) if label is not None and index is None]
    if not others:
        return f"{n_matched} with a label", None
    names = sorted(set(others))
    return f"{n_matched} with a label of the model's", (
        f"{len(others)} images have labels that are no classes of the model: {_list_some(names)}; its classes are "
        f"{_list_some(class_names)}. --class_names names them, in the model's order"
    )


def _list_some(names: Sequence[str]) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > NAMES_SHOWN else ""
    return ", ".join(map(repr, names[:NAMES_SHOWN])) + more


# --- reading ---------------------------------------------------------------------------------------------
def read_class_names(argument: str | Sequence[str]) -> tuple[list[str], list[str] | None]:
    """The class names of a model, in its order, and their ids where the source has them.

    argument: a list; names separated by commas; a text file, one name per line, or, as Teachable Machine writes it,
    '0 red'; or a JSON file: Keras's class index {"0": ["n01440764", "tench"], ...}, {"0": "tench", ...}, the
    `class_indices` of a folder of images {"tench": 0, ...}, or ["tench", ...]. Names in a file may repeat, as two of
    ImageNet do. Raises ValueError for no name, an empty one, a gap in the indices, or a name that is twice between
    commas.
    """
    if not isinstance(argument, str):
        return _check_class_names(list(argument), "the list"), None
    path = Path(argument).expanduser()
    if path.suffix.lower() not in (".json", ".txt") and not path.is_file():
        names = _check_class_names(argument.split(","), argument)
        if len({fold_class(name) for name in names}) < len(names):
            raise ValueError(f"class_names: a name is there twice in '{argument}'")
        return names, None
    try:
        text = path.read_text(encoding="utf-8-sig")
        entries = _read_class_index(text) if path.suffix.lower() == ".json" else _read_lines(text)
    except RecursionError:
        raise ValueError(f"class_names: cannot read '{argument}' (nested too deeply)") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"class_names: cannot read '{argument}' ({error})") from None
    if all(isinstance(entry, list) and len(entry) == 2 for entry in entries):
        ids, entries = zip(*entries) if entries else ((), ())
        return _check_class_names(entries, argument), list(ids)
    return _check_class_names(entries, argument), None


def _read_lines(text: str) -> list[str]:
    """The names of a text file: its lines, without the numbers in front of them where these are the indices."""
    lines = text.rstrip().splitlines()
    numbered = [re.fullmatch(r"\s*([0-9]+)[ \t:,;]+(.*\S)\s*", line) for line in lines]
    if not all(numbered):
        return lines
    names = {int(match[1]): match[2] for match in numbered}
    if sorted(names) == list(range(len(lines))) and len(set(names.values())) == len(lines):
        return [names[index] for index in range(len(lines))]
    return lines  # '1 euro', '2 euro': the number belongs to the name


def _read_class_index(text: str) -> list:
    """The entries of a JSON list, or of a JSON object of which either keys or values are 0, 1, ..."""
    content = json.loads(text)
    if isinstance(content, list):
        return content
    if not isinstance(content, dict):
        raise ValueError("a list or an object was wanted")
    n_entries = len(content)
    if content and all(type(value) is int for value in content.values()):  # a name -> its index
        content = {str(index): name for name, index in content.items()}
    missing = [index for index in range(n_entries) if str(index) not in content]
    if missing:
        raise ValueError(f"its indices must be 0 to {n_entries - 1}, each once; {missing[0]} is missing")
    return [content[str(index)] for index in range(n_entries)]


def _check_class_names(names: Sequence[str], argument: str) -> list[str]:
    """The names without the blanks around them; ValueError if there is none or one is not a name."""
    names = [name.strip() if isinstance(name, str) else "" for name in names]
    if not all(names) or not names:
        place = f"name {names.index('')} (from 0) is empty" if names else "there is none"
        raise ValueError(f"class_names: names were wanted; {place} in '{argument}'")
    return names

"""The names of a model's classes: read from a flag or a file, and found again by whoever asks for one."""

import difflib
import json
from collections.abc import Sequence
from pathlib import Path

from utils import fold_name


def find_class_index(wanted: str | int, class_names: Sequence[str], class_ids: Sequence[str] | None = None) -> int:
    """The index of a class given by index, name or identifier; ValueError lists the choices."""
    if str(wanted).lstrip("-").isdigit():
        if 0 <= int(wanted) < len(class_names):
            return int(wanted)
        raise ValueError(f"class_index {wanted} is not among the model's {len(class_names)} classes, 0 the first")
    folded = [fold_name(name) for name in class_names]
    found = [index for index, name in enumerate(folded) if name == fold_name(wanted)]
    found = found or [index for index, identifier in enumerate(class_ids or ()) if identifier == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"several classes are named {wanted!r}: indices {found}; give the index")
    near = difflib.get_close_matches(fold_name(wanted), folded, n=5, cutoff=0.5)
    choices = [class_names[folded.index(name)] for name in near] or class_names[:20]
    more = f" ... ({len(class_names)} in all)" if len(class_names) > len(choices) else ""
    raise ValueError(f"the model has no class {wanted!r}; choose from: {', '.join(choices)}{more}")


def read_class_names(argument: str) -> tuple[list[str], list[str] | None]:
    """The class names of a model, in its order, and their ids where the source has them.

    argument: names separated by commas; a text file, one name per line; or a JSON file: Keras's class index
    {"0": ["n01440764", "tench"], ...}, {"0": "tench", ...} or ["tench", ...]. Names in a file may repeat, as
    two of ImageNet do. Raises ValueError for no name, an empty one, a gap in the indices, or a name that is
    twice between commas.
    """
    path = Path(argument)
    if path.suffix.lower() not in (".json", ".txt") and not path.is_file():
        names = _check_class_names(argument.split(","), argument)
        if len({fold_name(name) for name in names}) < len(names):
            raise ValueError(f"class_names: a name is there twice in '{argument}'")
        return names, None
    try:
        text = path.read_text(encoding="utf-8-sig")
        entries = _read_class_index(text) if path.suffix.lower() == ".json" else text.rstrip().splitlines()
    except (OSError, ValueError) as error:
        raise ValueError(f"class_names: cannot read '{argument}' ({error})") from None
    if all(isinstance(entry, list) and len(entry) == 2 for entry in entries):
        ids, entries = zip(*entries) if entries else ((), ())
        return _check_class_names(entries, argument), list(ids)
    return _check_class_names(entries, argument), None


def _read_class_index(text: str) -> list:
    """The entries of a JSON list, or of a JSON object whose keys are 0, 1, ..."""
    content = json.loads(text)
    if isinstance(content, dict):
        missing = [index for index in range(len(content)) if str(index) not in content]
        if missing:
            raise ValueError(f"its {len(content)} keys must be 0-{len(content) - 1}; {missing[0]} is missing")
        return [content[str(index)] for index in range(len(content))]
    if isinstance(content, list):
        return content
    raise ValueError("a list or an object was wanted")


def _check_class_names(names: Sequence[str], argument: str) -> list[str]:
    """The names without the blanks around them; ValueError if there is none or one is not a name."""
    names = [name.strip() if isinstance(name, str) else "" for name in names]
    if not all(names) or not names:
        place = f"name {names.index('')} (from 0) is empty" if names else "there is none"
        raise ValueError(f"class_names: names were wanted; {place} in '{argument}'")
    return names

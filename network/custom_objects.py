"""The classes and functions of a file that a model needs besides Keras's own."""

import importlib.util
import sys
import traceback
from pathlib import Path

import keras


def load_custom_objects(path: str | Path) -> dict:
    """Name -> class or function, of all that a Python file defines or registers with Keras. This runs the file.

    ValueError for a file that is missing, is no Python, fails, or defines nothing.
    """
    path = Path(path)
    if path.suffix.lower() != ".py" or not path.is_file():
        problem = "there is no such file" if not path.exists() else "it is none"
        raise ValueError(f"custom_objects: a Python file (my_layers.py) was wanted; {problem}: {str(path)!r}")
    name = f"custom_objects_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    before = keras.saving.get_custom_objects().copy()
    sys.modules[name] = module  # where classes look themselves up
    sys.path.append(str(path.resolve().parent))  # for its neighbours, behind the modules of this project
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever stands in it
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        place = f"line {lines[-1]} of " if lines else ""
        raise ValueError(f"custom_objects: {place}'{path}' fails with {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.resolve().parent))
    registered = keras.saving.get_custom_objects()
    found = {key: value for key, value in registered.items() if before.get(key) is not value}
    own = {key: value for key, value in vars(module).items() if getattr(value, "__module__", None) == name}
    found = {**{key: value for key, value in own.items() if callable(value)}, **found}
    if not found:
        raise ValueError(f"custom_objects: '{path}' defines no class and no function")
    return found

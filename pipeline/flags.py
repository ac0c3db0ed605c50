"""What the scripts share about their flags: which images, which model, checked numbers, and one way to end."""

import argparse
import os
import sys
from collections.abc import Callable

import constants


def in_range(kind: Callable, low: float, high: float = float("inf")) -> Callable:
    """What reads a flag as a number of that kind from low to high."""

    def number(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            wanted = f"{low} or more" if high == float("inf") else f"a number from {low} to {high}"
            raise argparse.ArgumentTypeError(f"{wanted} was wanted; got {text}")
        return value

    return number


def reader(read: Callable) -> Callable:
    """What reads a flag by `read`, whose ValueError is what the user is told; argparse words those of numbers."""

    def checked(text: str):
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read if read in (int, float, str) else checked


def add_data_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of the images to look at, which `runs.load_samples` reads."""
    data = parser.add_argument_group("images and gaze")
    data.add_argument("--test_images_folder_path", help="images, or class folders (default: the embedded data)")
    data.add_argument("--test_gdfm_folder_path", "--test_gfdm_folder_path", help="gaze fixation density maps")
    data.add_argument(
        "--test_fixations_path",
        "--test_fixations_folder_path",
        help="fixations: a folder of MexCulture142's .txt files, a csv (image, observer, x, y, duration), a table "
        "of an eye tracker, or a public data set as published (data/fixation_files.py)",
    )
    data.add_argument(
        "--fixations_unit",
        choices=("pixels", "fraction"),
        help="of x and y, of the image (default: as the file says, else pixels)",
    )
    data.add_argument(
        "--sigma_px",
        type=in_range(float, 0.1),
        help="width of a fixation's Gaussian in image pixels (default: 2 degrees on MexCulture142's screen)",
    )
    data.add_argument(
        "--exif",
        choices=("turn", "keep"),
        default="turn",
        help="photographs upright by their EXIF orientation, or as they are stored, as Keras's loaders take them "
        "(default: %(default)s)",
    )
    data.add_argument(
        "--max_megapixels",
        type=in_range(int, 1),
        default=constants.MAX_IMAGE_PIXELS // 10**6,
        help="of the largest photograph that is read (default: %(default)s)",
    )
    data.add_argument("--limit", type=in_range(int, 1), help="explain so many images, taken in turn from each class")


def read_reading(args: argparse.Namespace):
    """The `images.Reading` of photographs that the flags of `add_data_flags` ask for."""
    from data.images import Reading

    return Reading(args.exif == "turn", args.max_megapixels * 10**6)


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of the classifier, which `runs.open_classifier` reads."""
    model = parser.add_argument_group("model")
    names = ", ".join([*constants.ZOO, constants.MODEL_NAME_DEMO])
    model.add_argument("--model_name", help=f"one of {names}")
    model.add_argument("--model_path", help=".keras or .h5 file; --model_name then tells its preprocessing")
    model.add_argument("--class_names", help="names separated by commas, a text file, or Keras's class index JSON")
    model.add_argument(
        "--layer_name", help="layer of the CAM methods; several by commas: their mean (default: the last)"
    )
    model.add_argument("--trust_model", action="store_true", help="run code that the model file contains")
    model.add_argument("--precision", choices=constants.PRECISIONS, default="float32", help="of forward passes")
    model.add_argument(
        "--batch_size", type=in_range(int, 1), default=constants.BATCH_SIZE, help="images per forward pass"
    )


def expand_home(args: argparse.Namespace) -> argparse.Namespace:
    """The flags with the user's home folder for a '~' that begins one: no shell puts it behind a '='."""

    def expand(value):
        if isinstance(value, list):
            return [expand(one) for one in value]
        is_path = isinstance(value, str) and value.startswith("~")
        return ",".join(os.path.expanduser(path) for path in value.split(",")) if is_path else value

    return argparse.Namespace(**{name: expand(value) for name, value in vars(args).items()})


def run_script(name: str, run: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """The exit code of `run(args)`; what stops it is told in one line: 2, or 130 when interrupted."""
    try:
        return run(expand_home(args))
    except ValueError as error:
        message = str(error)
    except OSError as error:  # a folder that may not be written to, a full disk
        message = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    except MemoryError as error:
        message = f"not enough memory: {error}"
    except ModuleNotFoundError as error:
        message = f"a library is missing ({error}); see 'Start' in README.md"
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    print(f"{name}: error: {message}", file=sys.stderr)
    return 2


def forgive_names() -> None:
    """Lets the screen show what it can of a file name that it cannot show."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")

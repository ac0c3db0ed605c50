"""Where does the network look? Explains a folder of images, compares with gaze, measures, and shows it.

    python main.py
    python main.py --explanation_method=GRADCAM,RISE --model_name=ResNet --test_images_folder_path=images_val \\
                   --test_gdfm_folder_path=gazefixationsdensitymaps

Without flags it explains the embedded demonstration with the embedded network. Exit code: 0; 1 when an image
could not be explained; 2 for a flag or an input that stops the run; 130 when interrupted.
"""

import argparse
import os
import sys
from collections.abc import Sequence

import constants
from flags import add_data_flags, add_model_flags, forgive_names, in_range, reader, run_script
from methods import METHODS, Method, choose_methods, read_color


def build_parser() -> argparse.ArgumentParser:
    """The flags; a method's own stand under its name, and are None unless given."""
    parser = argparse.ArgumentParser(
        description="Explain an image classifier on a folder of images.", allow_abbrev=False
    )
    add_data_flags(parser)
    add_model_flags(parser)
    question = parser.add_argument_group("question")
    question.add_argument(
        "--explanation_method", default="GRADCAM", help=f"of {', '.join(METHODS)}: several by commas, or ALL"
    )
    question.add_argument(
        "--class_index", default="auto",
        help="label, predicted, an index or a name (default: the label where there is one, else predicted)",
    )  # fmt: skip
    question.add_argument(
        "--fidelity_protocol", choices=constants.FIDELITY_PROTOCOLS, default="rise",
        help="steps and blur of insertion and deletion",
    )  # fmt: skip
    question.add_argument(
        "--seed", type=in_range(int, 0, 2**32 - 1), default=constants.SEED, help="of all that is random"
    )
    output = parser.add_argument_group("output")
    output.add_argument("--display_type", choices=("grid", "singles"), default="grid", help="pages, or files")
    output.add_argument(
        "--top_k", type=in_range(int, 1), help="also the maps of the k most probable classes, a figure per image"
    )
    output.add_argument("--colormap", default=constants.COLORMAP, help="of matplotlib, for heat maps")
    output.add_argument(
        "--alpha", type=in_range(float, 0, 1), default=constants.ALPHA,
        help="share of the heat map over the image",
    )  # fmt: skip
    output.add_argument("--output_folder_path", default=constants.OUTPUT_FOLDER, help="files of the run")
    output.add_argument("--show", action="store_true", help="open the figures")
    output.add_argument("--overwrite", action="store_true", help="remove an earlier run in the output folder")
    for method in METHODS.values():
        group = parser.add_argument_group(f"{method.name} options")
        for option in method.options:
            default = option.default
            if default is None:
                default = "mean" if option.read is read_color else "all" if "max" in option.name else "auto"
            group.add_argument(
                f"--{method.name.lower()}_{option.name}", type=reader(option.read), choices=option.choices,
                help=f"{option.help} (default: {default})",
            )  # fmt: skip
    return parser


def choose_options(args: argparse.Namespace) -> dict[Method, dict]:
    """The chosen methods with their options; ValueError for a flag of a method that is not chosen."""
    chosen = choose_methods(args.explanation_method)
    options = {}
    for method in METHODS.values():
        flags = {option: f"{method.name.lower()}_{option.name}" for option in method.options}
        given = [flag for flag in flags.values() if getattr(args, flag) is not None]
        if given and method not in chosen:
            names = ", ".join(other.name for other in chosen)
            raise ValueError(f"--{given[0]} belongs to {method.name}, which is not among the chosen: {names}")
        values = {option: getattr(args, flag) for option, flag in flags.items()}
        options[method] = {
            option.name: option.default if value is None else value for option, value in values.items()
        }
    return {method: options[method] for method in chosen}


def run(args: argparse.Namespace) -> int:
    """One run from flags to figures; the exit code."""
    chosen = choose_options(args)  # before TensorFlow is loaded: a slip is told at once

    import representations
    import utils

    representations.check_colormap(args.colormap)
    utils.silence_tensorflow()

    import display
    import runs
    from records import format_table, summarise

    opened = runs.open_run(args, chosen)
    failed = runs.examine(opened, args)
    print(f"\n{format_table(summarise(opened.results.records.values()))}\n")
    runs.print_failures(failed)
    style = display.Style(args.colormap, args.alpha, opened.density_note)
    paths = display.write_figures(
        opened.results, opened.samples, list(opened.chosen), args.display_type, style, opened.description
    )
    if args.top_k:
        import top_classes

        paths += top_classes.write_top_classes(opened, args.top_k, style, args.seed)
    print_paths(paths, args.show)
    return 1 if failed else 0


def print_paths(paths: Sequence, show: bool) -> None:
    """Says where the figures are, and opens them if asked to."""
    for path in paths[: constants.PATHS_SHOWN]:
        print(path)
    if len(paths) > constants.PATHS_SHOWN:
        print(f"... {len(paths)} figures in {os.path.commonpath([path.parent for path in paths])}")
    if show:
        from PIL import Image

        for path in paths:
            Image.open(path).show()


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_script("main.py", run, build_parser().parse_args(argv))


if __name__ == "__main__":
    forgive_names()
    sys.exit(main())

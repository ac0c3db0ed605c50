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
from explainers.registry import BASELINES, METHODS, Method, choose_methods, read_color
from metrics.catalogue import FAITHFULNESS, read_faithfulness
from pipeline.flags import add_data_flags, add_model_flags, forgive_names, in_range, reader, run_script


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
        "--class_index",
        default="auto",
        help="label, predicted, an index or a name (default: the label where there is one, else predicted)",
    )
    question.add_argument(
        "--fidelity_protocol",
        choices=constants.FIDELITY_PROTOCOLS,
        default="rise",
        help="steps and blur of insertion and deletion",
    )
    question.add_argument(
        "--faithfulness",
        type=reader(read_faithfulness),
        default=constants.FAITHFULNESS,
        help=f"judges that ask the network, of {', '.join(FAITHFULNESS)} by commas, ALL or none (default: %(default)s)",
    )
    question.add_argument(
        "--baselines",
        action="store_true",
        help=f"also the rows {', '.join(BASELINES)}: what chance, a prior and people score by the same judges",
    )
    question.add_argument(
        "--seed", type=in_range(int, 0, 2**32 - 1), default=constants.SEED, help="of all that is random"
    )
    output = parser.add_argument_group("output")
    output.add_argument("--display_type", choices=("grid", "singles"), default="grid", help="pages, or files")
    further = output.add_mutually_exclusive_group()
    further.add_argument(
        "--top_k", type=in_range(int, 1), help="also the maps of the k most probable classes, a figure per image"
    )
    further.add_argument("--classes", help="the same of these classes: names or indices, by commas")
    output.add_argument(
        "--mute_boxes",
        help="csv of boxes (file, x0, y0, x1, y1 in image pixels, name): also a table of how far the "
        "class probability falls when OCCLUSION fills each",
    )
    output.add_argument("--colormap", default=constants.COLORMAP, help="of matplotlib, for heat maps")
    output.add_argument(
        "--alpha", type=in_range(float, 0, 1), default=constants.ALPHA, help="share of the heat map over the image"
    )
    output.add_argument("--report", action="store_true", help="also report.html and report.tex (report.py)")
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
                f"--{method.name.lower()}_{option.name}",
                type=reader(option.read),
                choices=option.choices,
                help=f"{option.help} (default: {default})",
            )
    return parser


def build_derived_parser(description: str, without: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of a script that takes the flags of main.py, but for some that have no meaning there."""

    class Refuse(argparse.Action):
        def __call__(self, parser, namespace, values, option_string=None):
            parser.error(f"{option_string} belongs to main.py")

    parser = argparse.ArgumentParser(
        description=description,
        parents=[build_parser()],
        add_help=False,
        allow_abbrev=False,
        conflict_handler="resolve",
    )
    for flag in without:
        parser.add_argument(f"--{flag}", nargs="?", action=Refuse, help=argparse.SUPPRESS)
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
        options[method] = {option.name: option.default if value is None else value for option, value in values.items()}
    if args.mute_boxes and METHODS["OCCLUSION"] not in chosen:
        raise ValueError(f"--mute_boxes belongs to OCCLUSION, which is not among the chosen: {args.explanation_method}")
    baselines = BASELINES.values() if args.baselines else ()
    return {**{method: options.get(method, {}) for method in chosen}, **{method: {} for method in baselines}}


def run(args: argparse.Namespace) -> int:
    """One run from flags to figures; the exit code."""
    chosen = choose_options(args)  # before TensorFlow is loaded: a slip is told at once

    import representations
    import utils

    representations.check_colormap(args.colormap)
    utils.silence_tensorflow()

    from data.boxes import match_boxes, read_boxes
    from pipeline import muted_boxes as muting
    from pipeline import run as runs
    from pipeline import run_figures as display
    from pipeline import top_classes
    from pipeline.summary import describe_differences, describe_undefined, format_table, list_differences, summarise

    boxes = read_boxes(args.mute_boxes) if args.mute_boxes else None
    opened = runs.open_run(args, chosen)
    rule = top_classes.read_rule(opened.classifier, args.top_k, args.classes)
    if boxes is not None:
        boxes, note = match_boxes(boxes, opened.samples)
        print(f"{'boxes':>14}: {note}", flush=True)
    failed = runs.examine(opened, args, args.faithfulness)
    records = opened.results.records.values()
    print(f"\n{format_table(summarise(records))}\n")
    if (n_images := len({record.image for record in records})) > len(opened.samples):
        print(f"(of all {n_images} images in the output folder, {len(opened.samples)} of them in this run)\n")
    for text in (describe_undefined(records), describe_differences(list_differences(records))):
        if text:
            print(f"{text}\n")
    if boxes is not None:
        print(f"{muting.write_muted(opened, boxes, args.seed)}\n")
    runs.print_failures(failed)
    style = display.Style(args.colormap, args.alpha, opened.density_note)
    paths = display.write_figures(
        opened.results, opened.samples, list(opened.chosen), args.display_type, style, opened.description
    )
    if rule:
        paths += top_classes.write_top_classes(opened, rule, style, args.seed)
    if args.report:
        import report

        print(*report.write_report([opened.results.folder], opened.results.folder, report.TITLE), sep="\n")
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

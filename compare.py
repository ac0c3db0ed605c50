"""How far do explanation methods agree, image by image, and which of them lies on the object?

    python compare.py
    python compare.py --explanation_method=GRADCAM,ABLATIONCAM,SCORECAM,LIME --lime_preset=assignment \\
                      --test_images_folder_path=images_val --model_path=my_model.keras --boxes=boxes.csv

Takes the flags of `main.py` and explains as it does, without insertion and deletion: maps that lie in the output
folder are not computed again, and a comparison that was stopped goes on. It adds to that folder

    agreement.csv                     one row per pair of methods and image: IoU, rank correlation, PCC
    agreement_summary.csv             one row per pair: mean, deviation and count of each
    agreement_matrix.png              the same as matrices over the methods
    agreement/<A>_<B>/ranking.png     both maps and their overlap, the images of most agreement first; _2, ...
    side_by_side.png                  every method's map of every image; _2, ...
    localisation.csv, score_board.csv with --boxes: IoU, pointing game, energy, per image and per method

Exit code: 0; 1 when an image could not be explained; 2 for a flag or an input that stops it; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence

import constants
import main as main_script
from explainers.registry import METHODS, Method
from pipeline.flags import forgive_names, in_range, run_script

OF_MAIN = (  # a comparison has pages and tables of its own
    "display_type",
    "top_k",
    "classes",
    "mute_boxes",
    "report",
    "baselines",
    "faithfulness",
)


def build_parser() -> argparse.ArgumentParser:
    """The flags: those of main.py and, before them, those of the comparison."""
    description = "Compare explanation methods on a folder of images; further flags are those of main.py."
    parser = main_script.build_derived_parser(description, without=OF_MAIN)
    comparison = parser.add_argument_group("comparison")
    comparison.add_argument(
        "--explanation_method",
        default=constants.COMPARED_METHODS,
        help="two or more by commas, or ALL (default: %(default)s)",
    )
    comparison.add_argument(
        "--fraction",
        type=in_range(float, 0, 1),
        default=constants.COMPARED_FRACTION,
        help="of the pixels, that the threshold keeps of every map (default: %(default)s)",
    )
    comparison.add_argument(
        "--rank_by", choices=("iou", "spearman", "pcc"), default="iou", help="what ranks the images of a pair"
    )
    comparison.add_argument(
        "--boxes", help="csv of boxes around the objects: file, x0, y0, x1, y1 in image pixels; for the score board"
    )
    comparison.add_argument(
        "--lime_preset",
        choices=tuple(constants.LIME_PRESETS),
        help="assignment: top_labels 1, hide_color 0, num_features 100000, num_samples 1000; its batch_size 10 changes "
        "no map, its cosine distance is LIME's own; a LIME flag given besides prevails",
    )
    return parser


def choose_options(args: argparse.Namespace) -> dict[Method, dict]:
    """The chosen methods with their options, the preset's among them; ValueError for flags that do not fit."""
    if not args.fraction > 0:
        raise ValueError(f"--fraction should be more than 0, up to 1; got {args.fraction:g}")
    chosen = main_script.choose_options(args)
    if len(chosen) < 2:
        raise ValueError(f"two explanation methods or more were wanted; got {args.explanation_method}")
    lime = METHODS["LIME"]
    if args.lime_preset and lime not in chosen:
        names = ", ".join(method.name for method in chosen)
        raise ValueError(f"--lime_preset belongs to LIME, which is not among the chosen: {names}")
    preset = constants.LIME_PRESETS[args.lime_preset] if args.lime_preset else {}
    unset = {name: value for name, value in preset.items() if getattr(args, f"lime_{name}") is None}
    return {method: {**options, **unset} if method is lime else options for method, options in chosen.items()}


def run(args: argparse.Namespace) -> int:
    """One comparison from flags to figures; the exit code."""
    chosen = choose_options(args)  # before TensorFlow is loaded: a slip is told at once

    import representations
    import utils

    representations.check_colormap(args.colormap)
    utils.silence_tensorflow()

    from comparison import methods_figures as compare_pages
    from comparison import methods_tables as compare_tables
    from data.boxes import match_boxes, read_boxes
    from pipeline import run as runs

    boxes = read_boxes(args.boxes) if args.boxes else None
    opened = runs.open_run(args, chosen)
    if boxes is not None:
        boxes, note = match_boxes(boxes, opened.samples)
        print(f"{'boxes':>14}: {note}", flush=True)
    failed = runs.examine(opened, args, faithfulness=())
    compared = compare_tables.compare(opened, args.fraction, args.rank_by)
    print(f"\n{compare_tables.write_agreement(compared)}\n")
    if boxes is not None:
        print(f"{compare_tables.write_score_board(compared, boxes)}\n")
    runs.print_failures(failed)
    main_script.print_paths(list(compare_pages.write_figures(compared, args.colormap, args.alpha)), args.show)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a comparison with these arguments."""
    return run_script("compare.py", run, build_parser().parse_args(argv))


if __name__ == "__main__":
    forgive_names()
    sys.exit(main())

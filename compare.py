"""How far do explanation methods agree, image by image, and which of them lies on the object?

    python compare.py
    python compare.py --explanation_method=GRADCAM,ABLATIONCAM,SCORECAM,LIME --lime_preset=assignment \\
                      --test_images_folder_path=images_val --model_path=my_model.keras --boxes=boxes.csv

Takes the flags of `main.py` and explains as it does, without insertion and deletion: maps that lie in the output
folder are not computed again, and a comparison that was stopped goes on. It adds to that folder

    agreement.csv                     one row per pair of methods and image: IoU, rank correlation, PCC
    agreement_summary.csv             one row per pair: mean, sample deviation (n - 1) and count of each
    agreement_matrix.png              the same as matrices over the methods
    agreement/<A>_<B>/ranking.png     both maps and their overlap, the images of most agreement first; _2, ...; of many
                                      pairs those that agree most and least (--figures)
    side_by_side.png                  every method's map of every image; _2, ...
    localisation.csv, score_board.csv with --boxes: IoU, pointing game, energy, per image and per method; with
                                      --lime_variant=mask also avg_iou and avg_time of LIME's masks

Exit code: 0; 1 when an image could not be explained; 2 for a flag or an input that stops it; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from constants import N_EXTREMES, N_FIGURES
from output.progress import print_table
from pipeline import flags
from pipeline.command_line import run_command
from pipeline.settings import RunSettings, read_run_settings


@dataclass(frozen=True)
class CompareSettings:
    """What compare.py was asked for. fraction: of the pixels of a map that its threshold keeps; rank_by: of a pair."""

    run: RunSettings
    fraction: float
    rank_by: str


def build_parser() -> argparse.ArgumentParser:
    """The flags: those of main.py that matter here, and those of the comparison."""
    parser = flags.build_run_parser("compare.py", "Compare explanation methods on a folder of images.", "GRADCAM,LIME")
    flags.add_protocol_flag(parser)
    comparison = parser.add_argument_group("comparison")
    flags.add_fraction_flag(comparison)
    comparison.add_argument(
        "--rank_by",
        choices=("iou", "spearman", "pcc"),
        default="iou",
        help="what ranks the images of a pair (default: %(default)s)",
    )
    flags.add_boxes_flag(comparison, "for the score board")
    flags.add_n_figures_flag(
        comparison,
        N_FIGURES,
        "the first N images; of each pair those N of most and least agreement; of more than N pairs those "
        f"{N_EXTREMES} that agree most and least",
    )
    return parser


def read_settings(args: argparse.Namespace) -> CompareSettings:
    """The settings of these flags; ValueError for flags that do not go together."""
    run = read_run_settings(args)
    if len(run.methods) < 2:
        raise ValueError(f"two explanation methods or more were wanted; got {args.explanation_method}")
    return CompareSettings(run, args.fraction, args.rank_by)


def run(settings: CompareSettings) -> int:
    """One comparison from settings to figures; the exit code."""
    import representations
    import utils

    representations.check_colormap(settings.run.colormap)
    utils.load_tensorflow(with_extras=False)

    from comparison import methods_figures, methods_tables
    from data.boxes import match_boxes, read_boxes
    from pipeline import run as runs

    boxes = read_boxes(settings.run.boxes) if settings.run.boxes else None
    images = runs.load_dataset(settings.run.data)
    boxes, note = match_boxes(boxes, images.samples) if boxes is not None else (None, "")
    classifier, source = runs.load_classifier(settings.run.model)
    opened = runs.open_run(settings.run, classifier, source, runs.label_images(images, classifier))
    if boxes is not None:
        print_table({"boxes": note})
    failed = runs.examine(opened, settings.run)
    compared = methods_tables.compare(opened, settings.fraction, settings.rank_by)
    print(f"\n{methods_tables.write_agreement(compared)}\n")
    if boxes is not None:
        print(f"{methods_tables.write_score_board(compared, boxes)}\n")
    runs.print_failures(failed)
    look = settings.run.colormap, settings.run.alpha, settings.run.figures
    paths = list(methods_figures.write_comparison_pages(compared, *look))
    if note := methods_figures.describe_wanted(compared, settings.run.figures):
        print(note)
    runs.print_paths(paths, settings.run.show)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a comparison with these arguments."""
    return run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())

"""Labels on several levels: where does the network look for a terrier, a dog, an animal, and how well does it see each?

    python hierarchy.py --taxonomy=animals.csv --test_images_folder_path=photographs --model_path=my_model.keras
    python hierarchy.py --model_path=monuments.keras                 monument and style, from MexCulture142's names
    python hierarchy.py ... --boxes=boxes.csv --coarse_models=group.keras,kingdom.keras
    python hierarchy.py --taxonomy=inatloc/metadata --test_images_folder_path=inatloc/test ...  data/taxonomy_files.py

Takes the flags of `main.py`. One model is read on every level from its own classes up: on each, its classes are the
nodes of that level (node_scores.py; taxonomy_csv.py for the file), and any method that explains a class runs as in
main.py. The class is the node over the image's label, or over the leaf that is predicted, by --class_index. Models that
`train.py --label_level` has trained on coarser labels stand beside the reading of their level. Written are

    levels/<level>/                   a run of main.py each: records, maps, curves
    levels_per_image.csv              method, level, image: prediction, width of the map, insertion, deletion, hits
    level_changes.csv                 method, image, pair of levels: IoU of the thresholded maps, rank correlation, PCC
    level_changes_summary.csv         their means
    levels.csv                        method, level: accuracy, means, MaxBoxAcc
    side_by_side_<METHOD>.png; _2, ...   the maps of every image on all levels
    granularity.png                   each measure against the number of classes

A run that is stopped goes on with the same command. Exit code: 0; 1 when an image could not be explained; 2 for a flag
or an input that stops it; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence

import constants
import main as main_script
from explainers.registry import Method
from pipeline.flags import forgive_names, in_range, run_script

OF_MAIN = ("display_type", "top_k", "classes", "mute_boxes", "baselines")  # refused by `choose_options`


def build_parser() -> argparse.ArgumentParser:
    """The flags: those of main.py and those of the levels."""
    parser = argparse.ArgumentParser(
        description="Explain images on several levels of labels; further flags are those of main.py.",
        parents=[main_script.build_parser()],
        add_help=False,
        allow_abbrev=False,
        conflict_handler="resolve",
    )
    for flag in OF_MAIN:
        parser.add_argument(f"--{flag}", nargs="?", const="", help=argparse.SUPPRESS)
    levels = parser.add_argument_group("levels")
    levels.add_argument(
        "--taxonomy",
        help="csv with the columns leaf, or index and leaf, then one per level up; or iNatLoc500's "
        "metadata folder (default: monument and style of MexCulture142's names)",
    )
    levels.add_argument(
        "--coarse_models", help="models that train.py --label_level made, by commas: each stands beside its level"
    )
    levels.add_argument(
        "--fraction",
        type=in_range(float, 0, 1),
        default=constants.HIERARCHY_FRACTION,
        help="of the pixels, that the threshold of the IoU keeps of every map (default: %(default)s)",
    )
    truth = levels.add_mutually_exclusive_group()
    truth.add_argument("--boxes", help="csv of boxes around the objects: file, x0, y0, x1, y1 in image pixels")
    truth.add_argument(
        "--masks",
        help="folder of masks of the objects, white on black, named as the images; of several in subfolders "
        "the union (default: the parts of the embedded data)",
    )
    return parser


def choose_options(args: argparse.Namespace) -> dict[Method, dict]:
    """The chosen methods with their options; ValueError for flags that do not fit."""
    for flag in OF_MAIN:
        if getattr(args, flag) is not None:
            raise ValueError(f"--{flag} belongs to main.py; levels have their own pages")
    if not args.fraction > 0:
        raise ValueError(f"--fraction should be more than 0, up to 1; got {args.fraction:g}")
    return main_script.choose_options(args)


def run(args: argparse.Namespace) -> int:
    """One run from flags to figures; the exit code."""
    chosen = choose_options(args)  # before TensorFlow is loaded: a slip is told at once

    import representations
    import utils
    from data import taxonomy_files

    representations.check_colormap(args.colormap)
    taxonomy = taxonomy_files.open_taxonomy(args.taxonomy) if args.taxonomy else None
    utils.silence_tensorflow()

    from comparison import levels as readings
    from comparison import levels_figures as hierarchy_figures
    from comparison import levels_tables as hierarchy_tables
    from data import objects as object_truth
    from pipeline import run as runs

    opened = readings.open_readings(args, chosen, taxonomy)
    truth = object_truth.open_truth(args, taxonomy, opened[0].run.samples)
    print(f"{'objects':>14}: {truth.note}", flush=True)
    failed = []
    for reading in opened:
        print(f"\n{reading.describe()}", flush=True)
        failed += runs.examine(reading.run, args, args.faithfulness)
    measured = hierarchy_tables.measure(opened, truth, args.fraction)
    print(f"\n{hierarchy_tables.write_tables(measured, args.output_folder_path)}\n")
    runs.print_failures(failed)
    paths = hierarchy_figures.write_figures(measured, args.output_folder_path, args.colormap, args.alpha)
    main_script.print_paths(list(paths), args.show)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_script("hierarchy.py", run, build_parser().parse_args(argv))


if __name__ == "__main__":
    forgive_names()
    sys.exit(main())

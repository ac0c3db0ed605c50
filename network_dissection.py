"""Which units of a network have learned which concept?

    python network_dissection.py --layer_name=stage2_preact_relu,stage3_preact_relu,post_relu
    python network_dissection.py --concepts=concepts --test_images_folder_path=images --model_path=my_model.keras
    python network_dissection.py --test_images_folder_path=class_folders --model_path=my_model.keras --random_twin

Network dissection (Bau et al. 2017). A unit is active where it exceeds the threshold that only a share of 0.005 of its
activations over all images exceeds; its concept is the one whose masks overlap most with where it is active (IoU),
and it detects that concept if the IoU exceeds 0.04. Concepts are masks in folders, `concepts/<concept>/<image>.png`, or
the images' classes, each a mask of the whole image (how, says concepts.py); the embedded data has masks of its parts.

    descriptions.csv                layer, unit, concept, iou, threshold
    layers.csv, detectors.csv       units, detectors and concepts by layer; detectors by concept and layer
    histogram.png                   detectors per concept and layer
    units/<rank>_<layer>_<unit>.png the best detectors: the images that excite a unit most, and where
    comparison.csv, comparison.png  with --compare_with or --random_twin: concepts shared and exclusive
    features/                       of every image; may be removed when nothing more is to be asked
    random_twin/                    the same of the network with random weights

The features stay, so that a run that was stopped goes on, and one with other concepts makes no forward pass.
Exit code: 0; 1 when an image or a mask could not be read; 2 for a flag or an input that stops it; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence

import constants
from pipeline.flags import add_data_flags, add_model_flags, forgive_names, in_range, run_script


def build_parser() -> argparse.ArgumentParser:
    """The flags of images and model, and those of the dissection."""
    parser = argparse.ArgumentParser(description="Find the concepts that units detect.", allow_abbrev=False)
    add_data_flags(parser)
    add_model_flags(parser)
    dissection = parser.add_argument_group("dissection")
    dissection.add_argument(
        "--concepts",
        help="folder of masks <concept>/<image>.png; labels: the images' classes; pixel_labels: these, "
        "pixel by pixel as in the paper (default: the part masks of the embedded data, else labels)",
    )
    dissection.add_argument(
        "--activation_share",
        type=in_range(float, 0, 1),
        help=f"of all positions, at which a unit is active (default: {constants.DISSECTION_SHARE}; of C labels, 1 / C)",
    )
    dissection.add_argument(
        "--min_iou",
        type=in_range(float, 0, 1),
        help=f"above which a unit detects its concept (default: {constants.DISSECTION_MIN_IOU}; of labels, chance's)",
    )
    others = dissection.add_mutually_exclusive_group()
    others.add_argument("--compare_with", help="output folder of a finished run of another model")
    others.add_argument("--random_twin", action="store_true", help="dissect the network with random weights too")
    dissection.add_argument("--seed", type=in_range(int, 0, 2**32 - 1), default=constants.SEED, help="of those weights")
    dissection.add_argument(
        "--n_figures",
        type=in_range(int, 0),
        default=constants.DISSECTION_FIGURES,
        help="units with a figure, the best detectors (default: %(default)s)",
    )
    dissection.add_argument("--output_folder_path", default=constants.DISSECTION_FOLDER, help="files of the run")
    dissection.add_argument("--overwrite", action="store_true", help="remove an earlier run in the output folder")
    return parser


def run(args: argparse.Namespace) -> int:
    """One dissection from flags to figures; the exit code."""
    if args.activation_share in (0, 1):
        raise ValueError(f"--activation_share should lie between 0 and 1; got {args.activation_share:g}")

    import utils

    utils.silence_tensorflow()

    from pathlib import Path

    from pipeline import run as runs
    from units import concepts, dissection, dissection_run

    folder = Path(args.output_folder_path)
    other = dissection_run.read_other(args.compare_with) if args.compare_with else None
    classifier, source = runs.open_classifier(args)
    classifier.require_layer()
    embedded = args.test_images_folder_path is None
    if embedded and args.limit is None:
        args.limit = constants.DEMO_MONUMENTS
    samples, _ = runs.load_samples(args, classifier)
    runs.print_choices({"source": source, **classifier.describe()}, samples, classifier.class_names)
    masks = args.concepts or (Path(constants.DEMO_FOLDER) / "part_masks" if embedded else concepts.LABELS)
    found = concepts.open_concepts(masks, samples)
    print(f"{'concepts':>14}: {found.source}")
    dissection_run.choose_levels(args, found)
    print(f"{'active':>14}: {args.activation_share:.3g} of activations; a detector's IoU exceeds {args.min_iou:.3g}")
    name = Path(args.model_path).stem if args.model_path else classifier.describe()["model_name"]
    first = dissection_run.run_model(args, folder, classifier, name, samples, found)
    if args.random_twin:
        twin = dissection.random_twin(classifier, args.seed)
        print("\nthe random twin", flush=True)
        other = dissection_run.run_model(args, folder / "random_twin", twin, "random twin", samples, found)
    if other:
        print(f"\n{dissection_run.write_comparison(folder, first, other, args.min_iou)}")
    return 1 if first.failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a dissection with these arguments."""
    return run_script("network_dissection.py", run, build_parser().parse_args(argv))


if __name__ == "__main__":
    forgive_names()
    sys.exit(main())

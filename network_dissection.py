"""Which units of a network have learned which concept?

    python network_dissection.py --layer_name=stage2_preact_relu,stage3_preact_relu,post_relu
    python network_dissection.py --concepts=concepts --test_images_folder_path=images --model_path=my_model.keras
    python network_dissection.py --test_images_folder_path=class_folders --model_path=my_model.keras --random_twin
    python network_dissection.py --words=words.txt --similarities=images_x_words.npy        without masks
    python network_dissection.py --words=words.txt --clip=clip_preset                       ... from a CLIP of keras_hub

Network dissection (Bau et al. 2017). A unit is active where it exceeds the threshold that only a share of 0.005 of its
activations over all images exceeds; its concept is the one whose masks overlap most with where it is active (IoU),
and it detects that concept if the IoU exceeds 0.04. Concepts are masks in folders, `concepts/<concept>/<image>.png`, or
the images' classes, each a mask of the whole image (see units/concepts.py); the embedded data has masks of its parts.
--words takes words in the place of masks: CLIP-Dissect (Oikarinen and Weng 2023; units/clip_dissection.py).

    descriptions.csv                layer, unit, concept, iou, threshold
    layers.csv, detectors.csv       units, detectors and concepts by layer; detectors by concept and layer
    histogram.png                   detectors per concept and layer
    units/<rank>_<layer>_<unit>.png the best detectors: the images that excite a unit most, and where
    comparison.csv, comparison.png  with --compare_with or --random_twin: concepts shared and exclusive
    units_by_model.csv              beside them: layer, unit, and the unit's concept and IoU in both models
    features/                       of every image; may be removed when nothing more is to be asked
    clip/                           with --words: descriptions.csv by words in place of masks, see units/clip_run.py
    random_twin/                    the same of the network with random weights

The features stay, so that a run that was stopped goes on, and one with other concepts makes no forward pass.
Exit code: 0; 1 when an image or a mask could not be read; 2 for a flag or an input that stops it; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import constants
from network.worker_pool import ClusterSettings
from output.progress import print_table
from pipeline import flags
from pipeline.command_line import CommandParser, in_range, path, run_command
from pipeline.settings import (
    DataSettings,
    ModelSettings,
    list_flags,
    read_cluster_settings,
    read_data_settings,
    read_model_settings,
)

N_FIGURES = 20  # units that have one


@dataclass(frozen=True)
class NetworkDissectionSettings:
    """What network_dissection.py was asked for.

    concepts: a folder of masks, 'labels' or 'pixel_labels'. activation_share, min_iou: None: what suits the concepts.
    compare_with: the folder of another model's run. words: None, or a file of words that name units in the place of
    concepts, with similarities or clip. n_figures: of units, None: all. flags: all by name, for run.json.
    """

    model: ModelSettings
    data: DataSettings
    concepts: str | Path
    activation_share: float | None
    min_iou: float | None
    compare_with: str | None
    random_twin: bool
    seed: int
    n_figures: int | None
    output_folder: Path
    overwrite: bool
    flags: dict
    words: str | None = None
    similarities: str | None = None
    clip: str | None = None
    clip_top_k: int | None = None
    cluster: ClusterSettings | None = None


OF_MASKS = ("concepts", "activation_share", "min_iou", "compare_with", "random_twin")  # flags without effect on words


def build_parser() -> argparse.ArgumentParser:
    """The flags of images and model, and those of the dissection."""
    parser = CommandParser("network_dissection.py", "Find the concepts that units of a network detect.")
    flags.add_data_flags(parser, embedded=constants.DEMO_MONUMENTS)
    flags.add_model_flags(parser, "layers with a feature map, by commas (default: the last)")
    dissection = parser.add_argument_group("dissection")
    dissection.add_argument(
        "--concepts",
        type=path,
        metavar="PATH",
        help="folder of masks <concept>/<image>.png; labels: the images' classes; pixel_labels: these, pixel by pixel "
        "as in the paper (default: the part masks of the embedded data, else labels)",
    )
    dissection.add_argument(
        "--activation_share",
        type=in_range(float, 0, 1),
        metavar="SHARE",
        help=f"of all positions, at which a unit is active (default: {constants.DISSECTION_SHARE}; of C labels, 1 / C)",
    )
    dissection.add_argument(
        "--min_iou",
        type=in_range(float, 0, 1),
        metavar="IOU",
        help=f"above which a unit detects its concept (default: {constants.DISSECTION_MIN_IOU}; of labels, what chance "
        "alone gives if that is more)",
    )
    others = dissection.add_mutually_exclusive_group()
    others.add_argument(
        "--compare_with",
        type=path,
        metavar="PATH",
        help="output folder of a finished run of another model (default: none)",
    )
    others.add_argument(
        "--random_twin",
        action="store_true",
        help="dissect the network with random weights too, and compare (default: no)",
    )
    flags.add_seed_flag(dissection, "the random weights", optional=True)
    flags.add_n_figures_flag(dissection, N_FIGURES, "the N best detectors")
    by_words = parser.add_argument_group("words in the place of masks (CLIP-Dissect)")
    by_words.add_argument(
        "--words", type=path, metavar="TXT", help="a word a line, that may name a unit (default: masks name it)"
    )
    source = by_words.add_mutually_exclusive_group()
    source.add_argument(
        "--similarities",
        type=path,
        metavar="NPY",
        help="matrix of images, in the order of their names, x words (default: none)",
    )
    source.add_argument(
        "--clip", type=path, metavar="FOLDER", help="a CLIP's preset folder of keras_hub (default: none)"
    )
    by_words.add_argument(
        "--clip_top_k",
        type=in_range(int, 1),
        metavar="N",
        help="images of largest mean activation that tell a unit's word (default: 100, or a tenth of fewer than 1000)",
    )
    flags.add_output_flags(parser, "dissection")
    flags.add_cluster_flags(parser)
    return parser


def read_settings(args: argparse.Namespace) -> NetworkDissectionSettings:
    """The settings of these flags; ValueError for flags that do not go together."""
    if args.activation_share in (0, 1):
        raise ValueError(f"--activation_share should lie between 0 and 1; got {args.activation_share:g}")
    if args.seed is not None and not args.random_twin:
        raise ValueError("--seed is of the random weights: give --random_twin too")
    if args.words is None and (given := args.similarities or args.clip or args.clip_top_k):
        raise ValueError(f"--words is wanted with --similarities, --clip and --clip_top_k; given: {given}")
    if args.words is not None:
        if not (args.similarities or args.clip):
            raise ValueError("--words wants to know how alike images and words are: give --similarities or --clip")
        if args.cluster is not None:
            raise ValueError("--cluster is of masks, and units are named by --words: leave one of them out")
        if given := [name for name in OF_MASKS if getattr(args, name)]:
            raise ValueError(f"--{given[0]} is of masks, and units are named by --words: leave one of them out")
    data = read_data_settings(args)
    if data.is_embedded and data.limit is None:  # a dissection needs many images, and takes them all
        data = replace(data, limit=constants.DEMO_MONUMENTS)
    return NetworkDissectionSettings(
        model=read_model_settings(args),
        data=data,
        concepts=args.concepts or data.part_masks or "labels",
        activation_share=args.activation_share,
        min_iou=args.min_iou,
        compare_with=args.compare_with,
        random_twin=args.random_twin,
        seed=constants.SEED if args.seed is None else args.seed,
        n_figures=args.figures,
        output_folder=Path(args.output_folder_path),
        overwrite=args.overwrite,
        flags=list_flags(args),
        words=args.words,
        similarities=args.similarities,
        clip=args.clip,
        clip_top_k=args.clip_top_k,
        cluster=read_cluster_settings(args),
    )


def run(settings: NetworkDissectionSettings) -> int:
    """One dissection from settings to figures; the exit code."""
    import utils

    utils.load_tensorflow(with_extras=False)

    from pipeline import run as runs
    from units import clip_run, concepts, dissection, dissection_run

    folder = settings.output_folder
    other = dissection_run.read_other(settings.compare_with) if settings.compare_with else None
    images = runs.load_dataset(settings.data)
    classifier, source = runs.load_classifier(settings.model)
    classifier.require_layer()
    images = runs.label_images(images, classifier)
    samples = images.samples
    runs.print_choices({"source": source, **classifier.describe()}, samples, classifier.class_names)
    name = Path(settings.model.model_path).stem if settings.model.model_path else classifier.describe()["model_name"]

    def ask(share: float, min_iou: float) -> dissection_run.DissectionSettings:
        return dissection_run.DissectionSettings(
            activation_share=share,
            min_iou=min_iou,
            n_figures=settings.n_figures,
            images=settings.data.paths["test_images_folder_path"],
            limit=settings.data.limit,
            flags=settings.flags,
            overwrite=settings.overwrite,
            cluster=settings.cluster,
            loading={**vars(settings.model), "batch_size": classifier.batch_size},
        )

    if settings.words:
        asked = ask(constants.DISSECTION_SHARE, constants.DISSECTION_MIN_IOU)
        by_words = clip_run.ClipSettings(settings.words, settings.similarities, settings.clip, settings.clip_top_k)
        failed = clip_run.name_model_units(asked, by_words, folder, classifier, name, samples, images.all_samples)
        return 1 if failed else 0
    found = concepts.open_concepts(settings.concepts, samples)
    share, min_iou = dissection_run.choose_levels(found, settings.activation_share, settings.min_iou)
    asked = ask(share, min_iou)
    active = f"{share:.3g} of activations; a detector's IoU exceeds {min_iou:.3g}"
    print_table({"concepts": found.source, "active": active})
    first = dissection_run.dissect_model(asked, folder, classifier, name, samples, found)
    if settings.random_twin:
        twin = dissection.random_twin(classifier, settings.seed)
        print("\nthe random twin", flush=True)
        other = dissection_run.dissect_model(asked, folder / "random_twin", twin, "random twin", samples, found)
    if other:
        print(f"\n{dissection_run.write_comparison(folder, first, other, min_iou)}")
    return 1 if first.failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a dissection with these arguments."""
    return run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())

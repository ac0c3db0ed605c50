"""What do the layers of a network respond to? Their filters, their maps of an image, the images that excite them most.

    python activations.py                                                        the embedded network and data
    python activations.py --layer_name=Conv1,block_3_expand_relu --model_path=my_model.keras \\
                          --test_images_folder_path=photographs
    python activations.py --layer_name=out_relu --channel=151,7 ...              these channels alone

Activations are those of the model itself: the classifier folds batch norms into the convolutions before them, but
never into the one that is looked at, so that a convolution shows what it gives before its batch norm. The layers are
those with a feature map; several by commas. Written are

    <folder>/run.json                            settings, model, versions
    <folder>/filters/<layer>.png                 of the convolutions among them, else of the first one
    <folder>/maps/<layer>/<image>.png            the maps of the first images, every channel on its own scale
    <folder>/top_images/<layer>.png              channels, the images of their largest peaks, the region
    <folder>/top_images.csv                      layer, channel, rank, image, peak, for all channels

Without --channel, many channels are cut down to those of the largest mean (maps) or the most selective (top images:
largest peaks over the mean peak). A run that is stopped goes on. Cost: one forward pass per image and layer, as far as
the layer. Exit code: 0; 1 when an image could not be read; 2 for a flag or an input that stops the run; 130 when
interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from output.progress import printable
from pipeline import flags
from pipeline.settings import DataSettings, ModelSettings, read_data_settings, read_model_settings


@dataclass(frozen=True)
class ActivationSettings:
    """What activations.py was asked for.

    channels: of every layer, None: the largest. n_maps: images whose maps are drawn. n_top_images: kept for every
    channel. flags: all by name, for run.json.
    """

    model: ModelSettings
    data: DataSettings
    channels: list[int] | None
    n_maps: int
    n_top_images: int
    output_folder: Path
    overwrite: bool
    flags: dict


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    parser = flags.CommandParser(
        "activations.py",
        "Show filters, activation maps and the images that excite a network's channels.",
        conflict_handler="resolve",
    )
    flags.add_data_flags(parser)
    model = flags.add_model_flags(parser)
    model.add_argument("--layer_name", metavar="NAMES", help="layers with a feature map, by commas (default: the last)")
    question = parser.add_argument_group("question")
    question.add_argument(
        "--channel",
        type=flags.reader(flags.read_channels),
        metavar="NUMBERS",
        help="channels of the layers, as 0-15,151 (default: those of the largest activations)",
    )
    question.add_argument(
        "--n_maps",
        type=flags.in_range(int, 0),
        default=4,
        metavar="N",
        help="draw the maps of the first so many images (default: %(default)s)",
    )
    question.add_argument(
        "--n_top_images",
        type=flags.in_range(int, 1),
        default=8,
        metavar="N",
        help="images kept for every channel (default: %(default)s)",
    )
    flags.add_output_flags(parser, "activations")
    return parser


def read_settings(args: argparse.Namespace) -> ActivationSettings:
    """The settings of these flags."""
    return ActivationSettings(
        model=read_model_settings(args),
        data=read_data_settings(args),
        channels=args.channel,
        n_maps=args.n_maps,
        n_top_images=args.n_top_images,
        output_folder=Path(args.output_folder_path),
        overwrite=args.overwrite,
        flags=vars(args),
    )


def run(settings: ActivationSettings) -> int:
    """One run from settings to figures; the exit code."""
    import utils

    utils.silence_tensorflow()

    from output.folder import open_folder
    from output.tables import write_table
    from pipeline import run as runs
    from units import activation_maps, filters, top_images

    images = runs.load_dataset(settings.data)
    classifier, source = runs.load_classifier(settings.model)
    samples = runs.label_images(images, classifier).samples
    for view in classifier.by_layer:
        view.require_layer()
        filters.check_channels(settings.channels, top_images.count_channels(view))
    description = {"source": source, **classifier.describe()}
    runs.print_choices(description, samples, classifier.class_names)
    kept = {
        "layers": [view.layer_name for view in classifier.by_layer],
        "weights": classifier.fingerprint,
        "images": runs.tell_apart([sample.name for sample in samples]),
        "n_top_images": settings.n_top_images,
        "images_folder": settings.data.paths["test_images_folder_path"],
    }
    about = {"flags": settings.flags, "model": description}
    # Held as long as this runs.
    opened = open_folder(
        settings.output_folder, kept, about, activation_maps.FILES, settings.overwrite
    )  # held till the end
    folder = opened.path
    for path in activation_maps.write_filters(folder, classifier, settings.channels):
        print(printable(str(path)))
    failed, rows = {}, []
    for view in classifier.by_layer:
        shown = samples[: settings.n_maps]
        for path in activation_maps.write_maps(folder, view, shown, settings.channels, failed):
            print(printable(str(path)), flush=True)
        top = activation_maps.scan(folder, view, samples, settings.n_top_images)
        failed.update(top.unread.tolist())
        print(printable(str(activation_maps.write_top_images(folder, view, samples, top, settings.channels))))
        rows += activation_maps.list_top_images(view.layer_name, samples, top)
    print(printable(str(write_table(folder / "top_images.csv", rows))))
    for name, reason in failed.items():
        print(printable(f"{name}: {reason}"))
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return flags.run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())

"""What do the layers of a network respond to? Their filters, their maps of an image, the images that excite them most.

    python activations.py                                                        the embedded network and data
    python activations.py --layer_name=Conv1,block_3_expand_relu --model_path=my_model.keras \\
                          --test_images_folder_path=photographs
    python activations.py --layer_name=out_relu --channel=151,7 ...              these channels alone
    python activations.py --test_images_folder_path=film.mp4                     a grid of channels beside the film
    python activations.py --from=unit --layer_name=post_relu --channel=3         one unit after the other

Activations are those of the model itself: the classifier folds batch norms into the convolutions before them, but
never into the one that is looked at, so that a convolution shows what it gives before its batch norm. The layers are
those with a feature map; several by commas. Written are

    <folder>/run.json                            settings, model, versions
    <folder>/filters/<layer>.png                 of the convolutions among them, else of the first one
    <folder>/maps/<layer>/<image>.png            the maps of the first images, every channel on its own scale
    <folder>/top_images/<layer>.png              channels, the images of their largest peaks, the region
    <folder>/top_images.csv                      layer, channel, rank, image, peak, for all channels
    <folder>/films/<layer>.mp4, .gif             of a film: its frames beside a grid of channels (units/live_view.py)

and with --from=unit, in the place of all but the table,

    <folder>/reconstructions/<layer>_<channel>.png    its ten strongest activations projected back to the pixels: rows
                                                      deconv, guided, image crop (units/reconstructions.py)
    <folder>/units/<layer>_<channel>.png              an image made to excite it, its top images, their regions

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

import constants
from output.progress import printable
from pipeline import flags
from pipeline.command_line import CommandParser, in_range, reader, run_command
from pipeline.settings import DataSettings, ModelSettings, list_flags, read_data_settings, read_model_settings


@dataclass(frozen=True)
class ActivationSettings:
    """What activations.py was asked for.

    channels: of every layer, None: the largest. n_maps: images whose maps are drawn. n_top_images: kept for every
    channel. by_unit: whether each channel has its own figures; n_steps: of the image that is made for it, seed: of its
    start. flags: all by name, for run.json.
    """

    model: ModelSettings
    data: DataSettings
    channels: list[int] | None
    n_maps: int
    n_top_images: int
    by_unit: bool
    n_steps: int
    seed: int
    output_folder: Path
    overwrite: bool
    flags: dict


N_MAPS = 4
N_STEPS = 128
OF_UNITS = ("n_steps", "seed")  # flags without effect on layers
UNITS_SHOWN = 4  # where none is chosen


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    parser = CommandParser(
        "activations.py", "Show filters, activation maps and the images that excite a network's channels."
    )
    flags.add_data_flags(parser)
    flags.add_model_flags(parser, "layers with a feature map, by commas (default: the last)")
    question = parser.add_argument_group("question")
    question.add_argument(
        "--channel",
        type=reader(flags.read_channels),
        metavar="NUMBERS",
        help="channels of the layers, as 0-15,151 (default: those of the largest activations)",
    )
    question.add_argument(
        "--from",
        dest="of",
        choices=("layer", "unit"),
        default="layer",
        help="what is shown: layers as a whole, or one unit after the other (default: %(default)s)",
    )
    question.add_argument(
        "--n_maps",
        type=in_range(int, 0),
        metavar="N",
        help=f"draw the maps of the first so many images (default: {N_MAPS})",
    )
    question.add_argument(
        "--n_top_images",
        type=in_range(int, 1),
        default=10,
        metavar="N",
        help="images kept for every channel (default: %(default)s)",
    )
    question.add_argument(
        "--n_steps",
        type=in_range(int, 1),
        metavar="N",
        help=f"of the image that is made for a unit (default: {N_STEPS})",
    )
    flags.add_seed_flag(question, "the start of that image", 2**31 - 1, optional=True)
    flags.add_output_flags(parser, "activations")
    return parser


def read_settings(args: argparse.Namespace) -> ActivationSettings:
    """The settings of these flags; ValueError for flags that do not go together."""
    by_unit = args.of == "unit"
    if given := [name for name in OF_UNITS if getattr(args, name) is not None and not by_unit]:
        raise ValueError(f"--{given[0]} is of the image made for a unit: give --from=unit too")
    if by_unit and args.n_maps is not None:
        raise ValueError("--n_maps is of layers: leave it out, or --from=unit")
    return ActivationSettings(
        model=read_model_settings(args),
        data=read_data_settings(args),
        channels=args.channel,
        n_maps=N_MAPS if args.n_maps is None else args.n_maps,
        n_top_images=args.n_top_images,
        by_unit=by_unit,
        n_steps=args.n_steps or N_STEPS,
        seed=constants.SEED if args.seed is None else args.seed,
        output_folder=Path(args.output_folder_path),
        overwrite=args.overwrite,
        flags=list_flags(args),
    )


def run(settings: ActivationSettings) -> int:
    """One run from settings to figures; the exit code."""
    import utils

    utils.load_tensorflow(with_extras=False)

    from data.films import film_of
    from output.folder import open_folder
    from output.tables import write_table
    from pipeline import run as runs
    from units import activation_maps, filters, live_view, reconstructions, top_images, unit_pages

    images = runs.load_dataset(settings.data)
    classifier, source = runs.load_classifier(settings.model)
    samples = runs.label_images(images, classifier).samples
    for view in classifier.by_layer:
        view.require_layer()
        filters.check_channels(settings.channels, top_images.count_channels(view))
        if settings.by_unit:
            reconstructions.check_rules(view)
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
    opened = open_folder(settings.output_folder, kept, about, activation_maps.FILES, settings.overwrite)
    folder = opened.path  # `opened` holds the folder as long as this runs
    failed, rows = {}, []

    def say(paths) -> None:
        for path in paths:
            print(printable(str(path)), flush=True)

    if not settings.by_unit:
        say(activation_maps.write_filters(folder, classifier, settings.channels))
    for view in classifier.by_layer:
        if not settings.by_unit:
            shown = samples[: settings.n_maps]
            say(activation_maps.write_maps(folder, view, shown, settings.channels, failed))
        top = activation_maps.scan(folder, view, samples, settings.n_top_images)
        failed.update(top.unread.tolist())
        if film_of(samples) and not settings.by_unit:
            say(live_view.write_live_view(folder, view, samples, settings.channels))
        if settings.by_unit:
            channels = settings.channels or filters.choose_largest(top.selectivity(), UNITS_SHOWN)
            about_image = settings.n_steps, settings.seed
            say(unit_pages.write_unit_pages(folder, view, samples, top, channels, *about_image))
        else:
            say([activation_maps.write_top_images(folder, view, samples, top, settings.channels)])
        rows += activation_maps.list_top_images(view.layer_name, samples, top)
    print(printable(str(write_table(folder / "top_images.csv", rows))))
    for name, reason in failed.items():
        print(printable(f"{name}: {reason}"))
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())

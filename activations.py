"""What do the layers of a network respond to? Their filters, their maps of an image, the images that excite them most.

    python activations.py                                                        the embedded network and data
    python activations.py --layer_name=Conv1,block_3_expand_relu --model_path=my_model.keras \\
                          --test_images_folder_path=photographs
    python activations.py --layer_name=out_relu --channel=151,7 ...              these channels alone

Activations are those of the model itself: the classifier folds batch norms into the convolutions before them, but
never into the one that is looked at, so that a convolution shows what it gives before its batch norm. The layers are
those with a feature map; several by commas. Written are

    <folder>/run.json                            settings, model, versions
    <folder>/filters/<layer>.png                 of the convolutions among them, else of the first one (filters.py)
    <folder>/maps/<layer>/<image>.png            the maps of the first images, every channel on its own scale
    <folder>/top_images/<layer>.png              channels, the images of their largest peaks, the region (top_images.py)
    <folder>/top_images.csv                      layer, channel, rank, image, peak, for all channels

Without --channel, many channels are cut down to those of the largest mean (maps) or the most selective (top images:
largest peaks over the mean peak). A run that is stopped goes on. Cost: one forward pass per image and layer, as far as
the layer. Exit code: 0; 1 when an image could not be read; 2 for a flag or an input that stops the run; 130 when
interrupted.
"""

import argparse
import sys
from collections.abc import Sequence

import constants
from feature_visualization import read_channels
from pipeline.flags import add_data_flags, add_model_flags, forgive_names, in_range, reader, run_script

FILES = ("filters/*.png", "maps/*/*.png", "top_images/*.png", "top_images.csv", "state/*.npz")


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    parser = argparse.ArgumentParser(
        description="Show filters, activation maps and the images that excite a network's channels.",
        allow_abbrev=False,
        conflict_handler="resolve",
    )
    add_data_flags(parser)
    add_model_flags(parser)
    question = parser.add_argument_group("question")
    question.add_argument("--layer_name", help="layers with a feature map, by commas (default: the last)")
    question.add_argument("--channel", type=reader(read_channels), help="channels of the layers, as 0-15,151")
    question.add_argument(
        "--n_maps",
        type=in_range(int, 0),
        default=constants.MAPS_DRAWN,
        help="draw the maps of the first so many images (default: %(default)s)",
    )
    question.add_argument(
        "--n_top_images",
        type=in_range(int, 1),
        default=constants.TOP_IMAGES,
        help="kept for every channel (default: %(default)s)",
    )
    output = parser.add_argument_group("output")
    output.add_argument("--output_folder_path", default=constants.ACTIVATIONS_FOLDER, help="files of the run")
    output.add_argument("--overwrite", action="store_true", help="remove an earlier run in the output folder")
    return parser


def run(args: argparse.Namespace) -> int:
    """One run from flags to figures; the exit code."""
    import utils

    utils.silence_tensorflow()

    from output import files
    from output.folder import ScriptFolder
    from pipeline import run as runs
    from pipeline.results import versions
    from units import activation_maps as activation_files
    from units import filters, top_images

    classifier, source = runs.open_classifier(args)
    samples, _ = runs.load_samples(args, classifier)
    for view in classifier.views:
        view.require_layer()
        filters.check_channels(args.channel, top_images.count_channels(view))
    description = {"source": source, **classifier.describe()}
    runs.print_choices(description, samples, classifier.class_names)
    settings = {
        "layers": [view.layer_name for view in classifier.views],
        "weights": classifier.fingerprint,
        "images": runs.tell_apart([sample.name for sample in samples]),
        "n_top_images": args.n_top_images,
        "images_folder": runs.find_folder(args, "test_images_folder_path"),
    }
    about = {"flags": vars(args), "model": description, "versions": versions()}
    folder = ScriptFolder(args.output_folder_path, settings, about, FILES, args.overwrite).path
    print(*activation_files.write_filters(folder, classifier, args.channel), sep="\n")
    failed, rows = {}, []
    for view in classifier.views:
        print(
            *activation_files.write_maps(folder, view, samples[: args.n_maps], args.channel, failed),
            sep="\n",
            flush=True,
        )
        top = activation_files.scan(folder, view, samples, args.n_top_images)
        failed.update(top.unread.tolist())
        print(activation_files.write_top_images(folder, view, samples, top, args.channel))
        rows += activation_files.list_top_images(view.layer_name, samples, top)
    print(files.write_whole(folder / "top_images.csv", lambda path: files.write_rows(path, list(rows[0]), rows)))
    for name, reason in failed.items():
        print(f"{name}: {reason}")
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_script("activations.py", run, build_parser().parse_args(argv))


if __name__ == "__main__":
    forgive_names()
    sys.exit(main())

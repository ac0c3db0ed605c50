"""What excites a class, a channel, a neuron or a layer of the network? Makes images that do, and shows them.

    python feature_visualization.py                                                every class of the embedded network
    python feature_visualization.py --model_path=my_model.keras --class_index=goldfish,flamingo
    python feature_visualization.py --layer_name=block_3,block_5 --channel=0-15,151 [--position=4,4]
    python feature_visualization.py --class_index=0 --visualization_method=CLASS_MODEL,FOURIER,CLASS_IMPRESSION

CLASS_MODEL (Simonyan et al. 2014), FOURIER (Olah et al. 2017) and CLASS_IMPRESSION (Addepalli et al. 2020) are
defined in units/maximisation.py; CLASS_IMPRESSION is for classes, and their default; FOURIER is that of the others. A
layer without --channel is visualized as a whole; a channel with --position is one neuron. Written are, besides
the files of units/visualization.py,

    <folder>/run.json                        settings, model, versions
    <folder>/feature_visualization.png       all images, their curves, the classifier's verdict; _2, ... past one page
    <folder>/animations/<METHOD>/<target>.gif   with --animate: the ascent, with the score

Further targets or methods can be added to a folder by another run. Exit code: 0; 1 when a class impression is not
classified as its class with a probability over 0.9; 2 for a flag or an input that stops the run; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import constants
from output.progress import print_table, printable
from pipeline import flags
from pipeline.command_line import CommandParser, in_range, reader, run_command
from pipeline.settings import ModelSettings, list_flags, read_model_settings


@dataclass(frozen=True)
class VisualizationSettings:
    """What feature_visualization.py was asked for.

    class_index, layers: by commas. channels: of every layer, None: the layers as a whole. position: (row, column) of
    a neuron, None: whole channels. methods: None: each target's own. n_steps: None: the method's own.
    animates: whether the ascents are shown. flags: all by name, for run.json.
    """

    model: ModelSettings
    class_index: str | None
    layers: str | None
    channels: list[int] | None
    position: tuple[int, int] | None
    methods: list[str] | None
    n_steps: int | None
    seed: int
    animates: bool
    output_folder: Path
    overwrite: bool
    flags: dict


def read_position(text: str) -> tuple[int, int]:
    """(row, column), counted from 0."""
    numbers = [part.strip() for part in text.split(",")]
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        raise ValueError(f"a position is row,column, counted from 0, as 3,4; got {text}")
    return int(numbers[0]), int(numbers[1])


def read_methods(text: str) -> list[str]:
    """Names of `constants.VISUALIZATION_METHODS` by commas."""
    names = [name.strip().upper() for name in text.split(",")]
    for name in names:
        if name not in constants.VISUALIZATION_METHODS:
            raise ValueError(f"unknown method {name!r}; choose from: {', '.join(constants.VISUALIZATION_METHODS)}")
    return list(dict.fromkeys(names))


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    parser = CommandParser(
        "feature_visualization.py", "Make images that excite classes, channels, neurons or layers of a network."
    )
    flags.add_model_flags(parser, layers=None, network=f"{constants.MODEL_NAME_DEMO}, the embedded network")
    target = parser.add_argument_group("targets")
    target.add_argument(
        "--class_index",
        metavar="CLASSES",
        help="classes by commas, by index or name (default: all of a few, if no layer is given)",
    )
    target.add_argument("--layer_name", dest="layers", metavar="NAMES", help="layers by commas (default: none)")
    target.add_argument(
        "--channel",
        type=reader(flags.read_channels),
        metavar="NUMBERS",
        help="channels of the layers, as 0-15,151 (default: the layers as a whole)",
    )
    target.add_argument(
        "--position",
        type=reader(read_position),
        metavar="ROW,COLUMN",
        help="of a neuron, counted from 0 (default: the channels at all positions)",
    )
    how = parser.add_argument_group("visualization")
    how.add_argument(
        "--visualization_method",
        type=reader(read_methods),
        metavar="NAMES",
        help=f"by commas, of {', '.join(constants.VISUALIZATION_METHODS)} (default: CLASS_IMPRESSION for classes, "
        "FOURIER for the others)",
    )
    how.add_argument(
        "--n_steps", type=in_range(int, 1), metavar="N", help="steps of the ascent (default: the method's own, 256)"
    )
    flags.add_seed_flag(how, "start and transforms", 2**31 - 1)
    how.add_argument(
        "--animate",
        action="store_true",
        help="also a .gif of each ascent, which is made once more for it (default: no)",
    )
    flags.add_output_flags(parser, "visualization")
    return parser


def read_settings(args: argparse.Namespace) -> VisualizationSettings:
    """The settings of these flags; ValueError for flags that do not go together."""
    if args.channel is not None and not args.layers:
        raise ValueError("--channel belongs to a layer: give --layer_name too")
    if args.position is not None and args.channel is None:
        raise ValueError("--position belongs to channels: give --channel too")
    if args.layers and "CLASS_IMPRESSION" in (args.visualization_method or ()):
        raise ValueError("CLASS_IMPRESSION is for classes (--class_index); FOURIER and CLASS_MODEL take layers too")
    return VisualizationSettings(
        model=read_model_settings(args),
        class_index=args.class_index,
        layers=args.layers,
        channels=args.channel,
        position=args.position,
        methods=args.visualization_method,
        n_steps=args.n_steps,
        seed=args.seed,
        animates=args.animate,
        output_folder=Path(args.output_folder_path),
        overwrite=args.overwrite,
        flags=list_flags(args),
    )


def run(settings: VisualizationSettings) -> int:
    """One run from settings to figures; the exit code."""
    import utils

    utils.load_tensorflow(with_extras=False)

    from output.folder import open_folder
    from pipeline import run as runs
    from units import visualization
    from units.ascents import write_ascents
    from units.visualization_figures import write_visualization_pages

    classifier, source = runs.load_classifier(settings.model)
    targets = visualization.choose_targets(
        classifier, settings.class_index, settings.layers, settings.channels, settings.position
    )
    work = visualization.choose_work(targets, settings.methods)
    methods = visualization.choose_method_settings(work, settings.n_steps)
    description = {"source": source, **classifier.describe()}
    print_table({**description, "targets": len(targets), "methods": ", ".join(methods)})
    kept = {
        "seed": settings.seed,
        "model": classifier.describe(),
        "weights": classifier.fingerprint,
        "class_names": runs.tell_apart(classifier.class_names),
        **methods,
    }
    about = {"flags": settings.flags, "model": description}
    folder = open_folder(settings.output_folder, kept, about, visualization.FILES, settings.overwrite)
    visualizer = visualization.Visualizer(classifier, folder.path, methods, settings.seed)
    visualizer.visualize(work)
    made = [(method, target.stem) for target in targets for method in work if target in work[method]]
    rows = [visualizer.rows[each] for each in made]
    print(f"\n{visualization.format_rows(rows)}\n")
    unsure = [row for row in rows if row["method"] == "CLASS_IMPRESSION" and row["is_sure"] == "no"]
    for row in unsure:
        print(printable(visualization.describe_doubt(row)))
    n_methods = len(settings.methods or [1])  # of one target, which stand side by side
    for path in write_visualization_pages(visualizer, rows, n_methods, description["model_name"]):
        print(printable(str(path)))
    if settings.animates:
        for path in write_ascents(visualizer, work):
            print(printable(str(path)), flush=True)
    return 1 if unsure else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())

"""What excites a class, a channel, a neuron or a layer of the network? Makes images that do, and shows them.

    python feature_visualization.py                                                every class of the embedded network
    python feature_visualization.py --model_path=my_model.keras --class_index=goldfish,flamingo
    python feature_visualization.py --layer_name=block_3,block_5 --channel=0-15,151 [--position=4,4]
    python feature_visualization.py --class_index=0 --visualization_method=CLASS_MODEL,FOURIER,CLASS_IMPRESSION

CLASS_MODEL (Simonyan et al. 2014), FOURIER (Olah et al. 2017) and CLASS_IMPRESSION (Addepalli et al. 2020) are
defined in maximisation.py; CLASS_IMPRESSION is for classes, and their default; FOURIER is that of the others. A
layer without --channel is visualized as a whole; a channel with --position is one neuron. Written are, besides
the files of visualization_run.py,

    <folder>/run.json                        settings, model, versions
    <folder>/feature_visualization.png       all images, their curves, the classifier's verdict; _2, ... past one page

Further targets or methods can be added to a folder by another run. Exit code: 0; 1 when a class impression is not
classified as its class with a probability over 0.9; 2 for a flag or an input that stops the run; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence

import constants
from pipeline.flags import add_model_flags, forgive_names, in_range, reader, run_script
from pipeline.settings import read_model_settings

DEFAULT_METHODS = {True: "CLASS_IMPRESSION", False: "FOURIER"}  # of classes, of anything else


def read_channels(text: str) -> list[int]:
    """The numbers of a list such as '0-3,151', each once, as given."""
    channels = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.strip().isdecimal() or not (last or first).strip().isdecimal() or int(last or first) < int(first):
            raise ValueError(f"channels are numbers or ranges by commas, as 0-15,151; got {text}")
        channels += range(int(first), int(last or first) + 1)
    return list(dict.fromkeys(channels))


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
            raise ValueError(f"unknown method {name!r}; choose of: {', '.join(constants.VISUALIZATION_METHODS)}")
    return list(dict.fromkeys(names))


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    parser = argparse.ArgumentParser(
        description="Make images that excite classes, channels, neurons or layers of a network.",
        allow_abbrev=False,
        conflict_handler="resolve",
    )
    add_model_flags(parser)
    parser.set_defaults(test_images_folder_path=None)  # no image is needed: the embedded network, unless one is named
    target = parser.add_argument_group("targets")
    target.add_argument(
        "--class_index", help="classes by commas, by index or name (default: all of a few, if no layer is given)"
    )
    target.add_argument("--layer_name", help="layers by commas")
    target.add_argument("--channel", type=reader(read_channels), help="channels of the layers, as 0-15,151")
    target.add_argument(
        "--position", type=reader(read_position), help="row,column of a neuron; of a channel's positions by default all"
    )
    how = parser.add_argument_group("visualization")
    how.add_argument(
        "--visualization_method",
        type=reader(read_methods),
        help=f"of {', '.join(constants.VISUALIZATION_METHODS)}: several by commas",
    )
    how.add_argument("--n_steps", type=in_range(int, 1), help="of the ascent (default: the method's own)")
    how.add_argument("--seed", type=in_range(int, 0, 2**31 - 1), default=constants.SEED, help="of start and transforms")
    output = parser.add_argument_group("output")
    output.add_argument("--output_folder_path", default=constants.VISUALIZATION_FOLDER, help="files of the run")
    output.add_argument("--overwrite", action="store_true", help="remove an earlier run in the output folder")
    return parser


def check_flags(args: argparse.Namespace) -> None:
    """ValueError for flags that do not go together."""
    if args.channel is not None and not args.layer_name:
        raise ValueError("--channel belongs to a layer: give --layer_name too")
    if args.position is not None and args.channel is None:
        raise ValueError("--position belongs to channels: give --channel too")
    if args.layer_name and "CLASS_IMPRESSION" in (args.visualization_method or ()):
        raise ValueError("CLASS_IMPRESSION is for classes (--class_index); FOURIER and CLASS_MODEL take layers too")


def share_out(targets: Sequence, methods: Sequence[str] | None) -> dict[str, list]:
    """Method -> its targets: all of them, or, where no method was asked for, those whose default it is."""
    work = {}
    for target in targets:
        for method in methods or [DEFAULT_METHODS[target.kind == "class"]]:
            work.setdefault(method, []).append(target)
    return work


def choose_settings(methods: Iterable[str], n_steps: int | None) -> dict[str, dict]:
    """Method -> its settings; n_steps: of all of them, None: each one's own."""
    steps = {"n_steps": n_steps} if n_steps else {}
    return {name: {**constants.VISUALIZATION_METHODS[name], **steps} for name in methods}


def run(args: argparse.Namespace) -> int:
    """One run from flags to figures; the exit code."""
    check_flags(args)  # before TensorFlow is loaded: a slip is told at once

    import utils

    utils.silence_tensorflow()

    from output.folder import open_folder
    from pipeline import run as runs
    from units.visualization import FILES, Visualizer
    from units.visualization_figures import write_figures
    from units.visualization_targets import choose_targets

    any_layer = argparse.Namespace(**{**vars(args), "layer_name": None})
    classifier, source = runs.load_classifier(read_model_settings(any_layer))
    targets = choose_targets(classifier, args.class_index, args.layer_name, args.channel, args.position)
    work = share_out(targets, args.visualization_method)
    settings = choose_settings(work, args.n_steps)
    description = {"source": source, **classifier.describe()}
    for name, value in {**description, "targets": len(targets), "methods": ", ".join(settings)}.items():
        print(f"{name.replace('_', ' '):>14}: {value}", flush=True)
    kept = {
        "seed": args.seed,
        "model": classifier.describe(),
        "weights": classifier.fingerprint,
        "class_names": runs.tell_apart(classifier.class_names),
        **settings,
    }
    about = {"flags": vars(args), "model": description}
    folder = open_folder(args.output_folder_path, kept, about, FILES, args.overwrite)
    visualizer = Visualizer(classifier, folder.path, settings, args.seed)
    visualizer.visualize(work)
    made = [(method, target.stem) for target in targets for method in work if target in work[method]]
    rows = [visualizer.rows[each] for each in made]
    print(f"\n{format_rows(rows)}\n")
    unsure = [row for row in rows if row["method"] == "CLASS_IMPRESSION" and row["is_sure"] == "no"]
    for row in unsure:
        print(describe_doubt(row))
    n_methods = len(args.visualization_method or [1])  # of one target, which stand side by side
    print(*write_figures(visualizer, rows, n_methods, description["model_name"]), sep="\n")
    return 1 if unsure else 0


def describe_doubt(row: dict) -> str:
    """Why an image is no impression of its class."""
    if (row["verdict"], row["probability"]) == (row["target"], row["target_probability"]):
        found = f"classified as it, but with {float(row['probability']):.3f} only"
    else:
        found = f"classified as {row['verdict']!r} with {row['probability']}, it has {row['target_probability']}"
    return (
        f"not an impression of {row['target']!r}: {found}; over {constants.SURE_PROBABILITY} is wanted, "
        "more --n_steps may help"
    )


def format_rows(rows: Sequence[dict]) -> str:
    """The rows as a table."""
    from output.tables import align

    head = ["target", "method", "classified as", "probability", "score from", "to", "steps", "seconds"]
    names = ("target", "method", "verdict", "probability", "score_start", "score_end", "steps", "seconds")
    return align([head, *([str(row[name]) for name in names] for row in rows)])


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_script("feature_visualization.py", run, build_parser().parse_args(argv))


if __name__ == "__main__":
    forgive_names()
    sys.exit(main())

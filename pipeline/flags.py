"""The flags that commands share, by groups: images, gaze, model, output, and those of a run with its methods.

pipeline/settings.py turns what was given into settings.
"""

import argparse
from collections.abc import Callable

import constants
from explainers.registry import METHODS, Method
from metrics.catalogue import FAITHFULNESS, read_faithfulness
from pipeline.command_line import CLUSTER, CommandParser, in_range, output_folder, path, reader
from pipeline.settings import LIME_PRESETS, PROTOCOLS


# --- flags that several commands have -----------------------------------------------------------------------------
def add_data_flags(
    parser: argparse.ArgumentParser, limit: int | None = None, embedded: int = constants.DEMO_LIMIT
) -> argparse._ArgumentGroup:
    """Adds the flags of the images, which `settings.read_data_settings` reads, and returns their group.

    limit: the default of --limit; None: all, but of the embedded data so many as `embedded` says.
    """
    data = parser.add_argument_group("images")
    data.add_argument(
        "--test_images_folder_path",
        type=path,
        metavar="PATH",
        help="a folder of images or of class folders, one image, a film, a camera's number, a list, a WebDataset, "
        "TFRecords or a URL, see docs/data.md (default: the embedded data)",
    )
    data.add_argument(
        "--limit",
        type=in_range(int, 1),
        default=limit,
        metavar="N",
        help=f"N images, taken in turn from each class (default: {limit or f'all; {embedded} of the embedded data'})",
    )
    data.add_argument(
        "--frame_step", type=in_range(int, 1), metavar="N", help="of a film, every N-th frame (default: every frame)"
    )
    add_reading_flags(data)
    return data


def add_reading_flags(data: argparse._ArgumentGroup) -> None:
    """Adds the flags of how photographs are read, to those of the images."""
    data.add_argument(
        "--exif",
        choices=("turn", "keep"),
        default="turn",
        help="photographs upright by their EXIF tag, or as they are stored, as Keras loads them (default: turn)",
    )
    data.add_argument(
        "--max_megapixels",
        type=in_range(int, 1),
        default=constants.MAX_IMAGE_PIXELS // 10**6,
        metavar="N",
        help="of the largest photograph that is read (default: %(default)s)",
    )


def add_gaze_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say where people looked, which `settings.read_data_settings` reads."""
    gaze = parser.add_argument_group("gaze")
    gaze.add_argument(
        "--test_gdfm_folder_path",
        "--test_gfdm_folder_path",
        type=path,
        metavar="PATH",
        help="gaze fixation density maps (default: none; those of the embedded data)",
    )
    gaze.add_argument(
        "--test_fixations_path",
        "--test_fixations_folder_path",
        type=path,
        metavar="PATH",
        help="MexCulture142's .txt files, a csv (image, observer, x, y, duration), a table of an eye tracker, or "
        "a public data set as published, see docs/gaze.md (default: none)",
    )
    gaze.add_argument(
        "--fixations_unit",
        choices=("pixels", "fraction"),
        help="of x and y: pixels, or fractions of the image's sides (default: as the file says, else pixels)",
    )
    gaze.add_argument(
        "--sigma_px",
        type=in_range(float, 0.1),
        metavar="PIXELS",
        help="width of a fixation's Gaussian in image pixels (default: 2 degrees on MexCulture142's screen)",
    )


def add_model_flags(
    parser: argparse.ArgumentParser,
    layers: str | None = "layer of the CAM methods; several by commas: their mean (default: the last)",
    network: str = f"ResNet; {constants.MODEL_NAME_DEMO} for the embedded data",
) -> argparse._ArgumentGroup:
    """Adds the flags of the classifier, which `settings.read_model_settings` reads, and returns their group.

    In words: what its --layer_name are, None: the command has none; network: which one is the default.
    """
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model_name",
        metavar="NAME",
        help=f"of keras.applications, as {', '.join(list(constants.ZOO)[:3])}, ..., or {constants.MODEL_NAME_DEMO} "
        f"(default: {network})",
    )
    model.add_argument(
        "--model_path",
        type=path,
        metavar="PATH",
        help=".keras or .h5 file, weights alone or a SavedModel folder; --model_name then tells its preprocessing "
        "(default: the network of --model_name)",
    )
    model.add_argument(
        "--class_names",
        type=path,
        metavar="NAMES",
        help="names by commas, or a file of them, see docs/models.md (default: those kept with the model)",
    )
    if layers is not None:
        model.add_argument("--layer_name", metavar="NAMES", help=layers)
    model.add_argument(
        "--preprocessing",
        choices=("auto", *constants.PREPROCESSING),
        default="auto",
        help="of RGB 0-255 in front of the model; unit: x / 255 (default: found by what the model does to pixels)",
    )
    model.add_argument(
        "--score",
        choices=constants.SCORES,
        default="auto",
        help="what the outputs are; none: numbers, as of a regression, explained as they are (default: found)",
    )
    model.add_argument(
        "--output_name", metavar="NAME", help="which output of a model that has several (default: the only one)"
    )
    model.add_argument(
        "--trust_model", action="store_true", help="run code that the model file contains (default: refuse the file)"
    )
    model.add_argument(
        "--custom_objects",
        type=path,
        metavar="PATH",
        help="a Python file that defines the model's own layers, and is run (default: none)",
    )
    model.add_argument(
        "--batch_size",
        type=lambda text: text if text == constants.AUTO else in_range(int, 1)(text),
        default=constants.BATCH_SIZE,
        metavar="N",
        help=f"images per forward pass, or {constants.AUTO}: the quickest here by a short timing, which is kept "
        "(default: %(default)s)",
    )
    model.add_argument(
        "--precision",
        choices=constants.PRECISIONS,
        default="float32",
        help="arithmetic of forward passes (default: %(default)s)",
    )
    return model


def add_engine_flag(model: argparse._ArgumentGroup) -> None:
    """Adds --engine, of the commands that ask for probabilities."""
    model.add_argument(
        "--engine",
        choices=constants.ENGINES,
        default=constants.ENGINES[0],
        help="what runs the forward passes of methods and metrics that need probabilities alone; auto: the quickest "
        "of those that requirements-fast.txt installs, where it is at least 1.2 times as fast (default: %(default)s)",
    )


def add_output_flags(parser: argparse.ArgumentParser, folder: str) -> argparse._ArgumentGroup:
    """Adds the flags of the folder that a command writes, and returns their group; folder: the default."""
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output_folder_path",
        type=output_folder,
        default=folder,
        metavar="PATH",
        help="files of the run (default: %(default)s)",
    )
    output.add_argument(
        "--overwrite", action="store_true", help="remove an earlier run in the output folder (default: go on with it)"
    )
    return output


def read_channels(text: str) -> list[int]:
    """The numbers of a list such as '0-3,151', each once, as given."""
    channels = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.strip().isdecimal() or not (last or first).strip().isdecimal() or int(last or first) < int(first):
            raise ValueError(f"channels are numbers or ranges by commas, as 0-15,151; got {text}")
        channels += range(int(first), int(last or first) + 1)
    return list(dict.fromkeys(channels))


def add_seed_flag(
    group: argparse._ArgumentGroup, drawn: str = "all that is random", largest: int = 2**32 - 1, optional: bool = False
) -> None:
    """Adds the flag of a seed; drawn: in words, what it is of. optional: None is read where it is not given."""
    group.add_argument(
        "--seed",
        type=in_range(int, 0, largest),
        default=None if optional else constants.SEED,
        metavar="N",
        help=f"of {drawn} (default: {constants.SEED})",
    )


# --- flags of main.py and of the commands that explain as it does -------------------------------------------------
def build_run_parser(prog: str, description: str, methods: str = "GRADCAM", limit: int | None = None) -> CommandParser:
    """The parser of a command that explains images: main, compare, sanity, hierarchy. `methods`, `limit`: defaults."""
    parser = CommandParser(prog, description)
    add_data_flags(parser, limit)
    add_gaze_flags(parser)
    add_engine_flag(add_model_flags(parser))
    question = parser.add_argument_group("question")
    question.add_argument(
        "--explanation_method",
        default=methods,
        metavar="NAMES",
        help=f"by commas, or ALL, of {', '.join(METHODS)} (default: %(default)s)",
    )
    question.add_argument(
        "--help_method", action=_MethodHelp, metavar="NAME", help="show the options of one method, as --rise_n_masks"
    )
    question.add_argument(
        "--class_index",
        default="auto",
        metavar="CLASS",
        help="label, predicted, an index or a name (default: the label where there is one, else predicted)",
    )
    add_seed_flag(question)
    question.add_argument(
        "--lime_preset", choices=tuple(LIME_PRESETS), help="LIME's options as in the assignment (default: its own)"
    )
    for method in METHODS.values():
        add_method_flags(parser, method, hidden=True)
    output = add_output_flags(parser, constants.OUTPUT_FOLDER)
    output.add_argument(
        "--colormap",
        default=constants.COLORMAP,
        metavar="NAME",
        help="of matplotlib, for heat maps (default: %(default)s)",
    )
    output.add_argument(
        "--alpha",
        type=in_range(float, 0, 1),
        default=constants.ALPHA,
        metavar="SHARE",
        help="of the heat map laid over the image (default: %(default)s)",
    )
    output.add_argument("--show", action="store_true", help="open the figures (default: write them)")
    add_figure_format_flags(output)
    output.add_argument(
        "--storage",
        choices=("files", "columns"),
        help="of a new folder: a row and a map file per image, or columns and groups of small maps, see docs/files.md "
        "(default: columns above 10,000 images)",
    )
    add_cluster_flags(parser)
    return parser


def find_flag_group(parser: argparse.ArgumentParser, title: str) -> argparse._ArgumentGroup:
    """The group of that title, which the parser has."""
    return next(group for group in parser._action_groups if group.title == title)


def add_n_figures_flag(group: argparse._ArgumentGroup, default: int | str, drawn: str) -> None:
    """Adds the flag that says how many figures are drawn; drawn: in words, of what the N are."""
    group.add_argument(
        "--figures",
        type=reader(read_n_figures),
        default=default,
        metavar="N",
        help=f"draw {drawn}; or all, or none (default: %(default)s)",
    )


def add_figure_format_flags(group: argparse._ArgumentGroup) -> None:
    """Adds the flags that say as what files figures are drawn; `settings.read_figure_settings` reads them."""
    group.add_argument(
        "--figure_format",
        type=reader(read_figure_formats),
        metavar="NAMES",
        help=f"by commas, of {', '.join(constants.FIGURE_FORMATS)} (default: png)",
    )
    group.add_argument(
        "--dpi",
        type=in_range(int, 30, 1200),
        metavar="N",
        help=f"pixels per inch of figures (default: {constants.FIGURE_DPI})",
    )


def read_n_figures(text: str) -> int | None:
    """How many figures are drawn: None of 'all', 0 of 'none'."""
    words = {"all": None, "none": 0}
    if text.lower() in words:
        return words[text.lower()]
    if not text.isdecimal() or not int(text):
        raise ValueError(f"a number from 1 on, all or none was wanted; got {text}")
    return int(text)


def read_figure_formats(text: str) -> tuple[str, ...]:
    """The formats of 'png,pdf', each once."""
    formats = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    if unknown := [one for one in formats if one not in constants.FIGURE_FORMATS]:
        raise ValueError(
            f"formats by commas, of {', '.join(constants.FIGURE_FORMATS)}, were wanted; got {unknown[0]!r}"
        )
    return formats


def add_cluster_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of many processes or machines, which `settings.read_cluster_settings` reads."""
    cluster = parser.add_argument_group(CLUSTER)
    cluster.add_argument(
        "--cluster",
        metavar="WHERE",
        help="by Ray: local, in processes of this machine; auto, in the cluster it belongs to; or the address of a "
        "cluster (default: in this process)",
    )
    cluster.add_argument(
        "--cluster_workers",
        type=in_range(int, 1),
        metavar="N",
        help="processes (default: as many as there is room for)",
    )
    cluster.add_argument("--cluster_cores", type=in_range(int, 1), metavar="N", help="of each process (default: 1)")
    cluster.add_argument(
        "--cluster_gpus",
        type=in_range(float, 0),
        metavar="SHARE",
        help="of each process (default: 1 where the cluster has GPUs)",
    )


def add_faithfulness_flags(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Adds the flags of the metrics that ask the network, and returns their group."""
    metrics = parser.add_argument_group("metrics")
    metrics.add_argument(
        "--faithfulness",
        type=reader(read_faithfulness),
        default=constants.USUAL_FAITHFULNESS,
        metavar="NAMES",
        help=f"metrics that ask the network: {', '.join(FAITHFULNESS)}, ALL or none (default: %(default)s)",
    )
    metrics.add_argument(
        "--faithfulness_protocol",
        "--fidelity_protocol",
        choices=constants.FAITHFULNESS_PROTOCOLS,
        help="steps and blur of insertion and deletion (default: rise; lab with --protocol=lab)",
    )
    return metrics


def add_protocol_flag(parser: argparse.ArgumentParser) -> None:
    """Adds --protocol to the flags of the question."""
    find_flag_group(parser, "question").add_argument(
        "--protocol",
        choices=tuple(PROTOCOLS),
        default="paper",
        help="lab: all of the lab's choices at once, see docs/lab.md; single flags still win (default: %(default)s)",
    )


def add_fraction_flag(parser) -> None:
    """Adds --fraction."""
    parser.add_argument(
        "--fraction",
        type=in_range(float, 0, 1, above=True),
        default=0.2,
        metavar="SHARE",
        help="of the pixels, that the threshold keeps of every map (default: %(default)s)",
    )


def add_boxes_flag(parser, purpose: str, *spellings: str) -> None:
    """Adds --boxes; purpose: what they are for, in words; spellings: other names of the flag."""
    parser.add_argument(
        "--boxes",
        *spellings,
        type=path,
        metavar="CSV",
        help=f"boxes {purpose}: file, x0, y0, x1, y1 in image pixels, name, or COCO's instances.json (default: none)",
    )


def add_method_flags(parser, method: Method, hidden: bool = False) -> None:
    """Adds the flags of a method's options, None unless given; hidden: from the general help."""
    for option in method.options:
        default = option.shown_default or option.default
        other = [f"--{method.name.lower()}_{option.spelling}"] if option.spelling else []
        parser.add_argument(
            f"--{method.flag(option)}",
            *other,
            type=reader(option.read),
            choices=option.choices,
            metavar=None if option.choices else "VALUE",
            help=argparse.SUPPRESS if hidden else f"{option.help} (default: {default})",
        )
    for name, instead in method.elsewhere:
        parser.add_argument(
            f"--{method.name.lower()}_{name}",
            type=no_option(instead),
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )


def no_option(reason: str) -> Callable:
    """What reads a flag that is none here, whatever its value: the user is told what to give instead."""

    def read(text: str):
        raise argparse.ArgumentTypeError(f"no option here: {reason}")

    return read


class _MethodHelp(argparse.Action):
    """Shows the options of one method."""

    def __call__(self, parser, namespace, values, option_string=None):
        if values.upper() not in METHODS:
            from utils import suggest

            parser.error(f"{option_string}: unknown method {values!r}; {suggest(values.upper(), METHODS)}")
        method = METHODS[values.upper()]
        shown = CommandParser(parser.prog, f"Options of {method.name}, of {method.module.replace('.', '/')}.py.")
        add_method_flags(shown.add_argument_group(f"{method.name} options"), method)
        print(shown.format_help())
        parser.exit()

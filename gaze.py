"""Fixations -> density maps, after Wooding, compared with the official ones (lab 2).

    python gaze.py
    python gaze.py --test_images_folder_path=images_val --test_fixations_path=scanpaths \\
                   --test_gdfm_folder_path=gazefixationsdensitymaps

Without flags it runs on the embedded data. Files in the output folder:

    density_maps/<image>.png    8 bits of grey, called `..._GFDM_N_<view>` as in MexCulture142 where the image is:
                                main.py takes the folder as --test_gdfm_folder_path
    over_images/<stem>.png      the map over its photograph, a white dot for each fixation
    gaze.csv, gaze_summary.csv  per image and of all: fixations outside, repeated, blinks, ...; MAE, MSE, PCC, SSIM
    gaze_grid.png               the images that agree least with the official maps
    gaze.json                   what it was made with

Exit code: 0; 1 when an image has no map, or no use for its official one; 2 for a flag or an input that stops it.

The mathematics, and Wooding's paper: data/density_maps.py.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import constants
from data.density_maps import compute_density_map, compute_sigma  # noqa: F401 two names of the lab
from pipeline import flags
from pipeline.command_line import CommandParser, run_command
from pipeline.settings import DataSettings, FigureSettings, read_data_settings, read_figure_settings

GEOMETRY = {  # flag and option of `compute_sigma` -> its kind, default and meaning
    "screen_width_px": (int, constants.SCREEN_WIDTH_PX, "of the screen, which an image fills as far as it fits"),
    "screen_height_px": (int, constants.SCREEN_HEIGHT_PX, "of the screen"),
    "screen_height_mm": (float, constants.SCREEN_HEIGHT_MM, "of the screen"),
    "distance_mm": (float, constants.VIEWING_DISTANCE_MM, "from the eyes to the screen"),
    "angle_deg": (float, constants.FIXATION_ANGLE_DEG, "of sight that sigma spans"),
}


@dataclass(frozen=True)
class GazeSettings:
    """What gaze.py was asked for. geometry: the options of `compute_sigma` that were given."""

    data: DataSettings
    geometry: dict[str, float]
    colormap: str
    output_folder: Path
    overwrite: bool
    figures: FigureSettings


def build_parser() -> argparse.ArgumentParser:
    """The flags: images, fixations and official maps; the screen; the output."""
    parser = CommandParser("gaze.py", "Make density maps of fixations, and compare them with official ones.")
    flags.add_data_flags(parser)
    flags.add_gaze_flags(parser)
    screen = parser.add_argument_group("screen on which the images were shown, in place of --sigma_px")
    for name, (kind, default, meaning) in GEOMETRY.items():
        screen.add_argument(f"--{name}", type=kind, metavar="N", help=f"{meaning} (default: {default:g})")
    output = flags.add_output_flags(parser, constants.GAZE_FOLDER)
    output.add_argument(
        "--colormap",
        default=constants.COLORMAP,
        metavar="NAME",
        help="of matplotlib, for the maps over images (default: %(default)s)",
    )
    flags.add_figure_format_flags(output)
    return parser


def read_settings(args: argparse.Namespace) -> GazeSettings:
    """The settings of these flags; ValueError for a geometry that is no screen, or flags that do not go together."""
    geometry = {name: value for name in GEOMETRY if (value := getattr(args, name)) is not None}
    if geometry and args.sigma_px is not None:
        raise ValueError(f"--sigma_px is in image pixels and needs no --{next(iter(geometry))}: give one of the two")
    compute_sigma(1, 1, **geometry)
    data = read_data_settings(args)
    if data.frame_step:
        raise ValueError("--frame_step is of films, which have no fixations: leave it out")
    if not data.is_embedded and data.fixations is None:
        raise ValueError("--test_fixations_path is wanted: a csv file, or a folder of .txt files")
    figures = read_figure_settings(args)
    return GazeSettings(data, geometry, args.colormap, Path(args.output_folder_path), args.overwrite, figures)


def run(settings: GazeSettings) -> int:
    """Maps, tables and figure of all images; the exit code."""
    import representations
    from comparison import gaze_maps
    from output.figures import FigureFiles
    from output.progress import Progress, printable

    representations.check_colormap(settings.colormap)
    samples, notes, paths = gaze_maps.load_samples(settings.data)
    folder, sigma_px, geometry = settings.output_folder, settings.data.sigma_px, settings.geometry
    names = gaze_maps.name_density_maps([sample.name for sample in samples])
    kept = {"sigma_px": sigma_px, "geometry": geometry, **paths}
    files = [*names.values(), *map(gaze_maps.over_image_path, samples)]
    opened = gaze_maps.open_gaze_folder(folder, kept, files, settings.overwrite)
    print(printable("; ".join(notes)), flush=True)
    rows, progress = [], Progress({"density map": len(samples)})
    for sample in samples:
        progress.begin("density map", sample.name)
        begun = time.monotonic()
        rows.append(gaze_maps.make_map(sample, folder, names[sample.name], settings.colormap, sigma_px, geometry))
        progress.end("density map", sample.name, time.monotonic() - begun)
    print(f"\n{gaze_maps.write_tables(folder, rows)}\n")
    wanted = settings.figures
    if (figure := gaze_maps.draw_grid(samples, rows, folder, notes, wanted.dpi)) is not None:
        print(printable(str(FigureFiles(wanted.formats).write(folder / "gaze_grid", lambda: figure))))
    print(printable(str(folder / "density_maps")))
    opened.close()
    return 1 if any(row["status"].startswith("failed") for row in rows) else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())

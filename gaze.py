"""Fixations -> density maps, after Wooding, compared with the official ones (lab 2).

    python gaze.py
    python gaze.py --test_images_folder_path=images_val --test_fixations_path=scanpaths \\
                   --test_gdfm_folder_path=gazefixationsdensitymaps

Without flags it runs on the embedded data. Files in the output folder:

    density_maps/<image>.png    8 bits of grey, called `..._GFDM_N_<view>` as in MexCulture142 where the image is:
                                main.py takes the folder as --test_gdfm_folder_path
    over_images/<stem>.png      the map over its photograph, a white dot for each fixation
    gaze.csv, gaze_summary.csv  per image and of all: fixations outside, repeated, without duration; MAE, MSE, PCC, SSIM
    gaze_grid.png               the images that agree least with the official maps
    gaze.json                   what it was made with

Exit code: 0; 1 when an image has no map, or no use for its official one; 2 for a flag or an input that stops it.

    map(x, y) = (1 / observers) sum_observers sum_fixations exp(-((x - x_k)^2 + (y - y_k)^2) / (2 sigma^2))

divided by its maximum. sigma = R D tan(2 degrees), with R the pixels per mm of the screen and D the distance
of the eyes from it, is about 116 screen pixels in MexCulture142; the images were scaled to fit the screen,
so in image pixels it is divided by min(1920 / w, 1200 / h).

Source: Wooding, "Fixation maps: quantifying eye-movement traces", ETRA 2002. A fixation keeps its sub-pixel
position: a Gaussian is the product of one over rows and one over columns, so the whole sum is one product of
two matrices, (H, K) and (K, W) for K fixations, and nothing is binned or cut off. Every fixation weighs the same,
however long it was; one outside the image is dropped, a repeated one is not.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import constants
from data.fixations import Fixations
from output.files import figure_saver, write_whole
from pipeline.flags import add_data_flags, add_gaze_flags, forgive_names, run_script

GEOMETRY = {  # flag and option of `compute_sigma` -> its kind, default and meaning
    "screen_width_px": (int, constants.SCREEN_WIDTH_PX, "of the screen, which an image fills as far as it fits"),
    "screen_height_px": (int, constants.SCREEN_HEIGHT_PX, "of the screen"),
    "screen_height_mm": (float, constants.SCREEN_HEIGHT_MM, "of the screen"),
    "distance_mm": (float, constants.VIEWING_DISTANCE_MM, "from the eyes to the screen"),
    "angle_deg": (float, constants.FIXATION_ANGLE_DEG, "of sight that sigma spans"),
}


def compute_sigma(
    image_height: int,
    image_width: int,
    *,
    screen_width_px: int = constants.SCREEN_WIDTH_PX,
    screen_height_px: int = constants.SCREEN_HEIGHT_PX,
    screen_height_mm: float = constants.SCREEN_HEIGHT_MM,
    distance_mm: float = constants.VIEWING_DISTANCE_MM,
    angle_deg: float = constants.FIXATION_ANGLE_DEG,
) -> float:
    """The width of one fixation's Gaussian in image pixels, for an image shown as large as the screen allows.

    Raises ValueError for a size, a screen, a distance or an angle that is not positive.
    """
    geometry = (image_height, image_width, screen_width_px, screen_height_px, screen_height_mm, distance_mm)
    if not all(0 < length < math.inf for length in geometry) or not 0 < angle_deg < 90:
        raise ValueError(f"sizes and distances must be positive, the angle in (0, 90): {geometry}, {angle_deg}")
    pixels_per_mm = screen_height_px / screen_height_mm
    sigma_on_screen = pixels_per_mm * distance_mm * math.tan(math.radians(angle_deg))
    return sigma_on_screen / min(screen_width_px / image_width, screen_height_px / image_height)


def compute_density_map(
    fixations_by_observer: Sequence[np.ndarray], height: int, width: int, *, sigma: float
) -> np.ndarray:
    """The density map of all observers' fixations, float32 (height, width) in [0, 1] with maximum 1.

    fixations_by_observer: one float array (M, 2) of (x, y) in image pixels per observer; M may be 0. A fixation
    outside the image is dropped: what was looked at beside the picture is not evidence about the picture.
    Raises ValueError when no fixation is inside the image, or when sigma is not positive.
    """
    points = [np.asarray(fixations, dtype=np.float64).reshape(-1, 2) for fixations in fixations_by_observer]
    x, y = np.concatenate(points).T if points else np.empty((2, 0))
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if not inside.any():
        raise ValueError(f"no fixation inside the image of {width} x {height} pixels ({x.size} given)")
    density_map = sum_gaussians(np.stack([x, y], axis=1)[inside], height, width, sigma) / len(points)
    return density_map / density_map.max()


def sum_gaussians(points: np.ndarray, height: int, width: int, sigma: float, dtype: type = np.float32) -> np.ndarray:
    """The sum of a Gaussian of height 1 on each of the points (M, 2): (height, width), before any division."""
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    over_columns, over_rows = (
        np.exp(-0.5 * ((np.arange(n_pixels)[:, None] - centres) / sigma) ** 2).astype(dtype)
        for n_pixels, centres in zip((width, height), np.asarray(points).T)
    )
    return over_rows @ over_columns.T


def leave_one_out(
    fixations: Fixations, height: int, width: int, sigma: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each observer: the density map of all others, float32 (height, width) with maximum 1, and his points (m, 2).

    Only fixations inside the image count; observers without one, `fixations.inside(height, width).n_blank` of them,
    are passed over; of fewer than two there is nothing. Every Gaussian is laid twice, however many observers there are.
    """
    seen = fixations.inside(height, width)
    observers = np.unique(seen.observers)
    if len(observers) < 2:
        return
    # In float64: what a difference of float32 leaves where only this observer looked is far from 0.
    total = sum_gaussians(seen.points, height, width, sigma, np.float64)
    for observer in observers:
        points = seen.points[seen.observers == observer]
        others = sum_gaussians(points, height, width, sigma, np.float64)
        np.subtract(total, others, out=others)  # in place: memory is what it costs
        np.maximum(others, 0, out=others)
        others /= others.max()
        yield others.astype(np.float32), points


# --- the script ------------------------------------------------------------------------------------------------
def build_parser() -> argparse.ArgumentParser:
    """The flags: images, fixations and official maps; the screen; the output."""
    parser = argparse.ArgumentParser(
        description="Make density maps of fixations, and compare them with official ones.", allow_abbrev=False
    )
    add_data_flags(parser)
    add_gaze_flags(parser)
    screen = parser.add_argument_group("screen on which the images were shown, in place of --sigma_px")
    for name, (kind, default, meaning) in GEOMETRY.items():
        screen.add_argument(f"--{name}", type=kind, help=f"{meaning} (default: {default:g})")
    output = parser.add_argument_group("output")
    output.add_argument("--colormap", default=constants.COLORMAP, help="of matplotlib, for the maps over images")
    output.add_argument("--output_folder_path", default=constants.GAZE_FOLDER, help="files (default: %(default)s)")
    output.add_argument("--overwrite", action="store_true", help="remove what an earlier run left in the folder")
    return parser


def read_geometry(args: argparse.Namespace) -> dict[str, float]:
    """The options of `compute_sigma` that are given; ValueError if they are no screen, or --sigma_px is given too."""
    geometry = {name: value for name in GEOMETRY if (value := getattr(args, name)) is not None}
    if geometry and args.sigma_px is not None:
        raise ValueError(f"--sigma_px is in image pixels and needs no --{next(iter(geometry))}: give one of the two")
    compute_sigma(1, 1, **geometry)
    return geometry


def run(args: argparse.Namespace) -> int:
    """Maps, tables and figure of all images; the exit code."""
    geometry = read_geometry(args)
    if args.test_images_folder_path is not None and args.test_fixations_path is None:
        raise ValueError("--test_fixations_path is wanted: a csv file, or a folder of .txt files")

    import representations
    from comparison import gaze_maps
    from output.progress import Progress

    representations.check_colormap(args.colormap)
    samples, notes, paths = gaze_maps.load_samples(
        args.test_images_folder_path, args.test_gdfm_folder_path, args.test_fixations_path, args.limit
    )
    folder, names = Path(args.output_folder_path), gaze_maps.name_density_maps([sample.name for sample in samples])
    settings = {"sigma_px": args.sigma_px, "geometry": geometry, **paths}
    files = [*names.values(), *map(gaze_maps.over_image_path, samples)]
    opened = gaze_maps.open_gaze_folder(folder, settings, files, args.overwrite)
    print("; ".join(notes), flush=True)
    rows, progress = [], Progress({"density map": len(samples)})
    for sample in samples:
        progress.begin("density map", sample.name)
        begun = time.monotonic()
        rows.append(gaze_maps.make_map(sample, folder, names[sample.name], args.colormap, args.sigma_px, geometry))
        progress.end("density map", sample.name, time.monotonic() - begun)
    print(f"\n{gaze_maps.write_tables(folder, rows)}\n")
    if (figure := gaze_maps.draw_grid(samples, rows, folder, notes)) is not None:
        print(write_whole(folder / "gaze_grid.png", figure_saver(figure)))
    print(folder / "density_maps")
    opened.close()
    return 1 if any(row["status"].startswith("failed") for row in rows) else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_script("gaze.py", run, build_parser().parse_args(argv))


if __name__ == "__main__":
    forgive_names()
    sys.exit(main())

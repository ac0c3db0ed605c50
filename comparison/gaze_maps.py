"""What `gaze.py` makes: of each image its density map, the map over the photograph and a row of numbers; the tables and
the figure of all; and the folder that they lie in."""

import glob
import os
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

import constants
import evaluate
import representations
import utils
from data import dataset, density_maps
from data.dataset import Sample
from data.fixation_files import read_fixations
from data.fixations import Fixations
from data.images import read_image
from output.files import picture_saver, write_whole
from output.folder import OutputFolder
from output.tables import MEANS, align, format_mean, list_means, write_table
from pipeline.samples import choose_samples, describe_files, find_paths
from pipeline.settings import DataSettings
from scenes import demo_data

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIMULATED = "simulated gaze"
OFFICIAL_METRICS = {  # against the official map of an image
    "mae": evaluate.calculate_mae,
    "mse": evaluate.calculate_mse,
    "pcc": evaluate.calculate_pcc,
    "ssim": evaluate.calculate_ssim,
}
HEADINGS = {"mae": "MAE", "mse": "MSE", "pcc": "PCC", "ssim": "SSIM"}
COUNTS = ("fixations", "outside", "repeated", "blinks", "without_duration")
MAP_COLUMNS = ("image", "observers", *COUNTS, "sigma_px", *HEADINGS, "density_map", "status")


def load_samples(settings: DataSettings) -> tuple[list[Sample], list[str], dict]:
    """The samples with their fixations, what to say of them, and what they come from."""
    images, official, fixations = find_paths(settings)
    read = read_fixations(fixations, settings.fixations_unit)
    found = dataset.load_dataset(images, official, fixations=read, reading=settings.reading)
    samples = choose_samples(settings, found)
    notes = [f"{len(samples)} images"] + [SIMULATED] * demo_data.is_demo(images)
    if without := sum(sample.fixations is None for sample in samples):
        notes.append(f"{without} of them without fixations")
    if others := dataset.count_unmatched(read, samples):
        notes.append(f"fixations of {others} other images are left alone")
    if not settings.is_embedded:
        notes += describe_files(found, images, official, samples)
    paths = {"images": images, "fixations": fixations, "official": official}
    origin = {name: path and os.path.realpath(path) for name, path in paths.items()}
    content = zlib.crc32(b"".join(of_image.points.tobytes() for of_image in read.values()))
    return samples, notes, {**origin, "fixations_crc32": content}  # a file may change under its name


# --- the folder ----------------------------------------------------------------------------------------------
def name_density_maps(names: Sequence[str]) -> dict[str, str]:
    """Image -> the file of its density map, under which `dataset.load_dataset` finds it again.

    `..._GFDM_N_<view>.png` for a name of MexCulture142, else `<stem>.png`; `<name>.png` where two would be the same.
    """
    paths = {name: PurePosixPath("density_maps", name) for name in names}
    for name, path in paths.items():
        if utils.parse_mexculture_name(path.name):
            paths[name] = path.with_name("_GFDM_N_".join(path.name.rsplit("_N_", 1)))
    counts = Counter(utils.fold_name(str(path.with_suffix(""))) for path in paths.values())
    return {
        name: f"{path.with_suffix('') if counts[utils.fold_name(str(path.with_suffix('')))] == 1 else path}.png"
        for name, path in paths.items()
    }


def over_image_path(sample: Sample) -> str:
    """The file of a density map over its photograph."""
    return f"over_images/{sample.stem}.png"


def open_gaze_folder(folder: Path, settings: dict, files: Sequence[str], overwrite: bool) -> OutputFolder:
    """The locked folder, once its gaze.json says with which settings and names maps will lie in it.

    files: the names of the maps. Raises ValueError if it holds maps made with other settings; with `overwrite` they are
    removed first.
    """
    opened = OutputFolder(folder, "gaze.json")
    known = [] if opened.description is None else _list_maps(opened)
    if overwrite:
        opened.remove([*map(glob.escape, known), "gaze.csv", "gaze_summary.csv", "gaze_grid.*"])
        known = []
    opened.describe(settings, {"files": sorted({*known, *files})})
    return opened


def _list_maps(opened: OutputFolder) -> list[str]:
    """The names of the maps that gaze.json tells; ValueError if it is not ours, or names a file outside its folder."""
    names = opened.description.get("files")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        paths = [PurePosixPath(name) for name in names]
        if not any(path.is_absolute() or ".." in path.parts for path in paths):
            return names
    path = opened.path / "gaze.json"
    raise ValueError(f"'{path}' is not of a run of gaze.py: choose another --output_folder_path")


# --- one image -----------------------------------------------------------------------------------------------
def make_map(sample: Sample, folder: Path, name: str, colormap: str, sigma_px: float | None, geometry: dict) -> dict:
    """The row of gaze.csv of one image, once its map is written; `status` says why where there is none.

    name: of the map's file in the folder. sigma_px: in image pixels; None: by the options of `compute_sigma`.
    """
    row = dict.fromkeys(MAP_COLUMNS, "") | {"image": sample.name, "status": "no fixations"}
    if sample.fixations is None:
        return row
    try:
        image = sample.read()
        size = image.shape[:2]
        sigma = sigma_px or density_maps.compute_sigma(*size, **geometry)
        row |= {**count(sample.fixations, *size), "sigma_px": round(sigma, 3)}
        density_map = density_maps.compute_density_map(sample.fixations.by_observer(), *size, sigma=sigma)
    except ValueError as error:
        return row | {"status": f"failed: {error}"}
    write_whole(folder / name, picture_saver(np.rint(255 * density_map).astype(np.uint8)))
    over_image = draw_over(density_map, image, sample.fixations, colormap)
    write_whole(folder / over_image_path(sample), picture_saver(over_image))
    return row | {"density_map": name, "status": "ok"} | compare(sample, density_map)


def count(fixations: Fixations, height: int, width: int) -> dict:
    """The fixations of an image by `COUNTS`; empty where the files do not tell."""
    without_duration = fixations.n_without_duration
    return {
        "observers": fixations.n_observers if fixations.observers_known else "",
        "fixations": len(fixations),
        "outside": fixations.inside(height, width).n_outside,
        "repeated": fixations.n_repeated,
        "blinks": fixations.n_blinks,
        "without_duration": "" if without_duration is None else without_duration,
    }


def compare(sample: Sample, density_map: np.ndarray) -> dict:
    """The metrics of a map (H, W) against the official one of its image, or in `status` why there are none."""
    if sample.density_map_path is None:
        return {}
    try:
        official = dataset.load_density_map(sample, *density_map.shape)
        return {metric: calculate(official, density_map) for metric, calculate in OFFICIAL_METRICS.items()}
    except ValueError as error:  # `evaluate.Undefined` among them
        return {"status": f"failed: official map: {error}"}


def draw_over(density_map: np.ndarray, image: np.ndarray, fixations: Fixations, colormap: str) -> np.ndarray:
    """The map (H, W) over its image, uint8 RGB (H, W, 3), with a white dot on each fixation inside."""
    import cv2

    picture = representations.represent_heatmap_overlaid(density_map, image, colormap)
    radius = max(1, round(min(image.shape[:2]) / 150))
    for x, y in fixations.inside(*image.shape[:2]).points:
        place = round(16 * x), round(16 * y)  # cv2 takes fractions of a pixel in fixed point
        cv2.circle(picture, place, 16 * radius, (255, 255, 255), -1, cv2.LINE_AA, shift=4)
    return picture


# --- all images ----------------------------------------------------------------------------------------------
def write_tables(folder: Path, rows: list[dict]) -> str:
    """What to print of all images, once gaze.csv and gaze_summary.csv are written."""
    write_table(folder / "gaze.csv", rows, MAP_COLUMNS)
    summary = summarise_maps(rows)
    write_table(folder / "gaze_summary.csv", [summary])
    return format_summary(rows, summary)


def summarise_maps(rows: Sequence[dict]) -> dict:
    """The images, the sums of `COUNTS`, and of each metric its mean, deviation and count; empty where there is none."""
    made = [row for row in rows if row["density_map"]]
    summary = {"images": len(rows), "density_maps": len(made)}
    for column in COUNTS:
        known = [row[column] for row in rows if row[column] != ""]
        summary[column] = sum(known) if known else ""
    scores = {metric: [row[metric] for row in made if row[metric] != ""] for metric in HEADINGS}
    return {**summary, **list_means(scores)}


def format_summary(rows: Sequence[dict], summary: dict) -> str:
    """The summary as text: counts, the images without a map or without use for their official one, metrics."""
    of_observers = sorted({row["observers"] for row in rows if row["observers"] != ""})
    observers = " to ".join(dict.fromkeys(map(str, of_observers[:1] + of_observers[-1:]))) or "unknown"
    sigmas = sorted(row["sigma_px"] for row in rows if row["density_map"])
    widths = " to ".join(dict.fromkeys(f"{sigma:.1f}" for sigma in sigmas[:1] + sigmas[-1:]))
    counts = [f"{summary[column] if summary[column] != '' else 'unknown'}" for column in COUNTS]
    lines = [
        f"{counts[0]} fixations: {counts[1]} outside their image, {counts[2]} repeated, without duration: {counts[4]}"
        + (f"; {counts[3]} rows without a place (blinks) are left out" if summary["blinks"] else ""),
        f"observers of an image: {observers}",
        f"{summary['density_maps']} density maps, sigma {widths or '-'} image pixels",
        *(f"{row['image']}: {row['status']}" for row in rows if row["status"] != "ok"),
    ]
    if summary["outside"] != "" and 2 * summary["outside"] > summary["fixations"]:
        lines.append("most fixations lie outside: are they in pixels of the screen, and not of the image?")
    if n := summary["pcc_n"]:
        cells = [format_mean(summary, metric, n, ".3g") for metric in HEADINGS]
        lines += ["", align([[f"{MEANS} against {n} official maps", *HEADINGS.values()], ["", *cells]])]
    return "\n".join(lines)


def draw_grid(
    samples: Sequence[Sample],
    rows: Sequence[dict],
    folder: Path,
    notes: Sequence[str],
    dpi: float = constants.FIGURE_DPI,
) -> "Figure | None":
    """A row for each of up to four images, those of the lowest PCC with the official maps first; None without a map.

    Photograph, density map, density map over the photograph, and, if there are any, official map.
    """
    shown = [(row, sample) for row, sample in zip(rows, samples) if row["density_map"]]
    shown.sort(key=lambda pair: pair[0]["pcc"] if pair[0]["pcc"] != "" else 2)
    has_official = bool(shown) and shown[0][0]["pcc"] != ""
    pictures, titles = [], []
    for row, sample in shown[: 3 + has_official]:  # then `grid_layout` gives each image a row
        pictures += [sample.read(), read_image(folder / row["density_map"])[..., 0] / 255]  # a map, with its colour bar
        pictures += [read_image(folder / over_image_path(sample))]
        titles += [sample.name, f"density map\nsigma {row['sigma_px']:.1f} px", f"{row['fixations']} fixations"]
        if has_official:
            is_there = sample.density_map_path is not None and row["pcc"] != ""
            size = pictures[-1].shape[:2]
            pictures.append(dataset.load_density_map(sample, *size) if is_there else np.zeros(size))
            titles.append(f"official map\nPCC {row['pcc']:.4f}" if is_there else "no official map")
    if not pictures:
        return None
    titles = [title.encode(errors="replace").decode() for title in titles]
    title = "Density maps of " + (SIMULATED if SIMULATED in notes else "fixations")
    return utils.grid_layout(pictures, titles, title, dpi=dpi)

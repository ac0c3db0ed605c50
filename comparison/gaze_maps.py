"""What `gaze.py` makes of one image: its density map, the map over the photograph, the row of numbers, the figure."""

import argparse
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import constants
import demo
import evaluate
import representations
import utils
from comparison import gaze_files
from data import dataset, density_maps, images
from data.dataset import Sample
from data.fixation_files import read_fixations
from data.fixations import Fixations
from output.files import picture_saver, write_whole
from pipeline.flags import read_reading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIMULATED = "simulated gaze"
METRICS = {
    "mae": evaluate.calculate_mae,
    "mse": evaluate.calculate_mse,
    "pcc": evaluate.calculate_pcc,
    "ssim": evaluate.calculate_ssim,
}


def load_samples(args: argparse.Namespace) -> tuple[list[Sample], list[str], dict]:
    """The samples with their fixations, what to say of them, and what they come from."""
    folders, limit, wanted = {flag: getattr(args, flag) for flag in demo.FOLDERS}, args.limit, None
    if args.test_images_folder_path is None:
        embedded, _ = demo.open_demo(limit)
        wanted = demo.demo_names("val")[: limit or constants.DEMO_LIMIT]
        folders, limit = {flag: folders[flag] or embedded[flag] for flag in folders}, None
    folder, official, fixations = folders.values()
    read = read_fixations(fixations, args.fixations_unit)
    samples = dataset.load_dataset(folder, official, fixations=read, limit=limit, reading=read_reading(args))
    samples = [sample for sample in samples if wanted is None or sample.name in wanted]
    notes = [f"{len(samples)} images"] + [SIMULATED] * demo.is_demo(folder)
    if without := sum(sample.fixations is None for sample in samples):
        notes.append(f"{without} of them without fixations")
    if others := dataset.count_unmatched(read, samples):
        notes.append(f"fixations of {others} other images are left alone")
    if args.test_images_folder_path is not None:
        notes += [f"left out: {note}" for note in dataset.describe_left_out(folder, samples, official) if limit is None]
        notes += [f"read: {note}" for note in dataset.describe_reading(samples)]
    paths = {"images": folder, "fixations": fixations, "official": official}
    origin = {name: path and str(Path(path).resolve()) for name, path in paths.items()}
    content = zlib.crc32(b"".join(of_image.points.tobytes() for of_image in read.values()))
    return samples, notes, {**origin, "fixations_crc32": content}  # a file may change under its name


def make_map(sample: Sample, folder: Path, name: str, colormap: str, sigma_px: float | None, geometry: dict) -> dict:
    """The row of gaze.csv of one image, once its map is written; `status` says why where there is none.

    name: of the map's file in the folder. sigma_px: in image pixels; None: by the options of `compute_sigma`.
    """
    row = dict.fromkeys(gaze_files.COLUMNS, "") | {"image": sample.name, "status": "no fixations"}
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
    write_whole(folder / gaze_files.over_image_path(sample), picture_saver(over_image))
    return row | {"density_map": name, "status": "ok"} | compare(sample, density_map)


def count(fixations: Fixations, height: int, width: int) -> dict:
    """The fixations of an image by `gaze_files.COUNTS`; empty where the files do not tell."""
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
        return {metric: calculate(official, density_map) for metric, calculate in METRICS.items()}
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


def draw_grid(samples: Sequence[Sample], rows: Sequence[dict], folder: Path, notes: Sequence[str]) -> "Figure | None":
    """A row for each of up to four images, those of the lowest PCC with the official maps first; None without a map.

    Photograph, density map, density map over the photograph, and, if there are any, official map.
    """
    shown = [(row, sample) for row, sample in zip(rows, samples) if row["density_map"]]
    shown.sort(key=lambda pair: pair[0]["pcc"] if pair[0]["pcc"] != "" else 2)
    has_official = bool(shown) and shown[0][0]["pcc"] != ""
    pictures, titles = [], []
    for row, sample in shown[: 3 + has_official]:  # then `grid_layout` gives each image a row
        pictures += [sample.read(), images.read_image(folder / row["density_map"])]
        pictures += [images.read_image(folder / gaze_files.over_image_path(sample))]
        titles += [sample.name, f"density map\nsigma {row['sigma_px']:.1f} px", f"{row['fixations']} fixations"]
        if has_official:
            is_there = sample.density_map_path is not None and row["pcc"] != ""
            size = pictures[-1].shape[:2]
            pictures.append(dataset.load_density_map(sample, *size) if is_there else np.zeros(size))
            titles.append(f"official map\nPCC {row['pcc']:.4f}" if is_there else "no official map")
    if not pictures:
        return None
    titles = [title.encode(errors="replace").decode() for title in titles]
    return utils.grid_layout(pictures, titles, "Density maps of " + (SIMULATED if SIMULATED in notes else "fixations"))

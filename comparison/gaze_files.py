"""The files of `gaze.py`: what its maps are called, whose folder it is, and its tables."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import utils
from data.dataset import Sample
from metrics import agreement
from output.files import lock_folder, write_rows, write_whole
from pipeline.records import align

COUNTS = ("fixations", "outside", "repeated", "blinks", "without_duration")
HEADINGS = {"mae": "MAE", "mse": "MSE", "pcc": "PCC", "ssim": "SSIM"}
COLUMNS = ("image", "observers", *COUNTS, "sigma_px", *HEADINGS, "density_map", "status")


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


def open_folder(folder: Path, settings: dict, files: Sequence[str], overwrite: bool):
    """The lock of the folder, once its gaze.json says with which settings and names maps will lie in it.

    Raises ValueError if it holds maps made with other settings; with `overwrite` they are removed first.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"output_folder_path '{folder}' is a file; a folder is wanted")
    lock = lock_folder(folder)
    path, settings = folder / "gaze.json", json.loads(json.dumps(settings))
    old = _read_about(path) if path.is_file() else {"settings": settings, "files": []}
    if overwrite:
        for name in (*old["files"], "gaze.csv", "gaze_summary.csv", "gaze_grid.png"):
            (folder / name).unlink(missing_ok=True)
        old = {"settings": settings, "files": []}
    if old["settings"] != settings:
        raise ValueError(
            f"'{folder}' holds maps made with other settings: choose another --output_folder_path, or --overwrite it"
        )
    text = json.dumps({"settings": settings, "files": sorted({*old["files"], *files})}, indent=2)
    write_whole(path, lambda partial: partial.write_text(text + "\n"))
    return lock


def _read_about(path: Path) -> dict:
    """What gaze.json says; ValueError if it is not ours, or names a file outside its folder."""
    try:
        about = json.loads(path.read_text())
        names = [PurePosixPath(name) for name in about["files"]]
        if "settings" in about and not any(name.is_absolute() or ".." in name.parts for name in names):
            return about
    except (ValueError, KeyError, TypeError):
        pass
    raise ValueError(f"'{path}' is not of a run of gaze.py: choose another --output_folder_path")


# --- tables ----------------------------------------------------------------------------------------------------
def write_tables(folder: Path, rows: list[dict]) -> str:
    """What to print of all images, once gaze.csv and gaze_summary.csv are written."""
    write_whole(folder / "gaze.csv", lambda path: write_rows(path, list(COLUMNS), rows))
    summary = summarise(rows)
    write_whole(folder / "gaze_summary.csv", lambda path: write_rows(path, list(summary), [summary]))
    return format_summary(rows, summary)


def summarise(rows: Sequence[dict]) -> dict:
    """The images, the sums of `COUNTS`, and of each metric its mean, deviation and count; empty where there is none."""
    made = [row for row in rows if row["density_map"]]
    summary = {"images": len(rows), "density_maps": len(made)}
    for column in COUNTS:
        known = [row[column] for row in rows if row[column] != ""]
        summary[column] = sum(known) if known else ""
    for metric in HEADINGS:
        mean, std, n = agreement.summarise([row[metric] for row in made if row[metric] != ""])
        summary |= {f"{metric}_mean": float(mean) if n else "", f"{metric}_std": float(std) if n else ""}
        summary[f"{metric}_n"] = int(n)
    return summary


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
        cells = [f"{summary[f'{metric}_mean']:.3g} ± {summary[f'{metric}_std']:.2g}" for metric in HEADINGS]
        lines += ["", align([[f"against {n} official maps", *HEADINGS.values()], ["", *cells]])]
    return "\n".join(lines)

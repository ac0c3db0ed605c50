"""The embedded data set: 142 invented monuments in three architectural styles, two views each, and who looks where.

In the layout and under the file names of MexCulture142:

    images_train/  images_val/      <Style>_<Monument>_<State>_N_<view>.png           RGB; view 1 and view 2
    gazefixationsdensitymaps/       <Style>_<Monument>_<State>_GFDM_N_<view>.png      8 bits, Wooding's map
    fixations/                      <Style>_<Monument>_<State>_GazeFix_N_<view>.txt   x y of all observers
    scanpaths/                      ..._ScanPath_N_<view>_P_<participant>.txt         x y seconds of one observer
    part_masks/<part>/              <image file name>                                 0 or 255

Everything here is simulated, the gaze too. A style is told by its parts alone (dome, arch, tower; glass, slab;
platform, stair) and every part has its mask, so that the right place to look is known. This module names the images,
simulates the gaze and writes what is missing; `scene.py` draws. About 0.1 s per image.
"""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

import constants
from data import density_maps
from output.files import write_whole
from scenes.scene import draw_scene

SPLITS = {"train": 1, "val": 2}  # split -> the view of each monument that it holds
N_OBSERVERS = 12
GAZE_SHARES = (0.7, 0.15, 0.15)  # simulated fixations on a part, at the centre, anywhere
NOUNS = {
    "Colonial": ("Templo", "Convento", "Capilla", "Parroquia"),
    "Modern": ("Torre", "Edificio", "Centro", "Museo"),
    "Prehispanic": ("Basamento", "Adoratorio", "Palacio", "Piramide"),
}
FOLDERS = {  # flag -> folder of the embedded data that stands in its place
    "test_images_folder_path": "images_val",
    "test_gdfm_folder_path": "gazefixationsdensitymaps",
    "test_fixations_path": "scanpaths",
}
STATES = ("Puebla", "Oaxaca", "Yucatan", "Jalisco", "Morelos", "Veracruz", "Hidalgo", "Queretaro")
README = """This data set is a demonstration, drawn by demo.py with seed {seed}.

Nothing in it is a photograph and nobody looked at it: the monuments are invented and drawn, and the fixations,
scan paths and density maps are SIMULATED (12 observers, drawn to the parts that tell the style, with a centre
bias). The layout and the file names are those of MexCulture142. The surfaces carry three photographs of
scikit-image (brick, grass, gravel), which are in the public domain (CC0Textures).

images_train, images_val     view 1 and view 2 of each monument
part_masks/<part>            where each part is seen, 0 or 255
gazefixationsdensitymaps     Wooding's fixation density maps of the simulated gaze
fixations                    x y in image pixels, all observers
scanpaths                    x y seconds, one observer
"""


def demo_names(split: str) -> list[str]:
    """The file names of the images of a split ('train' or 'val'), the styles taking turns.

    Raises ValueError for another split.
    """
    if split not in SPLITS:
        raise ValueError(f"split is one of {tuple(SPLITS)}, got {split!r}")
    names = []
    for number in range(constants.DEMO_MONUMENTS):
        style = constants.STYLES[number % len(constants.STYLES)]
        noun = NOUNS[style][number // 3 % 4]
        state = STATES[zlib.crc32(b"%d" % number) % len(STATES)]
        names.append(f"{style}_Demo{noun}{number:03d}_{state}_N_{SPLITS[split]}.png")
    return names


def is_demo(images_folder: str | Path) -> bool:
    """Whether a folder of images belongs to a demonstration data set, whose gaze is simulated."""
    readme = Path(images_folder).parent / "README.txt"
    return readme.is_file() and readme.read_text("utf-8", "replace").startswith(README.split("{")[0].splitlines()[0])


def simulate_gaze(part_masks: dict[str, np.ndarray], height: int, width: int, *, seed: int) -> list[np.ndarray]:
    """The scan paths of N_OBSERVERS simulated observers: float32 (M, 3) each, of x, y in pixels and seconds.

    An observer begins near the centre of the image; of the later fixations most go to a part (the larger the
    likelier, by the root of its area), some back to the centre, some anywhere, each with the scatter of an eye.
    """
    rng = np.random.default_rng([seed, height, width])
    places = [np.argwhere(mask)[:, ::-1] for _, mask in sorted(part_masks.items()) if mask.any()]
    weights = np.sqrt([len(place) for place in places])
    scatter = density_maps.compute_sigma(height, width) / 4  # about half a degree
    scan_paths = []
    for _ in range(N_OBSERVERS):
        n_fixations = int(rng.integers(7, 14))
        x = rng.normal(width / 2, 0.17 * width, n_fixations)
        y = rng.normal(height / 2, 0.17 * height, n_fixations)
        for k in range(1, n_fixations):
            kind = rng.choice(["part", "centre", "anywhere"], p=GAZE_SHARES)
            if kind == "part" and places:
                place = places[rng.choice(len(places), p=weights / weights.sum())]
                x[k], y[k] = place[rng.integers(len(place))] + rng.normal(0, scatter, 2)
            elif kind == "anywhere":
                x[k], y[k] = rng.uniform(0, width), rng.uniform(0, height)
        seconds = rng.lognormal(np.log(0.26), 0.4, n_fixations)
        scan_paths.append(np.stack([np.clip(x, 0, width - 1), np.clip(y, 0, height - 1), seconds], 1).astype("float32"))
    return scan_paths


def write_demo(
    folder: str | Path,
    *,
    split: str | None = None,
    limit: int | None = None,
    seed: int = constants.SEED,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """The folder of the data set, once what is missing of it is written.

    split: 'train', 'val' or None for both. limit: so many images of each split. progress(done, total) is called
    after each image that is drawn. An image that is there already is left alone with all that belongs to it: every
    file is written whole or not at all, and the image last, so that where an image is, its gaze and masks are too.
    Raises ValueError for a file in the folder's place, or a folder that was drawn with another seed: the two would mix.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"output_folder_path: '{folder}' is a file; a folder is wanted")
    splits = [split] if split else list(SPLITS)
    wanted = [(part, name) for part in splits for name in demo_names(part)[:limit]]
    missing = [(part, name) for part, name in wanted if not (folder / f"images_{part}" / name).exists()]
    readme, about = folder / "README.txt", README.format(seed=seed)
    if readme.exists() and readme.read_text("utf-8", "replace").splitlines()[:1] != about.splitlines()[:1]:
        raise ValueError(f"'{folder}' holds the embedded data of another seed than {seed}: choose another folder")
    if not readme.exists() or readme.read_bytes() != about.encode():  # a folder that is complete may be read-only
        _write(readme, about.encode())
    for done, (part, name) in enumerate(missing, start=1):
        _write_image(folder, part, name, seed)
        if progress:
            progress(done, len(missing))
    return folder


def open_demo(limit: int | None = None) -> tuple[dict[str, Path], set[str]]:
    """Where the embedded validation images and their gaze are, drawn if need be, and the names of the images asked for.

    limit: so many images, but `constants.DEMO_LIMIT` at least. The folders stand under the names of their flags.
    Whatever else has been drawn before lies in them too.
    """
    limit = max(limit or 0, constants.DEMO_LIMIT)
    folder = write_demo(constants.DEMO_FOLDER, split="val", limit=limit)
    folders = {flag: folder / name for flag, name in FOLDERS.items()}
    return folders, set(demo_names("val")[:limit])


def _write_image(folder: Path, split: str, name: str, seed: int) -> None:
    """One image with its masks, scan paths, fixations and density map."""
    image, part_masks = draw_scene(name, seed)
    height, width = image.shape[:2]
    scan_paths = simulate_gaze(part_masks, height, width, seed=zlib.crc32(name.encode()) ^ seed)
    fixations = [path[:, :2] for path in scan_paths]
    density_map = density_maps.compute_density_map(
        fixations, height, width, sigma=density_maps.compute_sigma(height, width)
    )
    monument, view = name.removesuffix(".png").rsplit("_N_", 1)
    for part, mask in part_masks.items():
        _write(folder / "part_masks" / part / name, _png(np.where(mask, 255, 0).astype(np.uint8)))
    for participant, path in enumerate(scan_paths, start=1):
        stem = f"{monument}_ScanPath_N_{view}_P_{participant}"
        _write(folder / "scanpaths" / f"{stem}.txt", _lines(path, ("%.1f", "%.1f", "%.3f")))
    _write(folder / "fixations" / f"{monument}_GazeFix_N_{view}.txt", _lines(np.concatenate(fixations), ("%.1f",) * 2))
    _write(
        folder / "gazefixationsdensitymaps" / f"{monument}_GFDM_N_{view}.png",
        _png(np.round(255 * density_map).astype(np.uint8)),
    )
    _write(folder / f"images_{split}" / name, _png(image))


def _write(path: Path, content: bytes) -> None:
    write_whole(path, lambda partial: partial.write_bytes(content))


def _png(pixels: np.ndarray) -> bytes:
    import cv2

    pixels = pixels[..., ::-1] if pixels.ndim == 3 else pixels  # OpenCV wants BGR
    return cv2.imencode(".png", pixels)[1].tobytes()


def _lines(rows: np.ndarray, formats: tuple[str, ...]) -> bytes:
    line = " ".join(formats) + "\n"
    return "".join(line % tuple(row) for row in rows.tolist()).encode()

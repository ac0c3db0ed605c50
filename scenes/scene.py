"""One picture of one monument: camera, sun, sky, ground, neighbours, passers-by, and the masks of its parts.

    file name -> style and monument -> design -> camera -> faces -> z-buffer, shadow map -> light, haze, grain

The design comes from the monument alone, so that its two views show the same building; camera, weather, ground,
neighbours and foreground come from the whole file name and are drawn alike for every style: only the parts tell
the style. All designs are scaled to parts of about the same size in metres, and so stand at the same distances
among the same trees and people. Cost: about 80 ms for a picture of 320 x 240 pixels.
"""

import zlib
from dataclasses import dataclass

import numpy as np

import constants
from scenes import buildings, sprites, textures
from scenes.canvas import Canvas, Face, look, project, signed_area
from scenes.light import compute_light, develop, sun_direction

SIZES = ((320, 240), (240, 320), (360, 240), (288, 288))  # width x height of a picture in pixels
PART_AREA = (0.11, 0.22)  # of the picture, aimed at before anything stands in front of the parts
SUPERSAMPLING = 2  # pixels drawn for one pixel kept, along each axis
Rng = np.random.Generator
PARTS_SQUARE_METRES = 260.0  # of parts that a camera sees, once a design is scaled
LEAST_PART, LEAST_PARTS = (0.012, 0.055)  # of the picture: of the second largest part, of all; else another view
ATTEMPTS = 6


@dataclass
class Camera:
    """Where the picture is taken from, in metres and pixels of the (supersampled) canvas."""

    matrix: np.ndarray  # (4, 4), see canvas.py
    yaw: float  # radians from the z axis towards x
    focal: float
    distance: float  # of the monument
    box: np.ndarray  # (4,) left, top, right, bottom of the parts on the canvas

    def place(self, lateral: float, depth: float) -> np.ndarray:
        """The point of the ground so many metres to the right of the view's axis and away from the eye."""
        right = np.array([np.cos(self.yaw), 0, -np.sin(self.yaw)])
        forward = np.array([np.sin(self.yaw), 0, np.cos(self.yaw)])
        return lateral * right + (depth - self.distance) * forward


def draw_scene(file_name: str, seed: int = constants.SEED) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The picture of that name, uint8 (H, W, 3) RGB, and the mask of each part it shows, bool (H, W).

    file_name: `<Style>_<Monument>_<State>_N_<view>.png`, any monument and view; the picture depends on the name
    and the seed alone. Raises ValueError for a style that is not one of constants.STYLES.
    """
    monument = file_name.rsplit("_N_", 1)[0]
    style = monument.split("_", 1)[0]
    if style not in buildings.BUILDERS:
        raise ValueError(f"a file name begins with one of {constants.STYLES}, got {file_name!r}")
    rng = _named_rng(file_name, seed)
    width, height = (SUPERSAMPLING * side for side in rng.choice(SIZES))
    faces = _scaled(buildings.BUILDERS[style](_named_rng(monument, seed)))
    for _ in range(ATTEMPTS):
        image, part_masks = _photograph(rng, faces, height, width)
        shares = sorted(mask.mean() for mask in part_masks.values())
        if len(shares) > 1 and shares[-2] > LEAST_PART and sum(shares) > LEAST_PARTS:
            break
    return image, part_masks


def _photograph(rng: Rng, monument: list[Face], height: int, width: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """One view of a monument on a canvas of that size, and its parts; it may turn out that little is seen of it."""
    camera = place_camera(rng, monument, height, width)
    azimuth = camera.yaw + rng.choice([-1, 1]) * rng.uniform(0.35, 1.25)
    faces = monument + place_paving(rng, camera) + place_neighbours(rng, camera, monument, width)
    faces += place_sprites(rng, camera, width, azimuth)
    canvas = Canvas(camera.matrix, height, width)
    ground = int(rng.integers(textures.N_GROUNDS))
    canvas.fill_ground(textures.ground(ground), textures.distant_ground(ground), rng.uniform(28, 44))
    canvas.draw(faces)
    direction = sun_direction(azimuth, elevation=rng.uniform(0.4, 1.05))
    light = compute_light(rng, canvas, faces, direction, target=camera.place(0, 0.9 * camera.distance))
    image = develop(rng, canvas, light, SUPERSAMPLING)
    return image, _part_masks(canvas, faces)


def _named_rng(name: str, seed: int) -> Rng:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _seen_area(matrix: np.ndarray, faces: list[Face]) -> tuple[float, np.ndarray]:
    """Area of the parts in square pixels, before anything hides them, and their box: left, top, right, bottom."""
    corners = np.stack([face.corners for face in faces if face.part and not face.inner])
    screen, _, _ = project(matrix, corners)
    points = screen.reshape(-1, 2)
    area = np.maximum(signed_area(screen), 0).sum()
    return area, np.concatenate([points.min(axis=0), points.max(axis=0)])


def _scaled(faces: list[Face]) -> list[Face]:
    """The design at the size at which its parts show PARTS_SQUARE_METRES from a distance."""
    away = 450.0
    square_metres, _ = _seen_area(_look_from(away, eye=5, yaw=0.46, roll=0, focal=away), faces)  # 1 pixel is 1 m
    scale = np.sqrt(PARTS_SQUARE_METRES / square_metres)
    for face in faces:
        face.corners = face.corners * scale
    return faces


def _look_from(distance: float, eye: float, yaw: float, roll: float, focal: float, centre=(0.0, 0.0)) -> np.ndarray:
    """The matrix of a camera so far from the origin, on whose axis the origin stands."""
    position = np.array([-distance * np.sin(yaw), eye, -distance * np.cos(yaw)])
    return look(position, yaw, roll, focal, centre)


def place_camera(rng: Rng, faces: list[Face], height: int, width: int) -> Camera:
    """A camera before the monument's front, at the distance that gives the parts their share of the picture.

    The monument stands anywhere across the picture; its axis is shifted, not turned, so that walls stay upright.
    """
    yaw = rng.choice([-1, 1]) * rng.uniform(0.12, 0.8)
    eye, roll = rng.choice([1.7, 3, 6, 11]) * rng.uniform(0.9, 1.2), rng.normal(0, 0.008)
    focal = rng.uniform(1.1, 1.7) * max(height, width)
    wanted = rng.uniform(*PART_AREA) * height * width
    distance = 70.0
    for _ in range(4):  # the size goes nearly with 1 / distance: a few steps settle it
        area, (left, top, right, bottom) = _seen_area(_look_from(distance, eye, yaw, roll, focal), faces)
        overflow = max((right - left) / (0.9 * width), (bottom - top) / (0.72 * height))
        distance *= max(np.sqrt(area / wanted), overflow)
    _, (left, top, right, bottom) = _seen_area(_look_from(distance, eye, yaw, roll, focal), faces)
    margin = min(0.425 * (right - left), width / 2)  # a little of a wide monument may be cut off
    column = np.clip(rng.uniform(0.22, 0.78) * width, margin, width - margin)
    horizon = np.clip(rng.uniform(0.5, 0.74) * height, 0.04 * height - top, max(0.92 * height - bottom, 0.3 * height))
    centre = (column - (left + right) / 2, horizon)
    matrix = _look_from(distance, eye, yaw, roll, focal, centre)
    box = np.array([left, top, right, bottom]) + np.tile(centre, 2)
    return Camera(matrix, yaw, focal, distance, box)


def place_paving(rng: Rng, camera: Camera) -> list[Face]:
    """Sometimes a path towards the monument, sometimes a street across the picture."""
    faces = []
    if rng.random() < 0.6:
        start, end, half = rng.uniform(-20, 20), rng.uniform(-12, 12), rng.uniform(1.2, 4)
        far = camera.distance * rng.uniform(0.75, 1.6)
        faces.append(_strip(rng, camera, [(end - half, far), (end + half, far), (start + half, 2), (start - half, 2)]))
    if rng.random() < 0.5:
        near, wide, slant = camera.distance * rng.uniform(0.4, 1.9), rng.uniform(4, 9), rng.uniform(-8, 8)
        left, right = (-150, near + slant), (150, near - slant)
        faces.append(_strip(rng, camera, [(-150, left[1] + wide), (150, right[1] + wide), right, left]))
    return faces


def _strip(rng: Rng, camera: Camera, outline: list[tuple[float, float]]) -> Face:
    """A piece of paving just above the ground, by its corners in metres to the right and away from the eye."""
    corners = np.array([camera.place(*corner) for corner in outline]) + (0, 0.02, 0)
    return Face(corners, textures.paving(int(rng.integers(textures.N_PAVINGS))), bias=0.3)


def place_neighbours(rng: Rng, camera: Camera, monument: list[Face], width: int) -> list[Face]:
    """Plain houses beside and behind the monument, clear of it."""
    reach = np.abs(np.stack([face.corners for face in monument])[..., [0, 2]]).max() + 9
    faces = []
    for _ in range(int(rng.integers(4, 10))):
        depth = camera.distance * rng.uniform(0.85, 2.2)
        lateral = _lateral(camera, rng.uniform(-0.05, 1.05) * width, depth)
        before = depth < camera.distance and abs(lateral) < reach
        if before or np.hypot(lateral, depth - camera.distance) < reach + 6:
            continue
        turn = camera.yaw + rng.uniform(-0.9, 0.9)
        rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
        for face in buildings.build_house(rng):
            face.corners = face.corners @ rotation.T + camera.place(lateral, depth)
            faces.append(face)
    return faces


def _lateral(camera: Camera, column: float, depth: float) -> float:
    """Metres to the right of the view's axis at which a thing so far away appears in that column."""
    axis = camera.matrix[0] @ (*camera.place(0, depth), 1) / depth
    return (column - axis) / camera.focal * depth


def place_sprites(rng: Rng, camera: Camera, width: int, azimuth: float) -> list[Face]:
    """Trees, shrubs, people, cars, lamps and signs, near and far; what is near hides little of the parts."""
    faces = []
    for kind, (n_drawn, (fewest, most), heights, distances) in sprites.KINDS.items():
        for _ in range(int(rng.integers(fewest, most + 1))):
            texture = sprites.sprite(kind, int(rng.integers(n_drawn)))
            tall = rng.uniform(*heights)
            wide = tall * texture.shape[1] / texture.shape[0]
            depth = max(camera.distance * rng.uniform(*distances[rng.integers(2)]), 9.0)
            column = rng.uniform(0, width)
            if depth < camera.distance + 10 and _hides(camera, column, depth, wide, tall):
                continue
            foot = camera.place(_lateral(camera, column, depth), depth)
            mirrored = texture[:, ::-1] if rng.random() < 0.5 else texture
            sunward = _upright(foot, wide, tall, azimuth)
            faces.append(
                Face(
                    _upright(foot, wide, tall, camera.yaw),
                    mirrored,
                    facing=0.62,
                    sunward=sunward,
                    bias=0.5 * wide + 0.45,
                )
            )
    return faces


def _hides(camera: Camera, column: float, depth: float, wide: float, tall: float) -> bool:
    """Whether a sprite would cover more than a tenth of the box of the parts."""
    left, top, right, bottom = camera.box
    scale = camera.focal / depth
    foot = camera.matrix[1] @ (*camera.place(_lateral(camera, column, depth), depth), 1) / depth
    across = min(right, column + wide * scale / 2) - max(left, column - wide * scale / 2)
    down = min(bottom, foot) - max(top, foot - tall * scale)
    return max(across, 0) * max(down, 0) > 0.1 * (right - left) * (bottom - top)


def _upright(foot: np.ndarray, wide: float, tall: float, yaw: float) -> np.ndarray:
    """The corners (4, 3) of a sprite on its foot, turned to a view in the direction yaw."""
    right = np.array([np.cos(yaw), 0, -np.sin(yaw)]) * wide / 2
    up = np.array([0, tall, 0.0])
    return np.array([foot - right + up, foot + right + up, foot + right, foot - right])


def _part_masks(canvas: Canvas, faces: list[Face]) -> dict[str, np.ndarray]:
    """Where each part is seen, bool (H, W): pixels of which it fills a half; what stands before it is left out."""
    import cv2

    height, width = (side // SUPERSAMPLING for side in canvas.surface.shape)
    parts = sorted({face.part for face in faces if face.part})
    shares = []
    for part in parts:
        is_part = np.array([face.part == part for face in faces] + [False, False])  # the last two: sky, ground
        shown = is_part[canvas.surface].astype(np.float32)
        shares.append(cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA))
    largest = np.argmax(shares, axis=0)  # two parts may fill a half each: the first has the pixel
    masks = {part: (share >= 0.5) & (largest == k) for k, (part, share) in enumerate(zip(parts, shares))}
    return {part: mask for part, mask in masks.items() if mask.any()}

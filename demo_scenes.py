"""One picture of one monument: camera, sun, sky, ground, neighbours, passers-by, and the masks of its parts.

    file name -> style and monument -> design -> camera -> faces -> z-buffer, shadow map -> light, haze, grain

The design comes from the monument alone, so that its two views show the same building; camera, weather, ground,
neighbours and foreground come from the whole file name and are drawn alike for every style: only the parts tell
the style. All designs are scaled to parts of about the same size in metres, and so stand at the same distances
among the same trees and people. Cost: about 60 ms for a picture of 320 x 240 pixels on one core.
"""

import zlib
from dataclasses import dataclass

import numpy as np

import constants
import demo_buildings
import demo_canvas
import demo_light
import demo_sprites
import demo_textures
from demo_canvas import Canvas, Face

Rng = np.random.Generator
PARTS_SQUARE_METRES = 260.0  # of parts that a camera sees, once a design is scaled
LEAST_PART, LEAST_PARTS = 0.012, 0.055  # of the picture: of the second largest part, of all; else another view
ATTEMPTS = 6


@dataclass
class Camera:
    """Where the picture is taken from, in metres and pixels of the (supersampled) canvas."""

    matrix: np.ndarray  # (4, 4), see demo_canvas
    position: np.ndarray  # (3,)
    yaw: float
    focal: float
    distance: float  # from the monument
    box: np.ndarray  # (4,) left, top, right, bottom of the parts on the canvas

    def place(self, lateral: float, depth: float) -> np.ndarray:
        """The point of the ground so many metres to the right of the view's axis and away from the eye."""
        right = np.array([np.cos(self.yaw), 0, -np.sin(self.yaw)])
        forward = np.array([np.sin(self.yaw), 0, np.cos(self.yaw)])
        return (self.position + lateral * right + depth * forward) * (1, 0, 1)


def draw_scene(file_name: str, seed: int = constants.SEED) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The picture of that name, uint8 (H, W, 3) RGB, and the mask of each part it shows, bool (H, W).

    file_name: `<Style>_<Monument>_<State>_N_<view>.png`, any monument and view; the picture depends on the name
    and the seed alone. Raises ValueError for a style that is not one of constants.STYLES.
    """
    monument = file_name.rsplit("_N_", 1)[0]
    style = monument.split("_", 1)[0]
    if style not in demo_buildings.BUILDERS:
        raise ValueError(f"a file name begins with one of {constants.STYLES}, got {file_name!r}")
    rng = _named_rng(file_name, seed)
    width, height = (constants.DEMO_SUPERSAMPLING * side for side in rng.choice(constants.DEMO_SIZES))
    faces = _scaled(demo_buildings.BUILDERS[style](_named_rng(monument, seed)))
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
    ground = int(rng.integers(demo_textures.N_GROUNDS))
    canvas.fill_ground(demo_textures.ground(ground), demo_textures.distant_ground(ground), rng.uniform(28, 44))
    canvas.draw(faces)
    direction = demo_light.sun_direction(azimuth, elevation=rng.uniform(0.4, 1.05))
    light = demo_light.light(rng, canvas, faces, direction, target=camera.place(0, 0.9 * camera.distance))
    image = demo_light.develop(rng, canvas, light, constants.DEMO_SUPERSAMPLING)
    return image, _part_masks(canvas, faces)


def _named_rng(name: str, seed: int) -> Rng:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _seen_area(matrix: np.ndarray, faces: list[Face]) -> tuple[float, np.ndarray]:
    """Area of the parts in square pixels, before anything hides them, and their box: left, top, right, bottom."""
    corners = np.stack([face.corners for face in faces if face.part and not face.inner])
    screen, _, _ = demo_canvas.project(matrix, corners)
    points = screen.reshape(-1, 2)
    area = np.maximum(demo_canvas.signed_area(screen), 0).sum()
    return area, np.concatenate([points.min(axis=0), points.max(axis=0)])


def _scaled(faces: list[Face]) -> list[Face]:
    """The design at the size at which its parts show PARTS_SQUARE_METRES from a distance."""
    matrix = demo_canvas.look(np.array([-200.0, 5, -400]), np.arctan(0.5), 0, 500.0, (0, 0))  # 1 m is about 1 pixel
    area, _ = _seen_area(matrix, faces)
    scale = np.sqrt(PARTS_SQUARE_METRES / area) / np.sqrt(500 / 447) * 500 / 447
    for face in faces:
        face.corners = face.corners * scale
    return faces


def place_camera(rng: Rng, faces: list[Face], height: int, width: int) -> Camera:
    """A camera before the monument's front, at the distance that gives the parts their share of the picture."""
    yaw = rng.choice([-1, 1]) * rng.uniform(0.12, 0.8)
    eye, roll = rng.choice([1.7, 3, 6, 11]) * rng.uniform(0.9, 1.2), rng.normal(0, 0.008)
    focal = rng.uniform(1.1, 1.7) * max(height, width)
    wanted = rng.uniform(*constants.DEMO_PART_AREA) * height * width
    distance = 70.0
    for _ in range(4):
        position = np.array([-distance * np.sin(yaw), eye, -distance * np.cos(yaw)])
        area, box = _seen_area(demo_canvas.look(position, yaw, roll, focal, (0, 0)), faces)
        overflow = max((box[2] - box[0]) / (0.9 * width), (box[3] - box[1]) / (0.72 * height))
        distance *= max(np.sqrt(area / wanted), overflow)
    half_width, horizon = (box[2] - box[0]) / 2, rng.uniform(0.5, 0.74) * height
    x = rng.uniform(min(0.22 * width, width / 2), max(0.78 * width, width / 2))
    x = np.clip(x, min(0.85 * half_width, width / 2), max(width - 0.85 * half_width, width / 2))
    horizon = np.clip(horizon, 0.04 * height - box[1], max(0.92 * height - box[3], 0.3 * height))
    centre = (x - (box[0] + box[2]) / 2, horizon)
    matrix = demo_canvas.look(position, yaw, roll, focal, centre)
    return Camera(matrix, position, yaw, focal, distance, _seen_area(matrix, faces)[1])


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
    return Face(corners, demo_textures.paving(int(rng.integers(demo_textures.N_PAVINGS))), bias=0.3)


def place_neighbours(rng: Rng, camera: Camera, monument: list[Face], width: int) -> list[Face]:
    """Plain houses and garden walls, beside and behind the monument."""
    reach = np.abs(np.stack([face.corners for face in monument])[..., [0, 2]]).max() + 9
    faces = []
    for _ in range(int(rng.integers(4, 10))):
        depth = camera.distance * rng.uniform(0.85, 2.2)
        lateral = _lateral(camera, rng.uniform(-0.05, 1.05) * width, depth)
        if np.hypot(lateral, depth - camera.distance) < reach + 6 or (depth < camera.distance and abs(lateral) < reach):
            continue
        turn = camera.yaw + rng.uniform(-0.9, 0.9)
        rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
        for face in demo_buildings.build_house(rng):
            face.corners = face.corners @ rotation.T + camera.place(lateral, depth)
            faces.append(face)
    return faces


def _lateral(camera: Camera, column: float, depth: float) -> float:
    """Metres to the right of the view's axis at which a thing so far away appears in that column."""
    return (column - camera.matrix[0] @ (*(camera.place(0, depth)), 1) / depth) / camera.focal * depth


def place_sprites(rng: Rng, camera: Camera, width: int, azimuth: float) -> list[Face]:
    """Trees, shrubs, people, cars, lamps and signs, near and far; what is near hides little of the parts."""
    faces = []
    for kind, (fewest, most) in demo_sprites.COUNTS.items():
        for _ in range(int(rng.integers(fewest, most + 1))):
            texture = demo_sprites.sprite(kind, int(rng.integers(demo_sprites.STOCK[kind])))
            tall = rng.uniform(*demo_sprites.HEIGHTS[kind])
            wide = tall * texture.shape[1] / texture.shape[0]
            nearest, farthest = demo_sprites.DISTANCES[kind][int(rng.integers(2))]
            depth = max(camera.distance * rng.uniform(nearest, farthest), 9.0)
            column = rng.uniform(0, 1) * width
            if _hides(camera, column, depth, wide, tall):
                continue
            foot = camera.place(_lateral(camera, column, depth), depth)
            mirrored = texture[:, ::-1] if rng.random() < 0.5 else texture
            sunward = _upright(foot, wide, tall, azimuth)
            faces.append(Face(_upright(foot, wide, tall, camera.yaw), mirrored, facing=0.62, sunward=sunward,
                              bias=0.5 * wide + 0.45))  # fmt: skip
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
    """Where each part is seen, bool (H, W): at least half of a pixel's samples show it."""
    import cv2

    height, width = (side // constants.DEMO_SUPERSAMPLING for side in canvas.surface.shape)
    masks = {}
    for part in sorted({face.part for face in faces if face.part}):
        table = np.array([face.part == part for face in faces] + [False, False])  # the last two: sky, ground
        shown = table[canvas.surface].astype(np.float32)
        mask = cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA) >= 0.5
        if mask.any():
            masks[part] = mask
    return masks

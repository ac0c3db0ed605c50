"""Sun, sky, haze, lens and film: how a filled canvas becomes a photograph.

    pixel = albedo (sun facing visibility + sky upward) e^(-density depth) + haze (1 - e^(-density depth))

with `facing` the cosine between a face and the sun, `visibility` from the sun's shadow map and the blue light of
the sky stronger on faces that look up. Then exposure, film curve, white balance, vignette and grain. Nothing here
knows the style of the monument.
"""

import numpy as np

from scenes import textures
from scenes.canvas import SKY, Canvas, Face, look_from_sun

Rng = np.random.Generator
SUN_SIDE, SUN_EXTENT = 768, 170.0  # the shadow map: pixels, and the metres that they cover
GROUND_BIAS = 0.3  # metres

ZENITHS = ((84, 132, 190), (110, 150, 196), (150, 168, 190), (98, 142, 178), (128, 146, 166))
HAZE = np.float32([208, 214, 220])
HORIZONS = ((206, 218, 228), (226, 216, 200), (214, 218, 222))


def sun_direction(azimuth: float, elevation: float) -> np.ndarray:
    """The unit vector (3,) along which light travels; azimuth from the z axis towards x, in radians."""
    level = np.cos(elevation)
    return np.array([np.sin(azimuth) * level, -np.sin(elevation), np.cos(azimuth) * level])


def compute_light(rng: Rng, canvas: Canvas, faces: list[Face], direction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The light on every pixel, float32 (H, W, 3), about 1 in the sun; shadows reach SUN_EXTENT around target."""
    matrix = look_from_sun(direction, target, SUN_EXTENT, SUN_SIDE)
    sun = Canvas(matrix, SUN_SIDE, SUN_SIDE, nearness=-1e9)
    sun.draw(faces, cull=False, colour=False)
    corners = np.stack([face.corners for face in faces])
    normals = np.cross(corners[:, 1] - corners[:, 3], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    given = np.array([np.nan if face.facing is None else face.facing for face in faces])
    free = np.isnan(given)
    facing = np.where(free, np.maximum(normals @ -direction, 0), given)
    upward = np.where(free, 0.75 + 0.25 * normals[:, 1], np.minimum(0.3 + given, 0.85))
    # one value per face; the last two, reached by the negative indices, for sky and ground
    facing = np.append(facing, [1, -direction[1]]).astype(np.float32)
    upward = np.append(upward, [1, 1]).astype(np.float32)
    bias = np.append([face.bias for face in faces], [0, GROUND_BIAS])
    sunny = facing[canvas.surface] * canvas.lit(sun, bias)
    warm = np.float32([1.30, 1.20, 1.05]) * np.float32(rng.uniform(0.85, 1.1))
    cool = np.float32([0.46, 0.51, 0.58]) * np.float32(rng.uniform(0.85, 1.15))
    return sunny[..., None] * warm + upward[canvas.surface][..., None] * cool


def make_sky(rng: Rng, height: int, width: int, horizon: float) -> np.ndarray:
    """Sky with clouds and, before it in haze, hills and a far line of trees: float32 (height, width, 3), 0-255."""
    zenith = np.float32(ZENITHS[rng.integers(len(ZENITHS))])
    low = np.float32(HORIZONS[rng.integers(len(HORIZONS))])
    rows = np.clip(np.arange(height, dtype=np.float32) / max(horizon, 1), 0, 1)
    sky = zenith + (low - zenith) * (rows**1.4)[:, None, None]
    sky = _add_clouds(rng, np.broadcast_to(sky, (height, width, 3)), horizon)
    green = np.float32([92, 106, 84]) * rng.uniform(0.8, 1.15, 3).astype(np.float32)
    ranges = ((0.72, rng.uniform(0.06, 0.2), 3), (0.5, rng.uniform(0.03, 0.1), 4), (0.25, 0.035, 24))
    for haze, tall, cells in ranges:
        ridge = horizon - height * tall * (0.5 + 0.6 * textures.make_noise(rng, 1, width, cells=cells))[0]
        cover = np.clip(np.arange(height, dtype=np.float32)[:, None] - ridge, 0, 1)[..., None]
        slope = textures.make_noise(rng, height, width, cells=14, octaves=3)[..., None]
        hill = (haze * low + (1 - haze) * green) * (1 + 0.25 * (1 - haze) * slope)
        sky = sky * (1 - cover) + hill * cover
    return sky


def _add_clouds(rng: Rng, sky: np.ndarray, horizon: float) -> np.ndarray:
    """Clouds that crowd towards the horizon, white above and grey beneath."""
    import cv2

    height, width = sky.shape[:2]
    size, horizon = max(height, width), np.float32(horizon)
    noise = textures.make_noise(rng, size, size, cells=3, octaves=7)
    row, column = np.mgrid[0:height, 0:width].astype(np.float32)
    down = np.clip((horizon - row) / height, 0.03, 1)  # a level layer of cloud: its distance is 1 / elevation
    u = size * 0.5 + (column - width / 2) * 0.42 / (down + 0.3)
    v = size * 0.4 / (down + 0.3)
    noise = cv2.remap(noise, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    density = np.clip(2.2 * (noise + rng.uniform(-0.5, 0.25)), 0, 1)
    lift = max(height // 40, 2)
    above = np.roll(density, lift, axis=0)
    above[:lift] = density[:lift]
    white = 250 - 60 * np.clip(density * 0.4 + above * 0.6, 0, 1) * rng.uniform(0.3, 1)
    cover = (density * rng.uniform(0.6, 1)).astype(np.float32)[..., None]
    return sky + (white.astype(np.float32)[..., None] * np.float32([0.98, 0.99, 1]) - sky) * cover


def develop(rng: Rng, canvas: Canvas, illumination: np.ndarray, scale: int) -> np.ndarray:
    """The photograph of a canvas and its light, shrunk by `scale`: uint8 (H, W, 3) RGB."""
    import cv2

    height, width = (side // scale for side in canvas.surface.shape)
    density = rng.uniform(0.0008, 0.0028)
    clear = np.exp(-np.float32(density) / np.maximum(canvas.nearness, np.float32(1e-6)))[..., None]
    image = (canvas.colour * illumination - HAZE) * clear + HAZE
    empty = (canvas.surface == SKY).astype(np.float32)
    image *= 1 - empty[..., None]
    image, empty = (cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA) for layer in (image, empty))
    image += make_sky(rng, height, width, _horizon(canvas) / scale) * empty[..., None]
    return _expose(rng, image)


def _horizon(canvas: Canvas) -> float:
    """The row of the horizon in the middle of the canvas: where the nearness of the ground is 0."""
    a, b, _, e = np.linalg.inv(canvas.matrix)[1]
    return -(a * canvas.surface.shape[1] / 2 + e) / b


def _expose(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Automatic exposure, film curve, saturation, white balance, vignette and grain, uint8 (H, W, 3)."""
    height, width = image.shape[:2]
    mean, spread = rng.uniform(0.46, 0.54), rng.uniform(0.18, 0.225)  # of every picture, whatever it shows
    image = np.minimum(image / image.mean(), 2.5)
    image = np.float32(mean) + (image - image.mean()) * np.float32(spread / image.std())
    grey = image.mean(axis=2, keepdims=True)
    image = grey + (image - grey) * np.float32(rng.uniform(0.75, 1.05))
    image *= rng.uniform(0.95, 1.05, 3).astype(np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)
    image *= (1 - np.float32(rng.uniform(0.04, 0.14)) * (x**2 + y**2))[..., None]
    image = np.where(image > 0.8, 0.8 + 0.2 * np.tanh((image - 0.8) / 0.2), image)  # highlights roll off
    image = np.where(image < 0.15, 0.15 * np.exp(np.minimum(image / 0.15 - 1, 0)), image)  # and so do shadows
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) * rng.uniform(0.8, 2.2)
    grain = grain + 0.7 * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image * 255 + grain, 0, 255).astype(np.uint8)

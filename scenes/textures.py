"""What surfaces look like: walls, ground, glass and openings, from three photographs and multi-octave noise.

A texture is photograph x noise x tint. The photographs are `brick`, `grass` and `gravel`, which ship inside
the scikit-image wheel (from CC0Textures, public domain) and are read from there, never downloaded. Walls and
ground are a fixed stock of numbered textures, drawn once and kept: a scene picks among them by number, the same
stock for every style.
"""

from functools import cache

import numpy as np

TILE = 384  # side of a wall texture in pixels
TILE_METRES = 16.0  # what it covers
N_WALLS, N_GROUNDS, N_PAVINGS = 28, 12, 6  # size of the stock

PLASTER = (  # RGB
    *((186, 136, 100), (206, 182, 144), (218, 210, 194), (168, 112, 92), (176, 168, 156), (196, 160, 144)),
    *((152, 144, 134), (214, 196, 158), (158, 128, 106), (188, 187, 184), (140, 108, 94), (202, 197, 180)),
)
SOIL = ((104, 122, 66), (128, 130, 80), (150, 132, 100), (158, 150, 136), (124, 116, 104), (92, 112, 62))


@cache
def photograph(name: str) -> np.ndarray:
    """One of 'brick', 'grass', 'gravel': float32 (512, 512) with mean 1; the bricks lie in level courses."""
    from skimage import data

    image = getattr(data, name)().astype(np.float32)
    image /= image.mean()
    return np.rot90(image).copy() if name == "brick" else image


def make_noise(rng: np.random.Generator, height: int, width: int, *, cells: int = 3, octaves: int = 5) -> np.ndarray:
    """Soft noise, float32 (height, width), mean about 0 and range about [-1, 1]: each octave is half as strong."""
    import cv2

    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        grid = rng.random((cells * 2**octave + 1, cells * 2**octave + 1), dtype=np.float32) - 0.5
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return total


def _tiled(name: str, side: int, scale: float) -> np.ndarray:
    """A photograph shrunk by `scale` and repeated, mirrored at every seam, float32 (side, side)."""
    import cv2

    small = cv2.resize(photograph(name), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if name != "brick":
        small = np.block([[small, small[:, ::-1]], [small[::-1], small[::-1, ::-1]]])
    repeats = -(-side // small.shape[0])
    return np.tile(small, (repeats, repeats))[:side, :side]


def _tint(grey: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return np.clip(grey[..., None] * np.asarray(colour, np.float32), 0, 255).astype(np.uint8)


@cache
def wall(number: int) -> np.ndarray:
    """Wall texture of that number, uint8 (TILE, TILE, 3): masonry, rubble or plaster, weathered."""
    rng = np.random.default_rng([number, 11])
    name, scale = (("brick", 0.34), ("gravel", 0.3), ("gravel", 0.12), ("brick", 0.2))[number % 4]
    strength = rng.uniform(0.35, 0.9) if number % 4 != 2 else 0.35
    relief = 1 + strength * (_tiled(name, TILE, scale) - 1)
    weather = 1 + 0.22 * make_noise(rng, TILE, TILE, cells=4)
    streaks = 1 + 0.10 * make_noise(rng, 24, TILE, cells=20, octaves=2).mean(axis=0)
    colour = np.array(PLASTER[number % len(PLASTER)]) * rng.uniform(0.93, 1.07, 3)
    return _tint(relief * weather * streaks, colour)


@cache
def ground(number: int) -> np.ndarray:
    """Ground texture of that number, uint8 (1024, 1024, 3): two soils in patches, to be repeated."""
    rng = np.random.default_rng([number, 12])
    names = (("grass", "gravel"), ("gravel", "grass"), ("grass", "grass"), ("gravel", "gravel"))[number % 4]
    side = 1024
    patch = make_noise(rng, side // 2, side // 2, cells=3)
    patch = np.clip(0.5 + 3 * (patch + rng.uniform(-0.2, 0.2)), 0, 1)
    patch = np.block([[patch, patch[:, ::-1]], [patch[::-1], patch[::-1, ::-1]]])[..., None]
    layers = []
    for name in names:
        soil = np.array(SOIL[rng.integers(len(SOIL))]) * rng.uniform(0.9, 1.1, 3)
        layers.append((0.4 + 0.6 * _tiled(name, side, 0.28))[..., None] * soil.astype(np.float32))
    return np.clip(patch * layers[0] + (1 - patch) * layers[1], 0, 255).astype(np.uint8)


@cache
def distant_ground(number: int) -> np.ndarray:
    """The ground of that number without its fine grain, uint8 (1024, 1024, 3)."""
    import cv2

    return cv2.GaussianBlur(ground(number), (0, 0), 12)


@cache
def paving(number: int) -> np.ndarray:
    """Paving of that number, uint8 (512, 512, 3): slabs, setts or trodden gravel."""
    rng = np.random.default_rng([number, 13])
    grain = _tiled(("brick", "gravel")[number % 2], 512, rng.uniform(0.15, 0.3))
    wear = 1 + 0.2 * make_noise(rng, 512, 512, cells=4)
    return _tint(
        (0.6 + 0.4 * grain) * wear, np.array([168, 158, 144]) * rng.uniform(0.6, 1.1) * rng.uniform(0.95, 1.05, 3)
    )


def cut(number: int, width: float, height: float, rng: np.random.Generator) -> np.ndarray:
    """A piece of a wall texture for a face of `width` x `height` metres, uint8 (h, w, 3), at a random place."""
    w = int(np.clip(width / TILE_METRES * TILE, 4, TILE))
    h = int(np.clip(height / TILE_METRES * TILE, 4, TILE))
    row, column = rng.integers(TILE - h + 1), rng.integers(TILE - w + 1)
    return wall(number)[row : row + h, column : column + w]


def shade(texture: np.ndarray, factor: float) -> np.ndarray:
    """The texture with its colours multiplied by a factor in [0, 2]; alpha stays."""
    shaded = texture.copy()
    shaded[..., :3] = np.clip(texture[..., :3] * np.float32(factor), 0, 255)
    return shaded


def resize(texture: np.ndarray, width: int, height: int) -> np.ndarray:
    import cv2

    return cv2.resize(texture, (width, height), interpolation=cv2.INTER_LINEAR)


def add_windows(texture: np.ndarray, rng: np.random.Generator, columns: int, rows: int) -> np.ndarray:
    """Small dark windows, some shuttered, sparsely on a plain wall: uint8 (h, w, 3), at least 96 pixels wide."""
    import cv2

    texture = resize(texture, 32 * columns + 32, 40 * rows + 24)
    frame = np.clip(texture.mean(axis=(0, 1)) * rng.uniform(0.7, 1.35), 0, 255)
    width, height = rng.integers(9, 14), rng.integers(14, 24)
    for row in range(rows):
        for column in range(columns):
            if rng.random() < 0.25:
                continue
            x, y = 16 + 32 * column + 16 - width // 2, 14 + 40 * row
            dark = rng.uniform(25, 80) * np.array([0.9, 1.0, 1.1])
            cv2.rectangle(texture, (x - 2, y - 2), (x + width + 2, y + height + 2), frame.tolist(), -1)
            cv2.rectangle(texture, (x, y), (x + width, y + height), dark.tolist(), -1)
            cv2.line(texture, (x + width // 2, y), (x + width // 2, y + height), (frame * 0.8).tolist(), 1)
    return texture


def make_stair(texture: np.ndarray, n_steps: int) -> np.ndarray:
    """A flight of steps seen from the front, uint8 (12 n_steps, w, 3): light treads over dark risers."""
    texture = resize(texture, max(texture.shape[1], 64), 12 * n_steps)
    profile = np.array([1.28, 1.3, 1.25, 1.15, 0.62, 0.66, 0.7, 0.74, 0.76, 0.78, 0.8, 0.72], np.float32)
    steps = np.tile(profile, n_steps)[:, None, None]
    return np.clip(texture * steps, 0, 255).astype(np.uint8)


def make_arches(texture: np.ndarray, n_arches: int, *, open_width: float, spring: float) -> np.ndarray:
    """A wall with n round arches, RGBA (h, w, 4), holes transparent, a light moulding around each.

    open_width: of an opening, as a share of its bay; spring: height where the arch begins, as a share of h.
    """
    import cv2

    height = 160
    width = max(int(height * texture.shape[1] / texture.shape[0]), 40 * n_arches)
    colour = resize(texture, width, height)
    light = np.clip(colour * 1.2 + 18, 0, 255).astype(np.uint8)
    ring, hole = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    bay, base = width / n_arches, int(height * (1 - spring))
    for arch in range(n_arches):
        x, radius = int(bay * (arch + 0.5)), int(bay * open_width / 2)
        for mask, reach in ((ring, radius + max(4, radius // 5)), (hole, radius)):
            cv2.ellipse(mask, (x, base), (reach, reach), 0, 180, 360, 1, -1)
            cv2.rectangle(mask, (x - reach, base), (x + reach, height), 1, -1)
        cv2.rectangle(ring, (x - radius - radius // 3, base), (x + radius + radius // 3, base + 5), 1, -1)
    edge = (ring > 0)[..., None]
    cornice = np.zeros((height, 1, 1), np.float32) + 1
    cornice[:9], cornice[9:12] = 1.15, 0.7
    colour = np.clip(np.where(edge, light, colour) * cornice, 0, 255).astype(np.uint8)
    return np.dstack([colour, np.where(hole > 0, 0, 255).astype(np.uint8)])


def fill_holes(texture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The RGBA texture with a colour in its holes, uint8 (h, w, 3)."""
    return np.where(texture[..., 3:] == 0, np.uint8(colour), texture[..., :3])


def add_bell(texture: np.ndarray) -> np.ndarray:
    """A bell in the opening of a belfry, uint8 (h, w, 3)."""
    import cv2

    h, w = texture.shape[:2]
    rim, bronze = int(0.64 * h), (124, 100, 60)
    cv2.ellipse(texture, (w // 2, rim), (w // 9, h // 8), 0, 180, 360, bronze, -1)
    cv2.rectangle(texture, (w // 2 - w // 8, rim), (w // 2 + w // 8, rim + h // 30), bronze, -1)
    return texture


def add_course(texture: np.ndarray) -> np.ndarray:
    """A pale course along the upper edge of a wall and the shadow under it, uint8 (h, w, 3)."""
    texture = texture.copy()
    edge = max(len(texture) // 6, 2)
    under = slice(edge, edge + max(edge // 2, 1))
    texture[:edge], texture[under] = shade(texture[:edge], 1.25), shade(texture[under], 0.6)
    return texture


def make_glass(rng: np.random.Generator, columns: int, rows: int, tint: np.ndarray, mullion: np.ndarray) -> np.ndarray:
    """A curtain wall of columns x rows panes that mirror the sky, uint8 (18 rows, 16 columns, 3)."""
    import cv2

    height, width = 18 * rows, 16 * columns
    mirrored = make_noise(rng, height, width, cells=2, octaves=3)[..., None]
    upward = np.linspace(1.25, 0.6, height, dtype=np.float32)[:, None, None]
    panes = 1 + 0.16 * rng.standard_normal((rows, columns, 1)).astype(np.float32)
    panes = np.where(rng.random((rows, columns, 1)) < 0.08, 1.5, panes)  # here and there a blind is down
    panes = cv2.resize(panes.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST)[..., None]
    glass = np.clip(tint * upward * panes * (1 + 0.45 * mirrored), 0, 255).astype(np.uint8)
    for column in range(columns + 1):
        cv2.line(glass, (min(16 * column, width - 1), 0), (min(16 * column, width - 1), height), mullion.tolist(), 2)
    for row in range(rows + 1):
        cv2.line(glass, (0, min(18 * row, height - 1)), (width, min(18 * row, height - 1)), mullion.tolist(), 2)
    return glass

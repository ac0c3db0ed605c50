"""What stands about in every picture, whatever its style: trees, people, cars, lamps and signs, as flat sprites.

A sprite is RGBA with hard alpha and its height in metres; it is drawn upright, turned to the camera. Each kind is
a small stock of numbered sprites, drawn once and kept; scenes of all styles draw from the same stock.
"""

from functools import cache

import numpy as np

from scenes import textures

NEAR, FAR = (0.3, 0.95), (1.05, 2.2)  # in distances of the monument
# kind -> how many are drawn and kept, fewest and most tried in a picture, smallest and largest height in metres,
#         the two ranges of distance between which a coin decides
KINDS = {
    "grove": (6, (3, 9), (5, 10), ((1.6, 2.4), (2.4, 4.0))),
    "tree": (18, (5, 13), (5, 13), (NEAR, FAR)),
    "shrub": (8, (3, 12), (0.8, 2.6), (NEAR, FAR)),
    "person": (12, (2, 10), (1.6, 1.85), (NEAR, NEAR)),
    "car": (8, (0, 3), (1.4, 1.7), (NEAR, NEAR)),
    "lamp": (3, (0, 2), (5, 8), (NEAR, NEAR)),
    "sign": (5, (0, 1), (2.2, 3.6), (NEAR, NEAR)),
}
LEAVES = (  # RGB
    *((74, 98, 48), (88, 106, 54), (62, 84, 50), (102, 110, 62)),
    *((84, 100, 68), (70, 92, 58), (112, 104, 62)),
)


@cache
def sprite(kind: str, number: int) -> np.ndarray:
    """The sprite of that kind (a key of KINDS) and number, uint8 (h, w, 4) RGBA."""
    draw = {
        "grove": _draw_grove,
        "tree": _draw_tree,
        "shrub": _draw_shrub,
        "person": _draw_person,
        "car": _draw_car,
        "lamp": _draw_lamp,
        "sign": _draw_sign,
    }[kind]
    return draw(np.random.default_rng([number, 21]), number)


def _blank(height: int, width: int) -> np.ndarray:
    return np.zeros((height, width, 4), np.uint8)


def _muted(rng: np.random.Generator, darkest: float, lightest: float) -> list[float]:
    """A colour of clothes and cars: any grey, and some hue in it."""
    return np.clip(rng.uniform(darkest, lightest) + rng.uniform(0, 30) * rng.standard_normal(3), 0, 255).tolist()


def _add_crown(canvas: np.ndarray, rng, centre, radii, colour, n_clumps: int, clump: float) -> None:
    """Clumps of leaves inside an ellipse, dark ones behind and below, light ones in front and above."""
    import cv2

    angle, reach = rng.uniform(0, 2 * np.pi, n_clumps), np.sqrt(rng.random(n_clumps))
    x = centre[0] + radii[0] * reach * np.cos(angle)
    y = centre[1] + radii[1] * reach * np.sin(angle)
    light = 0.75 - 0.4 * (y - centre[1]) / radii[1] + 0.15 * (x - centre[0]) / radii[0]
    light += 0.15 * rng.standard_normal(n_clumps)
    for k in np.argsort(light + 0.3 * rng.random(n_clumps)):
        size = clump * rng.uniform(0.6, 1.3)
        shade = np.clip(np.array(colour) * light[k], 8, 255)
        cv2.ellipse(
            canvas,
            (int(x[k]), int(y[k])),
            (int(size), int(size * 0.7)),
            rng.uniform(0, 180),
            0,
            360,
            (*shade.tolist(), 255),
            -1,
        )


def _add_boughs(canvas: np.ndarray, rng, centre, radii, colour) -> None:
    """A crown of several smaller ones, the far ones darker, so that its outline is broken and its inside deep."""
    n_boughs = 16
    angle, reach = rng.uniform(0, 2 * np.pi, n_boughs), np.sqrt(rng.uniform(0.02, 0.75, n_boughs))
    middles = centre + radii * reach[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    size = np.clip(0.38 * radii, 14, 34)
    for k, middle in enumerate(middles[np.argsort(-middles[:, 1] + rng.normal(0, 25, n_boughs))]):
        depth = 0.8 + 0.5 * k / n_boughs
        hue = rng.normal(0, 4, 3)
        _add_crown(canvas, rng, middle, size * rng.uniform(0.75, 1.25), colour * depth + hue, 55, 5)


def _leaf(canvas: np.ndarray, rng, *, gaps: float) -> np.ndarray:
    """The crown with the grain of leaves: the photograph of grass as its light, noise as the holes in it."""
    height, width = canvas.shape[:2]
    row, column = rng.integers(512 - height), rng.integers(512 - width)
    grain = textures.photograph("grass")[row : row + height, column : column + width]
    canvas[..., :3] = np.clip(canvas[..., :3] * (0.45 + 0.6 * grain[..., None]), 0, 255)
    canvas[grain + 0.25 * rng.standard_normal((height, width)) < gaps, 3] = 0
    return canvas


def _draw_tree(rng: np.random.Generator, number: int) -> np.ndarray:
    """A round, a slender, a spreading tree or a palm, by number."""
    import cv2

    shape = number % 4
    width = (150, 80, 230, 170)[shape]
    canvas = _blank(220, width)
    bark = (np.array([92, 76, 60]) * rng.uniform(0.6, 1.2)).tolist()
    middle = width // 2
    trunk_top = (120, 170, 100, 60)[shape]
    lean = int(rng.integers(-10, 10))
    colour = np.array(LEAVES[rng.integers(len(LEAVES))]) * rng.uniform(0.85, 1.15, 3)
    if shape == 3:
        return _draw_palm(canvas, rng, middle, lean, colour, bark)
    centre, radii = (((middle, 80), (62, 70)), ((middle, 105), (28, 98)), ((middle, 68), (98, 48)))[shape]
    _add_boughs(canvas, rng, np.array(centre), np.array(radii), colour)
    canvas = _leaf(canvas, rng, gaps=0.42)
    crown = canvas.copy()
    thickness = int(rng.integers(6, 11))
    cv2.line(canvas, (middle, 219), (middle + lean, trunk_top), (*bark, 255), thickness)
    if shape == 2:
        cv2.line(canvas, (middle + lean, trunk_top + 40), (middle - 50, 70), (*bark, 255), 5)
        cv2.line(canvas, (middle + lean, trunk_top + 40), (middle + 50, 70), (*bark, 255), 5)
    leafy = crown[..., 3] > 0
    canvas[leafy] = crown[leafy]
    return canvas


def _draw_palm(canvas: np.ndarray, rng, middle: int, lean: int, colour, bark) -> np.ndarray:
    """A bare trunk and a head of drooping fronds."""
    import cv2

    top = np.array([middle + 2 * lean, 62])
    cv2.line(canvas, (middle, 219), top.tolist(), (*bark, 255), 7)
    for angle in rng.permutation(np.linspace(-0.3, np.pi + 0.3, 26)):
        t = np.linspace(0, 1, 14)[:, None]
        reach = rng.uniform(55, 78)
        frond = top + t * reach * np.array([np.cos(angle), -np.sin(angle)]) + t**2 * np.array([0, 38])
        shade = np.clip(colour * rng.uniform(0.6, 1.3), 0, 255).tolist()
        cv2.polylines(canvas, [frond.astype(np.int32)], False, (*shade, 255), 3)
        for point in frond[3:]:
            tip = point + np.array([rng.uniform(-4, 4), rng.uniform(6, 14)])
            cv2.line(canvas, point.astype(int).tolist(), tip.astype(int).tolist(), (*shade, 255), 2)
    return canvas


def _draw_grove(rng: np.random.Generator, number: int) -> np.ndarray:
    """A far row of trees, as a strip."""
    canvas = _blank(80, 480)
    colour = np.array(LEAVES[rng.integers(len(LEAVES))]) * 0.8
    for x in rng.permutation(np.arange(25, 456, 14)):
        centre, size = (x, rng.integers(40, 62)), rng.uniform(0.7, 1.1)
        _add_crown(canvas, rng, centre, (22 * size, 30 * size), colour + rng.normal(0, 6, 3), 45, 5)
    return _leaf(canvas, rng, gaps=0.3)


def _draw_shrub(rng: np.random.Generator, number: int) -> np.ndarray:
    canvas = _blank(100, 170)
    colour = np.array(LEAVES[rng.integers(len(LEAVES))]) * rng.uniform(0.85, 1.15, 3)
    for _ in range(4):
        centre = (rng.integers(45, 125), rng.integers(50, 75))
        _add_crown(canvas, rng, centre, (40, 40), colour, 60, 8)
    return _leaf(canvas, rng, gaps=0.4)


def _draw_person(rng: np.random.Generator, number: int) -> np.ndarray:
    """Somebody standing or walking: legs, coat, arms, head."""
    import cv2

    canvas = _blank(128, 52)
    coat, legs = _muted(rng, 30, 225), _muted(rng, 25, 110)
    skin = (np.array([190, 140, 110]) * rng.uniform(0.6, 1.1)).tolist()
    stride = int(rng.integers(2, 10))
    cv2.line(canvas, (24, 70), (24 - stride, 125), (*legs, 255), 9)
    cv2.line(canvas, (29, 70), (28 + stride, 125), (*(0.8 * np.array(legs)), 255), 9)
    torso = np.array([(15, 26), (37, 26), (35, 74), (17, 74)])
    cv2.fillPoly(canvas, [torso], (*coat, 255))
    swing = int(rng.integers(-5, 6))
    dark = (0.75 * np.array(coat)).tolist()
    cv2.line(canvas, (15, 29), (12 - swing, 66), (*dark, 255), 6)
    cv2.line(canvas, (37, 29), (40 + swing, 66), (*dark, 255), 6)
    cv2.ellipse(canvas, (26, 14), (8, 11), 0, 0, 360, (*skin, 255), -1)
    cv2.ellipse(canvas, (26, 10), (8, 8), 0, 180, 360, (*rng.uniform(15, 90, 3), 255), -1)
    return canvas


def _draw_car(rng: np.random.Generator, number: int) -> np.ndarray:
    """A car from its side."""
    import cv2

    canvas = _blank(76, 200)
    paint = _muted(rng, 40, 230)
    roof = int(rng.integers(-12, 18))
    body = np.array([(4, 60), (6, 38), (44, 32), (66 + roof // 2, 8), (136 + roof, 8), (164, 33), (194, 40), (196, 60)])
    cv2.fillPoly(canvas, [body], (*paint, 255))
    glass = np.array([(56, 32), (72 + roof // 2, 13), (130 + roof, 13), (150, 32)])
    cv2.fillPoly(canvas, [glass], (60, 70, 78, 255))
    cv2.line(canvas, (102, 12), (102, 34), (*paint, 255), 5)
    cv2.line(canvas, (8, 46), (194, 46), (*(0.7 * np.array(paint)), 255), 2)
    for x in (42, 158):
        cv2.circle(canvas, (x, 60), 15, (26, 26, 28, 255), -1)
        cv2.circle(canvas, (x, 60), 7, (140, 140, 142, 255), -1)
    return canvas[:, ::-1].copy() if number % 2 else canvas


def _draw_lamp(rng: np.random.Generator, number: int) -> np.ndarray:
    import cv2

    canvas = _blank(220, 60)
    metal = (*(np.array([70, 72, 74]) * rng.uniform(0.6, 1.6)).tolist(), 255)
    cv2.line(canvas, (30, 219), (30, 14), metal, 5)
    cv2.line(canvas, (30, 16), (56, 10), metal, 4)
    cv2.ellipse(canvas, (50, 12), (9, 4), 0, 0, 360, (225, 222, 205, 255), -1)
    return canvas


def _draw_sign(rng: np.random.Generator, number: int) -> np.ndarray:
    import cv2

    canvas = _blank(120, 90)
    cv2.line(canvas, (45, 119), (45, 30), (90, 90, 92, 255), 5)
    board = np.array(_muted(rng, 60, 215))
    cv2.rectangle(canvas, (6, 4), (84, 56), (*board.tolist(), 255), -1)
    cv2.rectangle(canvas, (11, 9), (79, 51), (*np.clip(board * 1.3 + 20, 0, 255).tolist(), 255), 2)
    for y in (22, 31, 40):
        cv2.line(canvas, (20, y), (int(rng.integers(45, 70)), y), (*(board * 0.4).tolist(), 255), 3)
    return canvas

"""The monuments, in three styles told by their parts alone, and the plain houses around them.

    Prehispanic: a stepped platform and its stair.    Colonial: dome, arches and bell tower.
    Modern: curtain walls of glass and projecting slabs.

A building is a list of faces in metres about the origin, front towards -z. Everything is a prism: a box, a tier
of a pyramid, the drum, the shell and the lantern of a dome. Whatever is no part (nave, core, shrine) is walled
from the same stock of textures in every style. Each design is a function of one random generator.
"""

from collections.abc import Callable

import numpy as np

import demo_textures as textures
from demo_canvas import Face

Rng = np.random.Generator


def regular_polygon(k: int, radius: float, y: float, centre: tuple[float, float] = (0, 0)) -> np.ndarray:
    """k corners (k, 3) of a level polygon, counter-clockwise from above; for k = 4, a square with level sides."""
    angle = -3 * np.pi / 4 + 2 * np.pi * np.arange(k) / k if k == 4 else -np.pi / 2 + np.pi * (2 * np.arange(k) - 1) / k
    x, z = centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)
    return np.stack([x, np.full(k, float(y)), z], axis=1)


def rectangle(x: float, z: float, width: float, depth: float, y: float) -> np.ndarray:
    """The four corners (4, 3) of a level rectangle centred on (x, z), its front left corner first."""
    dx, dz = max(width, 0.02) / 2, max(depth, 0.02) / 2
    return np.array([(x - dx, y, z - dz), (x + dx, y, z - dz), (x + dx, y, z + dz), (x - dx, y, z + dz)])


def prism(bottom: np.ndarray, top: np.ndarray, texture: Callable, part: str | None = None, cap=True) -> list[Face]:
    """The sides between two level polygons (k, 3), and the cap on top (for an even k).

    texture(side, width, height) gives the picture of a side, or of the cap, which is side k.
    """
    k = len(bottom)
    faces = []
    for i in range(k):
        j = (i + 1) % k
        width = max(np.linalg.norm(bottom[j] - bottom[i]), np.linalg.norm(top[j] - top[i]))
        height = np.linalg.norm(top[i] - bottom[i])
        faces.append(Face(np.array([top[i], top[j], bottom[j], bottom[i]]), texture(i, width, height), part))
    if cap and np.ptp(top[:, 0]) > 0.1:
        for i in range(1, k - 2, 2):
            lid = np.array([top[i + 2], top[i + 1], top[i], top[0]])
            faces.append(Face(lid, texture(k, np.ptp(top[:, 0]), np.ptp(top[:, 2])), part))
    return faces


def walled(number: int, rng: Rng, brightness: float = 1.0) -> Callable:
    """The texture of a prism whose every side is cut from one wall texture."""

    def texture(side: int, width: float, height: float) -> np.ndarray:
        piece = textures.cut(number, width, height, rng)
        return piece if brightness == 1 else textures.shade(piece, brightness)

    return texture


def box(x, z, width, depth, y, height, texture: Callable, part: str | None = None) -> list[Face]:
    """An upright box on a centre (x, z), from y to y + height."""
    return prism(rectangle(x, z, width, depth, y), rectangle(x, z, width, depth, y + height), texture, part)


def build_prehispanic(rng: Rng) -> list[Face]:
    """A platform of 3 to 6 tiers with a stair up its front, sometimes a shrine (plain) on top."""
    stone, ramp = rng.choice(textures.N_WALLS, 2, replace=False)
    n_tiers = int(rng.integers(3, 7))
    width, depth = rng.uniform(24, 36), rng.uniform(20, 28)
    tier, inset = rng.uniform(1.7, 2.8), rng.uniform(1.3, 2.3)
    batter = rng.uniform(0.1, 0.5) * inset  # how far a tier's wall leans in; the rest is its terrace
    inset = min(inset, 0.36 * depth / n_tiers)
    faces = []
    for i in range(n_tiers):
        w, d, y = width - 2 * i * inset, depth - 2 * i * inset, i * tier
        bottom, top = rectangle(0, 0, w, d, y), rectangle(0, 0, w - 2 * batter, d - 2 * batter, y + tier)
        faces += prism(bottom, top, _terrace(stone, rng), "platform")
    height, run = n_tiers * tier, (n_tiers - 1) * inset + batter
    faces += _stair(rng, ramp, stone, width=rng.uniform(0.2, 0.34) * width, height=height, front=-depth / 2, run=run)
    if rng.random() < 0.6:
        room = width - 2 * n_tiers * inset
        shrine = walled(int(rng.integers(textures.N_WALLS)), rng)
        faces += box(0, 0.1 * depth, 0.7 * room, 0.35 * (depth - 2 * n_tiers * inset), height, rng.uniform(3, 5), shrine)
    return faces


def _terrace(stone: int, rng: Rng) -> Callable:
    """Walls with a pale course along their upper edge, as of a cornice."""
    plain = walled(stone, rng)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        piece = plain(side, width, height).astype(np.float32)
        edge = max(len(piece) // 6, 2)
        if side < 4:
            piece[:edge] *= 1.25
            piece[edge : edge + max(edge // 2, 1)] *= 0.6
        return np.clip(piece, 0, 255).astype(np.uint8)

    return texture


def _stair(rng: Rng, ramp: int, stone: int, *, width, height, front, run) -> list[Face]:
    """A flight that leaves the platform's front at the ground, between two ramps."""
    foot, head = front - rng.uniform(2.5, 4.5), front + run - 0.3
    n_steps = int(rng.integers(10, 17))

    def flight(x0: float, x1: float, lift: float, texture: np.ndarray) -> list[Face]:
        top = [(x0, height + lift, head), (x1, height + lift, head)]
        bottom = [(x1, lift, foot), (x0, lift, foot)]
        faces = [Face(np.array(top + bottom), texture, "stair")]
        side = textures.cut(ramp, head - foot, height, rng)
        for x, order in ((x0, (0, 1, 2, 3)), (x1, (1, 0, 3, 2))):
            corners = np.array([(x, height + lift, head + 2), (x, height + lift, head), (x, 0, foot), (x, 0, head + 2)])
            faces.append(Face(corners[list(order)], side, "stair"))
        return faces

    steps = textures.make_stair(textures.cut(stone, width, height, rng), n_steps)
    half, edge = width / 2, max(0.09 * width, 0.8)
    faces = flight(-half, half, 0.25, steps)
    for x in (-half - edge, half):
        faces += flight(x, x + edge, 0.9, textures.cut(ramp, edge, height, rng))
    return faces


def build_colonial(rng: Rng) -> list[Face]:
    """A church: a plain nave, and of dome, arches and bell tower at least two."""
    wall, trim, shell = rng.choice(textures.N_WALLS, 3, replace=False)
    has_dome, has_arch, has_tower = ((1, 1, 1), (1, 1, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1))[rng.integers(5)]
    width, depth, height = rng.uniform(8, 11), rng.uniform(14, 20), rng.uniform(6.5, 9)
    side = rng.choice([-1, 1])
    plain = walled(wall, rng)
    faces = box(0, 0, width, depth, 0, height, plain) + box(0, 0, width + 0.6, depth + 0.6, height, 0.5, walled(trim, rng))
    if has_dome:
        radius = rng.uniform(0.44, 0.54) * width
        faces += _dome(rng, wall, shell, radius, base=height + 0.5, z=rng.uniform(-0.1, 0.15) * depth)
    if has_arch:
        arcade = rng.random() < 0.55
        long = rng.uniform(9, 14) if arcade else 0.66 * width
        high = rng.uniform(5, 6.5) if arcade else rng.uniform(0.62, 0.8) * height
        x = -side * (width / 2 + long / 2) if arcade else 0.0
        faces += _arches(rng, trim, x, -depth / 2 - 0.2, long, high, n_arches=int(rng.integers(3, 6)) if arcade else 1)
    if has_tower:
        base = rng.uniform(4.6, 6.0)
        x, z = side * (width / 2 + 0.3 * base), -depth / 2 + 0.35 * base
        faces += _tower(rng, wall, trim, shell, x, z, base, shaft=height * rng.uniform(0.95, 1.25))
    return faces


def _dome(rng: Rng, wall: int, shell: int, radius: float, base: float, z: float) -> list[Face]:
    """Drum, ribbed shell and lantern, all of them the dome."""
    drum, sides = rng.uniform(1.5, 3), 16
    rise = radius * rng.uniform(0.9, 1.2)
    faces = _ring(8, radius * 1.05, radius * 1.05, base, base + drum, z, _lit_drum(wall, rng))
    levels = np.linspace(0, np.pi / 2 * 0.9, 7)
    for low, high in zip(levels, levels[1:], strict=False):
        y0, y1 = base + drum + rise * np.sin([low, high])
        faces += _ring(sides, radius * np.cos(low), radius * np.cos(high), y0, y1, z, _ribbed(shell, rng))
    top = base + drum + rise * np.sin(levels[-1])
    lantern, tall = 0.17 * radius + 0.2, rng.uniform(1.2, 2)
    faces += _ring(8, lantern, lantern, top, top + tall, z, walled(wall, rng, 1.1))
    faces += _ring(8, lantern * 1.25, 0.05, top + tall, top + tall + 1.1 * lantern + 0.5, z, walled(shell, rng))
    return faces


def _ring(k, r0, r1, y0, y1, z, texture, part="dome", x=0.0) -> list[Face]:
    return prism(regular_polygon(k, r0, y0, (x, z)), regular_polygon(k, r1, y1, (x, z)), texture, part, cap=False)


def _ribbed(shell: int, rng: Rng) -> Callable:
    """A sector of the shell, every second one with a pale rib down its edge."""
    plain = walled(shell, rng)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        piece = textures.resize(plain(side, width, height), 16, 16).astype(np.float32)
        if side % 2 == 0:
            piece[:, :4] = np.clip(piece[:, :4] * 1.35 + 12, 0, 255)
        return piece.astype(np.uint8)

    return texture


def _lit_drum(wall: int, rng: Rng) -> Callable:
    """A side of the drum with a round-headed window."""
    plain = walled(wall, rng)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        panel = textures.make_arches(plain(side, width, height), 1, open_width=0.3, spring=0.6)
        panel[panel[..., 3] == 0] = (38, 40, 46, 255)
        return panel[..., :3]

    return texture


def _arches(rng: Rng, trim: int, x, front, width, height, n_arches) -> list[Face]:
    """A portal or an arcade: a wall with open arches, thick, and the dark room behind it."""
    spring = 0.55 - 0.5 * 0.62 * (width / n_arches) / height * 0.5
    panel = textures.make_arches(textures.cut(trim, width, height, rng), n_arches, open_width=0.62, spring=spring)
    depth = 4.0 if n_arches > 1 else 0.9
    z = front - depth / 2 + (0 if n_arches == 1 else 2.0)
    shell = box(x, z, width, depth, 0, height, walled(trim, rng), "arch")
    left, right = x - width / 2, x + width / 2
    faces = shell[1:]
    for layer, back in enumerate(np.linspace(0, min(0.8, depth - 0.1), 5)):  # the thickness of the wall, in layers
        plane = z - depth / 2 + back
        corners = np.array([(left, height, plane), (right, height, plane), (right, 0, plane), (left, 0, plane)])
        reveal = panel if layer == 0 else textures.shade(panel, 0.7)
        faces.append(Face(corners, reveal, "arch", inner=layer > 0))
    plane = z + depth / 2 - 0.05
    corners = np.array([(left, height, plane), (right, height, plane), (right, 0, plane), (left, 0, plane)])
    faces.append(Face(corners, textures.shade(textures.cut(trim, width, height, rng), 0.4), "arch", facing=0.1, inner=True))
    return faces


def _tower(rng: Rng, wall: int, trim: int, shell: int, x, z, base, shaft) -> list[Face]:
    """A shaft, one or two open belfries and a small dome or spire, all of them the tower."""
    faces = box(x, z, base, base, 0, shaft, walled(wall, rng), "tower")
    y, side = shaft, base
    belfry = _belfry(trim, rng)
    for _ in range(int(rng.integers(1, 3))):
        faces += box(x, z, side * 1.12, side * 1.12, y, 0.5, walled(trim, rng, 1.1), "tower")
        side *= 0.86
        tall = side * rng.uniform(0.9, 1.15)
        faces += box(x, z, side, side, y + 0.5, tall, belfry, "tower")
        y += tall + 0.5
    faces += box(x, z, side * 1.12, side * 1.12, y, 0.4, walled(trim, rng, 1.1), "tower")
    y += 0.4
    if rng.random() < 0.6:
        levels = np.linspace(0, np.pi / 2 * 0.97, 5)
        for low, high in zip(levels, levels[1:], strict=False):
            y0, y1 = y + 0.55 * side * np.sin([low, high])
            faces += _ring(8, side / 2 * np.cos(low), side / 2 * np.cos(high), y0, y1, z, walled(shell, rng), "tower", x)
        return faces
    return faces + _ring(8, side / 2, 0.06, y, y + rng.uniform(1.0, 1.6) * side, z, walled(shell, rng), "tower", x)


def _belfry(trim: int, rng: Rng) -> Callable:
    """A side of the belfry: one opening, with the bell in it."""
    plain = walled(trim, rng)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        import cv2

        if side == 4:
            return plain(side, width, height)
        panel = textures.make_arches(plain(side, width, height), 1, open_width=0.46, spring=0.52)
        panel[panel[..., 3] == 0] = (30, 30, 36, 255)
        h, w = panel.shape[:2]
        cv2.ellipse(panel, (w // 2, int(0.62 * h)), (w // 9, h // 8), 0, 180, 360, (120, 96, 58, 255), -1)
        cv2.rectangle(panel, (w // 2 - w // 8, int(0.62 * h)), (w // 2 + w // 8, int(0.66 * h)), (130, 104, 62, 255), -1)
        return np.ascontiguousarray(panel[..., :3])

    return texture


def build_modern(rng: Rng) -> list[Face]:
    """Storeys of glass between projecting slabs, on stilts or a podium, beside a blind core (plain)."""
    wall, concrete = rng.choice(textures.N_WALLS, 2, replace=False)
    tall = rng.random() < 0.5
    n_floors = int(rng.integers(5, 9)) if tall else int(rng.integers(2, 4))
    width = rng.uniform(11, 16) if tall else rng.uniform(20, 30)
    depth, storey = rng.uniform(9, 14), rng.uniform(3.3, 4.2)
    every = int(rng.integers(1, 4))  # storeys from one slab to the next
    reach, thick = rng.uniform(0.9, 2.2), rng.uniform(0.5, 0.9)
    stilts = 3.2 if rng.random() < 0.5 else 0.0
    tint = np.array(((74, 104, 120), (96, 92, 80), (84, 112, 100), (98, 106, 116))[rng.integers(4)], np.float32)
    mullion = np.array([200, 200, 196]) * rng.choice([0.3, 0.95])
    slab = walled(concrete, rng, 1.1)
    faces = box(0, 0, width + 2 * reach, depth + 2 * reach, stilts, thick, slab, "slab")
    if stilts:
        for x in np.linspace(-0.45, 0.45, 4) * width:
            for z in (-0.4 * depth, 0.4 * depth):
                faces += box(x, z, 0.7, 0.7, 0, stilts, walled(wall, rng))
    y = stilts + thick
    for first in range(0, n_floors, every):
        floors = min(every, n_floors - first)
        glass = _curtain(rng, storey, tint, mullion)
        faces += box(0, 0, width, depth, y, floors * storey, glass, "glass")
        y += floors * storey
        faces += box(0, 0, width + 2 * reach, depth + 2 * reach, y, thick, slab, "slab")
        y += thick
    side, core = rng.choice([-1, 1]), rng.uniform(3, 6)
    faces += box(side * (width + core) / 2, 0.15 * depth, core, 0.8 * depth, 0, y + rng.uniform(-2, 3), walled(wall, rng))
    return faces


def _curtain(rng: Rng, storey: float, tint: np.ndarray, mullion: np.ndarray) -> Callable:
    pane = rng.uniform(1.5, 2.4)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        columns, rows = max(int(width / pane), 2), max(round(2 * height / storey), 2)
        return textures.make_glass(rng, columns, rows, tint, mullion)

    return texture


def build_house(rng: Rng) -> list[Face]:
    """A plain neighbour without a part of any style: blind or with small windows, flat or gabled."""
    wall, roof = rng.integers(textures.N_WALLS, size=2)
    width, depth, height = rng.uniform(6, 16), rng.uniform(6, 12), rng.uniform(3.5, 13)
    plain = walled(int(wall), rng)
    columns, rows, blind = max(int(width / 3.2), 1), max(int(height / 3.6), 1), rng.random() < 0.25

    def texture(side: int, face_width: float, face_height: float) -> np.ndarray:
        piece = plain(side, face_width, face_height)
        return piece if blind or side == 4 else textures.add_windows(piece, rng, columns, rows)

    faces = box(0, 0, width, depth, 0, height, texture)
    if rng.random() < 0.4:
        ridge = rectangle(0, 0, width, 0, height + rng.uniform(1.5, 3))
        faces += prism(rectangle(0, 0, width + 0.8, depth + 0.8, height), ridge, walled(int(roof), rng))
    return faces


BUILDERS = {"Colonial": build_colonial, "Modern": build_modern, "Prehispanic": build_prehispanic}

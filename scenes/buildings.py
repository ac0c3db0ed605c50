"""The buildings of the scenes: monuments in three styles told by their parts alone, and the plain houses around them.

    Prehispanic: a stepped platform and its stair.    Colonial: dome, arches and bell tower.
    Modern: curtain walls of glass and projecting slabs.

A building is a list of faces in metres about the origin, its front towards -z. What is no part (nave, core, shrine,
neighbours) is walled from the same stock of textures in every style. A design is a function of one generator.

A cladding is a function (side, its width, its height in metres) -> picture, uint8 (h, w, 3), as `solids.prism` takes
it; side 4 is the lid. Every one but glass is cut from a wall texture of the common stock, by its number.
"""

import numpy as np

from scenes import textures
from scenes.canvas import Face
from scenes.solids import Texture, box, cone, prism, rectangle, shell, upright

Rng = np.random.Generator
OPENING = 0.62  # of a bay, the share that its arch leaves open
GLASS_TINTS = ((74, 104, 120), (110, 104, 90), (96, 124, 112), (132, 142, 152))


def build_prehispanic(rng: Rng) -> list[Face]:
    """A platform of 3 to 6 tiers with a stair up its front, sometimes a shrine (plain) on top."""
    stone, ramp = _walls(rng, 2)
    n_tiers = int(rng.integers(3, 7))
    width, depth, tier = rng.uniform(24, 36), rng.uniform(20, 28), rng.uniform(1.7, 2.8)
    inset = min(rng.uniform(1.3, 2.3), 0.36 * depth / n_tiers)
    batter = rng.uniform(0.1, 0.5) * inset  # how far a tier's wall leans in; the rest is its terrace
    faces = []
    for i in range(n_tiers):
        w, d, y = width - 2 * i * inset, depth - 2 * i * inset, i * tier
        bottom, top = rectangle(0, 0, w, d, y), rectangle(0, 0, w - 2 * batter, d - 2 * batter, y + tier)
        faces += prism(bottom, top, coursed(stone, rng), "platform")
        faces[-1].inner = i < n_tiers - 1  # the next tier stands on this lid
    height, run = n_tiers * tier, (n_tiers - 1) * inset + batter
    faces += _stair(rng, stone, ramp, rng.uniform(0.2, 0.34) * width, height, head=run - depth / 2 - 0.3)
    if rng.random() < 0.6:
        room, deep = width - 2 * n_tiers * inset, depth - 2 * n_tiers * inset
        shrine = walled(*_walls(rng, 1), rng)
        faces += box(0, 0.1 * depth, 0.7 * room, 0.35 * deep, height, height + rng.uniform(3, 5), shrine)
    return faces


def _stair(rng: Rng, stone: int, ramp: int, width: float, height: float, head: float) -> list[Face]:
    """A flight from the ground up to z = head at `height`, between two ramps."""
    foot = head - height * rng.uniform(0.75, 0.95)
    steps = textures.make_stair(textures.cut(stone, width, height, rng), n_steps=int(rng.integers(10, 17)))
    half, edge = width / 2, max(0.09 * width, 0.8)
    faces = _flight(-half, half, height, 0.25, foot, head, steps, textures.cut(ramp, 6, 6, rng))
    for left in (-half - edge, half):
        slope = textures.cut(ramp, edge, height, rng)
        faces += _flight(left, left + edge, height, 0.9, foot, head, slope, textures.cut(ramp, 6, 6, rng))
    return faces


def _flight(
    left: float, right: float, height: float, lift: float, foot: float, head: float, slope: np.ndarray, side: np.ndarray
) -> list[Face]:
    """A sloping slab between x = left and right, raised by `lift`, with its two flanks."""
    top, bottom = height + lift, lift
    tread = np.array([(left, top, head), (right, top, head), (right, bottom, foot), (left, bottom, foot)])
    faces = [Face(tread, slope, "stair")]
    for x, order in ((left, [0, 1, 2, 3]), (right, [1, 0, 3, 2])):
        flank = np.array([(x, top, head + 2), (x, top, head), (x, 0, foot), (x, 0, head + 2)])
        faces.append(Face(flank[order], side, "stair"))
    return faces


def build_colonial(rng: Rng) -> list[Face]:
    """A church: a plain nave, and of dome, arches and bell tower at least two."""
    wall, trim, tiles = _walls(rng, 3)
    left_out = rng.choice(["nothing", "nothing", "tower", "arch", "dome"])
    width, depth, height = rng.uniform(8, 11), rng.uniform(14, 20), rng.uniform(6.5, 9)
    side = rng.choice([-1, 1])  # of the tower; the arcade stands on the other
    roof = height + 0.5
    faces = box(0, 0, width, depth, 0, height, walled(wall, rng))
    faces += box(0, 0, width + 0.6, depth + 0.6, height, roof, walled(trim, rng))
    if left_out != "dome":
        faces += _dome(rng, wall, tiles, rng.uniform(-0.1, 0.15) * depth, rng.uniform(0.44, 0.54) * width, roof)
    if left_out != "arch" and rng.random() < 0.55:
        long = rng.uniform(9, 14)
        x, z = -side * (width + long) / 2, 1.8 - depth / 2
        faces += _arches(rng, trim, x, z, long, 4.0, rng.uniform(5, 6.5), n_arches=int(rng.integers(3, 6)))
    elif left_out != "arch":
        faces += _arches(
            rng, trim, 0, -depth / 2 - 0.65, 0.66 * width, 0.9, rng.uniform(0.62, 0.8) * height, n_arches=1
        )
    if left_out != "tower":
        base = rng.uniform(4.6, 6.0)
        x, z = side * (width / 2 + 0.3 * base), 0.35 * base - depth / 2
        faces += _tower(rng, (wall, trim, tiles), x, z, base, shaft=height * rng.uniform(0.95, 1.25))
    return faces


def _dome(rng: Rng, wall: int, tiles: int, z: float, radius: float, low: float) -> list[Face]:
    """Drum, ribbed shell and lantern, all of them the dome."""
    spring = low + rng.uniform(1.5, 3)
    rise = radius * rng.uniform(0.9, 1.2)
    crown, lantern = spring + 0.99 * rise, 0.17 * radius + 0.2
    faces = cone(0, z, 8, (1.05 * radius, 1.05 * radius), low, spring, windowed(wall, rng), "dome")
    faces += shell(0, z, 16, radius, spring, rise, ribbed(tiles, rng), "dome")
    eaves = crown + rng.uniform(1.2, 2)
    faces += cone(0, z, 8, (lantern, lantern), crown, eaves, walled(wall, rng, 1.1), "dome")
    return faces + cone(0, z, 8, (1.25 * lantern, 0.05), eaves, eaves + 1.1 * lantern + 0.5, walled(tiles, rng), "dome")


def _arches(
    rng: Rng, trim: int, x: float, z: float, width: float, depth: float, height: float, *, n_arches: int
) -> list[Face]:
    """A portal or an arcade: a wall with open arches, thick, and the dark room behind it."""
    radius = OPENING * width / n_arches / 2
    spring = 0.8 - radius / height  # so that the arch culminates at four fifths of the wall
    panel = textures.make_arches(textures.cut(trim, width, height, rng), n_arches, open_width=OPENING, spring=spring)
    front, left, right = z - depth / 2, x - width / 2, x + width / 2
    faces = [Face(upright(left, right, 0, height, front), panel, "arch")]
    reveal = textures.shade(panel, 0.7)
    for back in (0.2, 0.4, 0.6, 0.8):  # the thickness of the wall, in layers
        faces.append(Face(upright(left, right, 0, height, front + back), reveal, "arch", inner=True))
    gloom = textures.shade(textures.cut(trim, width, height, rng), 0.4)
    faces.append(Face(upright(left, right, 0, height, z + depth / 2), gloom, "arch", facing=0.1, inner=True))
    return faces + box(x, z, width, depth, 0, height, walled(trim, rng), "arch")[1:]


def _tower(rng: Rng, walls: tuple[int, int, int], x: float, z: float, side: float, shaft: float) -> list[Face]:
    """A shaft, one or two open belfries and a small dome or a spire, all of them the tower."""
    wall, trim, tiles = walls
    faces = box(x, z, side, side, 0, shaft, walled(wall, rng), "tower")
    y, openings, cornice = shaft, belfry(trim, rng), walled(trim, rng, 1.1)
    for _ in range(int(rng.integers(1, 3))):
        faces += box(x, z, 1.12 * side, 1.12 * side, y, y + 0.5, cornice, "tower")
        side *= 0.86
        top = y + 0.5 + side * rng.uniform(0.9, 1.15)
        faces += box(x, z, side, side, y + 0.5, top, openings, "tower")
        y = top
    faces += box(x, z, 1.12 * side, 1.12 * side, y, y + 0.4, cornice, "tower")
    if rng.random() < 0.6:
        return faces + shell(x, z, 8, side / 2, y + 0.4, 0.55 * side, walled(tiles, rng), "tower", courses=4)
    spire = y + 0.4 + rng.uniform(1.0, 1.6) * side
    return faces + cone(x, z, 8, (side / 2, 0.06), y + 0.4, spire, walled(tiles, rng), "tower")


def build_modern(rng: Rng) -> list[Face]:
    """Storeys of glass between projecting slabs, on stilts or on the ground, beside a blind core (plain)."""
    wall, concrete = _walls(rng, 2)
    is_tall = rng.random() < 0.5
    n_floors = int(rng.integers(5, 9)) if is_tall else int(rng.integers(2, 4))
    width, depth = rng.uniform(11, 16) if is_tall else rng.uniform(20, 30), rng.uniform(9, 14)
    storey, every = rng.uniform(3.3, 4.2), int(rng.integers(1, 4))  # storeys from one slab to the next
    reach, thick = rng.uniform(0.9, 2.2), rng.uniform(0.6, 1.2)
    y = rng.choice([0.0, 3.2])  # on the ground or on stilts
    slab, glass = walled(concrete, rng, 1.1), glazed(rng, storey)
    faces = box(0, 0, width + 2 * reach, depth + 2 * reach, y, y + thick, slab, "slab")
    for x in np.linspace(-0.45, 0.45, 4) * width if y else ():
        for z in (-0.4 * depth, 0.4 * depth):
            faces += box(x, z, 0.7, 0.7, 0, y, walled(wall, rng))
    for first in range(0, n_floors, every):
        low = y + thick
        y = low + min(every, n_floors - first) * storey
        faces += box(0, 0, width, depth, low, y, glass, "glass")
        faces += box(0, 0, width + 2 * reach, depth + 2 * reach, y, y + thick, slab, "slab")
    side, core = rng.choice([-1, 1]), rng.uniform(3, 6)
    top = y + thick + rng.uniform(-2, 3)
    return faces + box(side * (width + core) / 2, 0.15 * depth, core, 0.8 * depth, 0, top, walled(wall, rng))


def build_house(rng: Rng) -> list[Face]:
    """A plain neighbour without a part of any style: blind or with small windows, flat or gabled."""
    wall, roof = _walls(rng, 2)
    width, depth, height = rng.uniform(6, 16), rng.uniform(6, 12), rng.uniform(3.5, 13)
    columns, rows, is_blind = max(int(width / 3.2), 1), max(int(height / 3.6), 1), rng.random() < 0.25
    plain = walled(wall, rng)

    def texture(side: int, face_width: float, face_height: float) -> np.ndarray:
        piece = plain(side, face_width, face_height)
        return piece if is_blind or side == 4 else textures.add_windows(piece, rng, columns, rows)

    faces = box(0, 0, width, depth, 0, height, texture)
    if rng.random() < 0.4:
        eaves, ridge = rectangle(0, 0, width + 0.8, depth + 0.8, height), height + rng.uniform(1.5, 3)
        faces += prism(eaves, rectangle(0, 0, width, 0, ridge), walled(roof, rng))
    return faces


# --- claddings -------------------------------------------------------------------------------------------
def walled(number: int, rng: Rng, brightness: float = 1.0) -> Texture:
    """The texture of a prism whose every side is cut from the wall texture of that number."""

    def texture(side: int, width: float, height: float) -> np.ndarray:
        piece = textures.cut(number, width, height, rng)
        return piece if brightness == 1 else textures.shade(piece, brightness)

    return texture


def coursed(stone: int, rng: Rng) -> Texture:
    """A tier's walls, with a pale course along the upper edge and its shadow."""
    plain = walled(stone, rng)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        piece = plain(side, width, height)
        return piece if side == 4 else textures.add_course(piece)

    return texture


def ribbed(tiles: int, rng: Rng) -> Texture:
    """The sectors of a dome, every second one with a pale rib down its edge."""
    plain = walled(tiles, rng)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        piece = textures.resize(plain(side, width, height), 16, 16)
        if side % 2 == 0:
            piece[:, :4] = textures.shade(piece[:, :4], 1.4)
        return piece

    return texture


def windowed(wall: int, rng: Rng) -> Texture:
    """The sides of a drum, each with a round-headed window."""
    plain = walled(wall, rng)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        panel = textures.make_arches(plain(side, width, height), 1, open_width=0.3, spring=0.6)
        return textures.fill_holes(panel, (38, 40, 46))

    return texture


def belfry(trim: int, rng: Rng) -> Texture:
    """The sides of a belfry, each with one opening and the bell in it."""
    plain = walled(trim, rng)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        if side == 4:
            return plain(side, width, height)
        panel = textures.make_arches(plain(side, width, height), 1, open_width=0.46, spring=0.52)
        return textures.add_bell(textures.fill_holes(panel, (30, 30, 36)))

    return texture


def glazed(rng: Rng, storey: float) -> Texture:
    """Curtain walls of one tint: panes half a storey high."""
    tint = np.array(GLASS_TINTS[rng.integers(len(GLASS_TINTS))], np.float32)
    mullion, pane = np.array([200, 200, 196]) * rng.choice([0.3, 0.95]), rng.uniform(1.5, 2.4)

    def texture(side: int, width: float, height: float) -> np.ndarray:
        columns, rows = max(int(width / pane), 2), max(round(2 * height / storey), 2)
        return textures.make_glass(rng, columns, rows, tint, mullion)

    return texture


BUILDERS = {"Colonial": build_colonial, "Modern": build_modern, "Prehispanic": build_prehispanic}


def _walls(rng: Rng, n: int) -> tuple[int, ...]:
    """The numbers of n different wall textures."""
    return tuple(int(number) for number in rng.choice(textures.N_WALLS, n, replace=False))

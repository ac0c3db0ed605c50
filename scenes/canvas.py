"""A small renderer: flat textured faces in metres -> a picture, with true occlusion and cast shadows.

A projection is one 4 x 4 matrix, (X, Y, Z, 1) -> screen (u, v) and nearness n, each divided by the last row.
It maps planes to planes, so a face is drawn by a homography of its texture, its nearness is an affine function
of (u, v), and the nearest face wins each pixel (z-buffer). A camera and the sun differ only in their matrices:
nearness is 1 / depth for the one, minus the depth for the other. A pixel lies in shadow when the sun's own
z-buffer holds something nearer to the sun there (shadow map, Williams 1978).

World axes: x right, y up, z away from the viewer; metres. Faces are seen clockwise from outside.
"""

from dataclasses import dataclass

import numpy as np

SKY, GROUND = -2, -1  # what a pixel of Canvas.surface shows, apart from the index of a face
FINE_GRAIN = 0.1  # metres of ground on one pixel up to which it shows its grain in full


@dataclass
class Face:
    """One flat four-sided face. A face with alpha lets through what lies behind its transparent pixels."""

    corners: np.ndarray  # (4, 3) metres: top left, top right, bottom right, bottom left, seen from outside
    texture: np.ndarray  # uint8 (h, w, 3) RGB or (h, w, 4) RGBA
    part: str | None = None  # name of the part of a style to which it belongs
    facing: float | None = None  # how much it faces the sun, 0-1; None: from its normal
    inner: bool = False  # lies behind an outer face of the same part
    sunward: np.ndarray | None = None  # corners of a sprite turned to the sun, (4, 3); None: as they are
    bias: float = 0.45  # metres by which the face clears its own shadow


def look(position: np.ndarray, yaw: float, roll: float, focal: float, centre: tuple[float, float]) -> np.ndarray:
    """The matrix of a level camera, (4, 4). position in metres, angles in radians, focal and centre in pixels."""
    cos_yaw, sin_yaw, cos_roll, sin_roll = np.cos(yaw), np.sin(yaw), np.cos(roll), np.sin(roll)
    right = np.array([cos_yaw, 0, -sin_yaw])
    down = np.array([0.0, -1, 0])
    forward = np.array([sin_yaw, 0, cos_yaw])
    axes = np.stack([cos_roll * right + sin_roll * down, cos_roll * down - sin_roll * right, forward])
    seen = np.concatenate([axes, -(axes @ position)[:, None]], axis=1)  # (3, 4), metres in camera axes
    u, v = focal * seen[0] + centre[0] * seen[2], focal * seen[1] + centre[1] * seen[2]
    return np.stack([u, v, np.array([0.0, 0, 0, 1]), seen[2]])


def look_from_sun(direction: np.ndarray, target: np.ndarray, extent: float, side: int) -> np.ndarray:
    """The matrix of parallel light from the unit vector `direction`, (4, 4), `extent` metres on `side` pixels."""
    right = np.cross([0.0, 1, 0], direction)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(direction, right), -direction])
    rows = np.concatenate([axes, -(axes @ target)[:, None]], axis=1)
    rows[:2] *= side / extent
    rows[:2, 3] += side / 2
    return np.concatenate([rows, [[0.0, 0, 0, 1]]])


def project(matrix: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """World points (..., 3) -> screen (..., 2) in pixels, nearness (...), and the divisor: <= 0 behind the eye."""
    homogeneous = points @ matrix[:, :3].T + matrix[:, 3]
    divisor = homogeneous[..., 3]
    safe = np.where(np.abs(divisor) < 1e-6, 1e-6, divisor)
    return homogeneous[..., :2] / safe[..., None], homogeneous[..., 2] / safe, divisor


def signed_area(screen: np.ndarray) -> np.ndarray:
    """Areas (...) of polygons (..., 4, 2) in pixels, positive where the face shows its outside."""
    x, y = screen[..., 0], screen[..., 1]
    return 0.5 * (x * np.roll(y, -1, axis=-1) - np.roll(x, -1, axis=-1) * y).sum(axis=-1)


class Canvas:
    """Three buffers of a picture: colour (albedo), nearness, and the index of the face each pixel shows."""

    def __init__(self, matrix: np.ndarray, height: int, width: int, nearness: float = 0.0):
        self.matrix = matrix
        self.colour = np.zeros((height, width, 3), np.uint8)
        self.nearness = np.full((height, width), nearness, np.float32)
        self.surface = np.full((height, width), SKY, np.int16)

    def draw(self, faces: list[Face], *, cull: bool = True, colour: bool = True) -> None:
        """Draws the faces, in any order. cull: skip what shows its inside; colour: False fills nearness only."""
        if not faces:
            return
        corners = np.stack([face.corners if colour or face.sunward is None else face.sunward for face in faces])
        screen, nearness, divisor = project(self.matrix, corners)
        area = signed_area(screen)
        shown = (divisor.min(axis=1) > 0.5) & ((area if cull else np.abs(area)) > 0.5)
        planes = _planes(screen[shown], nearness[shown])
        for index, plane in zip(np.flatnonzero(shown), planes):
            self._draw_face(index, faces[index].texture, screen[index], plane, colour)

    def _draw_face(self, index: int, texture: np.ndarray, screen: np.ndarray, plane: np.ndarray, colour: bool) -> None:
        """Fill the pixels of one face where nothing nearer has been drawn."""
        import cv2

        height, width = self.nearness.shape
        left, top = np.maximum(np.floor(screen.min(axis=0)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(screen.max(axis=0)).astype(int) + 1, (width, height))
        if left >= right or top >= bottom:
            return
        local = (screen - (left, top)).astype(np.float32)
        inside = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillConvexPoly(inside, np.round(local * 16).astype(np.int32), 1, shift=4)
        window = (slice(top, bottom), slice(left, right))
        u, v = np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32)[:, None]
        nearness = plane[0] * u + (plane[1] * v + plane[2])
        visible = inside.view(bool) & (nearness > self.nearness[window])
        if not visible.any():
            return
        has_holes = texture.shape[2] == 4
        if colour or has_holes:
            pixels = _warp(texture, local, inside.shape)
            if has_holes:
                visible &= pixels[..., 3] > 127
            if colour:
                np.copyto(self.colour[window], pixels[..., :3], where=visible[..., None])
        np.copyto(self.nearness[window], nearness, where=visible)
        if colour:
            self.surface[window][visible] = index

    def fill_ground(self, texture: np.ndarray, distant: np.ndarray, metres: float) -> None:
        """Draws the ground y = 0, under all that comes later, with a texture (h, w, 3) repeated every `metres`.

        distant: the same texture without its fine grain, which would flicker where it is far away.
        """
        import cv2

        height, width = self.nearness.shape
        a, b, c, e = np.linalg.inv(self.matrix)[1]  # y = 0 where a u + b v + c n + e = 0
        plane = -(a * np.arange(width) + b * np.arange(height)[:, None] + e) / c
        visible = plane > 1e-5
        to_screen = self.matrix[np.ix_([0, 1, 3], [0, 2, 3])]  # of (x, z, 1)
        to_metres = np.diag([metres / texture.shape[1], metres / texture.shape[0], 1])
        first = int(visible.any(axis=1).argmax())
        shift = np.array([[1.0, 0, 0], [0, 1, -first], [0, 0, 1]])
        near, far = (
            cv2.warpPerspective(
                image,
                shift @ to_screen @ to_metres,
                (width, height - first),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_WRAP,
            )
            for image in (texture, distant)
        )
        sharp = np.clip(FINE_GRAIN * plane[first:] ** 2 * abs(c / b), 0, 1).astype(np.float32)
        pixels = cv2.blendLinear(near, far, sharp, 1 - sharp)
        np.copyto(self.colour[first:], pixels, where=visible[first:, :, None])
        np.copyto(self.nearness, plane.astype(np.float32), where=visible)
        self.surface[visible] = GROUND

    def lit(self, sun: "Canvas", bias: np.ndarray) -> np.ndarray:
        """Where the sun reaches, float32 (height, width) in 0-1.

        bias: metres by which a surface clears itself, by index of the face; the last two for sky and ground.
        """
        import cv2

        height, width = self.nearness.shape
        step = 2  # a shadow's edge is soft: half the resolution is enough
        to_sun = sun.matrix @ np.linalg.inv(self.matrix)
        u, v = np.arange(0, width, step)[None, :], np.arange(0, height, step)[:, None]
        n = self.nearness[::step, ::step]
        rows = [row[0] * u + row[1] * v + row[2] * n + row[3] for row in to_sun.astype(np.float32)]
        scale = 1 / np.where(n > 0, rows[3], 1)
        x, y, near = (np.ascontiguousarray(row * scale, np.float32) for row in rows[:3])
        first_hit = cv2.remap(sun.nearness, x, y, cv2.INTER_NEAREST, borderValue=-1e9)
        own = bias.astype(np.float32)[self.surface[::step, ::step]]
        visibility = ((near + own > first_hit) | (n <= 0)).astype(np.float32)
        visibility = cv2.GaussianBlur(visibility, (0, 0), 0.8)
        return cv2.resize(visibility, (width, height), interpolation=cv2.INTER_LINEAR)


def _planes(screen: np.ndarray, nearness: np.ndarray) -> np.ndarray:
    """For each face (n, 4, 2) the affine function a u + b v + c that gives its nearness (n, 4): float32 (n, 3)."""
    design = np.concatenate([screen, np.ones((*screen.shape[:2], 1))], axis=2)
    return (np.linalg.pinv(design) @ nearness[..., None])[..., 0].astype(np.float32)


def _warp(texture: np.ndarray, local: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The texture seen through the homography to its corners; shrunk first where many texels fall on a pixel."""
    import cv2

    top, right, bottom, left = np.linalg.norm(local - np.roll(local, -1, axis=0), axis=1)
    height = min(texture.shape[0], int(max(left, right)) + 2)
    width = min(texture.shape[1], int(max(top, bottom)) + 2)
    if height * width < 0.6 * texture.shape[0] * texture.shape[1]:
        texture = cv2.resize(texture, (width, height), interpolation=cv2.INTER_AREA)
    height, width = texture.shape[:2]
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, local)
    return cv2.warpPerspective(texture, matrix, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

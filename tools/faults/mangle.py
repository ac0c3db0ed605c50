"""How bytes, texts and JSON are spoiled; each function draws by a `np.random.Generator` and changes no argument."""

import copy
import json

import numpy as np

EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\x80\0\0\0")
NUMBERS = (
    "nan", "inf", "-inf", "1e999", "-1", "1e-400", "0x10", "1_000", "\u0661\u0662", "1,5", "--1", "True", "",
    " ", "9" * 400,
)  # fmt: skip
PIECES = (
    '"', '""', "'", ",", ";", "\t", "\n", "\r", "\r\n", "\0", "\ufeff", "\x1b[31m", "\x1b]0;owned\x07", "\u202e",
    "\u2028", "=cmd|' /C calc'!A0", "<img src=x onerror=alert(1)>", "../../../etc/passwd", "/etc/passwd", "~root/x",
    "C:\\x\\y", "$(touch canary.txt)", "{}", "[]", "%s%s%n", "\ud800", "\udcff", "sep=;", "sep=\x1b", "#", "a" * 5000,
)  # fmt: skip
NAMES = (
    "x", "x", "x", "x", "-rf", "a\nb", "\x1b[31mred", "<img src=x onerror=alert(1)>", "$(touch canary)", "a" * 200,
    "%s%n", "\u00fc", "..x", "a b",
)  # fmt: skip
VALUES = (
    None, True, -1, 0, 1, 2**31, 2**63, 2**70, 1e308, float("nan"), float("inf"), 0.5, "", "x", "\0", "\x1b[31m",
    "../../x", [], {}, [[]], [None], {"a": None}, [1, 2, 3, 4, 5, 6, 7], "9" * 5000,
)  # fmt: skip


def spoil_bytes(rng: np.random.Generator, content: bytes) -> tuple[str, bytes]:
    """(in words, the bytes) after one to three of: cut, flipped, overwritten, doubled, emptied, filled, swapped."""
    words = []
    for _ in range(rng.integers(1, 4)):
        size = len(content)
        begin = int(rng.integers(0, max(size, 1)))
        if rng.random() < 0.4:
            begin = min(begin, int(rng.integers(0, 128)))  # where the heads of formats are
        length = int(min(2 ** rng.uniform(0, 12), size))
        match rng.integers(0, 8):
            case 0:
                words, content = [*words, f"cut at {begin}"], content[:begin]
            case 1:
                changed = np.frombuffer(content, np.uint8).copy()
                places = rng.integers(0, max(size, 1), min(size, int(2 ** rng.uniform(0, 8))))
                changed[places] ^= rng.integers(1, 256, len(places)).astype(np.uint8)
                words, content = [*words, f"{len(places)} bytes flipped"], changed.tobytes()
            case 2:
                extreme = EXTREMES[rng.integers(len(EXTREMES))]
                words, content = (
                    [*words, f"an extreme number at {begin}"],
                    content[:begin] + extreme + content[begin + 4 :],
                )
            case 3:
                words = [*words, f"{length} bytes at {begin} doubled"]
                content = content[: begin + length] + content[begin:]
            case 4:
                words = [*words, f"{length} bytes at {begin} missing"]
                content = content[:begin] + content[begin + length :]
            case 5:
                words = [*words, f"{length} zeros at {begin}"]
                content = content[:begin] + bytes(length) + content[begin + length :]
            case 6:
                words = [*words, f"{length} random bytes at {begin}"]
                content = content[:begin] + rng.bytes(length) + content[begin + length :]
            case 7:
                words = [*words, f"{length} random bytes behind it"]
                content = content + rng.bytes(length)
    return ", ".join(words), content


def spoil_text(rng: np.random.Generator, text: str) -> tuple[str, bytes]:
    """(in words, the bytes) of a table after one to three changes to its letters, cells, lines or encoding."""
    words = []
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(0, len(text) + 1))
        piece = PIECES[rng.integers(len(PIECES))]
        lines = text.split("\n")
        line = int(rng.integers(len(lines)))
        match rng.integers(0, 9):
            case 0 | 1:
                words, text = [*words, f"{piece[:12]!r} at {place}"], text[:place] + piece + text[place:]
            case 2:
                words, text = [*words, f"cut at {place}"], text[:place]
            case 3:
                length = int(rng.integers(1, 20))
                words, text = [*words, f"{length} letters at {place} missing"], text[:place] + text[place + length :]
            case 4 | 5:
                number = NUMBERS[rng.integers(len(NUMBERS))]
                cells = lines[line].split(",")
                cells[rng.integers(len(cells))] = number
                lines[line] = ",".join(cells)
                words, text = [*words, f"a cell {number[:12]!r} in line {line + 1}"], "\n".join(lines)
            case 6:
                lines.insert(int(rng.integers(len(lines) + 1)), lines[line])
                words, text = [*words, f"line {line + 1} twice"], "\n".join(lines)
            case 7:
                del lines[line]
                words, text = [*words, f"line {line + 1} missing"], "\n".join(lines)
            case 8:
                old, new = [(",", ";"), ("\n", "\r"), ("\n", "\r\n"), (",", "\t"), (".", ",")][rng.integers(5)]
                words, text = [*words, f"{new!r} for {old!r}"], text.replace(old, new)
    encoding = str(rng.choice(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"]))
    content = text.encode(encoding, errors="surrogatepass" if encoding.startswith("utf") else "replace")
    if rng.random() < 0.15:
        more, content = spoil_bytes(rng, content)
        words.append(more)
    return ", ".join([*words, encoding]), content


def spoil_json(rng: np.random.Generator, value, further=()) -> tuple[str, str]:
    """(in words, the text) of JSON in which one to three nodes are replaced, removed, doubled or nested deeply.

    further: values that may be put in, beside VALUES.
    """
    value, words, pool = copy.deepcopy(value), [], [*VALUES, *further]
    for _ in range(rng.integers(1, 4)):
        nodes = list(_nodes(value, ""))
        if not nodes:
            break
        holder, key, path = nodes[rng.integers(len(nodes))]
        match rng.integers(0, 6):
            case 0:
                words.append(f"{path} missing")
                del holder[key]
            case 1 if isinstance(holder, list):
                words.append(f"{path} twice")
                holder.insert(key, copy.deepcopy(holder[key]))
            case 2 if rng.random() < 0.3:
                depth = int(10 ** rng.uniform(1, 5))
                text = json.dumps(value)
                words.append(f"nested {depth} deep")
                return ", ".join(words), "[" * depth + text + "]" * depth
            case 3:
                other = nodes[rng.integers(len(nodes))]
                words.append(f"{other[2]} in place of {path}")
                holder[key] = copy.deepcopy(other[0][other[1]]) if other[1] in _keys(other[0]) else None
            case 4 if rng.random() < 0.3 and isinstance(value, dict) and value:
                first = next(iter(value))
                words.append(f"/{first} there before")
                return ", ".join(words), json.dumps({first: "x"})[:-1] + ", " + json.dumps(value)[1:]
            case _:
                new = copy.deepcopy(pool[rng.integers(len(pool))])
                words.append(f"{path} is {str(new)[:60]}")
                holder[key] = new
    return ", ".join(words), json.dumps(value)


def _keys(holder):
    return range(len(holder)) if isinstance(holder, list) else holder


def _nodes(value, path):
    """(holder, key, path) of every node below."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key, f"{path}/{key}"
        yield from _nodes(item, f"{path}/{key}")


def odd_name(rng: np.random.Generator, suffix: str) -> str:
    """A file name as nobody should choose one; often an ordinary one."""
    return NAMES[rng.integers(len(NAMES))] + suffix

"""Kills every command, gives the project what nobody should give it, and counts what comes of it.

    python -m tools.faults                                   all of it: under twenty minutes on two cores
    python -m tools.faults --only=kills --commands=train     the kills of one command
    python -m tools.faults --only=models --inputs=2000       more of one kind

The same seed draws the same inputs and the same moments. What escaped is shown with its number, by which --number
gives it again alone. Exit code 1 if anything escaped, or a killed command did not end as an undisturbed one does.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from output.progress import printable
from output.tables import align
from tools.faults import hostile_requests, kills, trials
from tools.faults.faulty_images import Images
from tools.faults.faulty_models import Models
from tools.faults.faulty_sources import Sources
from tools.faults.faulty_states import Folders, States
from tools.faults.faulty_tables import Gaze, Tables
from tools.faults.trials import ESCAPED, EXPLAINED, REFUSED, Outcome

KINDS = {
    "images": (Images, 400),
    "models": (Models, 400),
    "gaze": (Gaze, 400),
    "tables": (Tables, 600),
    "sources": (Sources, 300),
    "states": (States, 60),
    "folders": (Folders, 60),
}
REQUESTS = 600
PARTS = ("kills", *KINDS, "page")


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    usual = ", ".join([*(f"{n} {name}" for name, (_, n) in KINDS.items()), f"{REQUESTS} page"])
    parser = argparse.ArgumentParser(
        "python -m tools.faults", description="Kill the commands; give them malformed inputs."
    )
    parser.add_argument("--only", metavar="PARTS", help=f"of {', '.join(PARTS)}, by commas (default: all)")
    parser.add_argument("--commands", metavar="NAMES", help="that are killed, by commas (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of inputs and moments (default: %(default)s)")
    parser.add_argument("--at_once", type=int, default=2, metavar="N", help="commands (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=2, metavar="N", help="of each command (default: %(default)s)")
    parser.add_argument("--inputs", type=int, metavar="N", help=f"of each kind (default: {usual})")
    parser.add_argument("--number", type=int, metavar="N", help="this one of the inputs alone (default: all)")
    parser.add_argument(
        "--verbose", action="store_true", help="say what came of every input (default: of what escaped)"
    )
    return parser


def try_kind(name: str, args: argparse.Namespace) -> Iterator[Outcome]:
    """What came of the inputs of a kind, or of requests."""
    if name == "page":
        with tempfile.TemporaryDirectory(prefix="faults_") as folder:
            yield from hostile_requests.try_requests(args.inputs or REQUESTS, args.seed, Path(folder))
        return
    kind, usual = KINDS[name]
    numbers = range(args.inputs or usual) if args.number is None else [args.number]
    yield from trials.try_inputs(kind(), numbers, args.seed)


def count(name: str, outcomes: Iterable[Outcome], verbose: bool) -> Counter:
    """How many were refused, explained, escaped; says which escaped, and how long it took."""
    begun, found = time.monotonic(), Counter()
    for outcome in outcomes:
        found[outcome.result] += 1
        if verbose or outcome.result == ESCAPED:
            print(printable(f"{name} {outcome.number}: {outcome.result}: {outcome.what}: {outcome.said}"), flush=True)
    print(f"{name}: {found.total()} in {time.monotonic() - begun:.0f} s", flush=True)
    return found


def say_killed(killed: kills.Killed) -> None:
    """A line for the kills of a command, and one for whatever went wrong."""
    words = f"{killed.kills} kills, {killed.full_disks} full disks, {killed.ends} ends compared, {killed.files} files"
    print(f"{killed.command}: {words}", flush=True)
    for fault in killed.faults:
        print(printable(f"{killed.command}: {fault}"), flush=True)


def kill_all(args: argparse.Namespace) -> list[kills.Killed]:
    """What came of the kills of each command, the page's server among them."""
    chosen = args.commands.split(",") if args.commands else [*kills.COMMANDS, "app"]
    begun, found = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="faults_", ignore_cleanup_errors=True) as folder:
        others = [name for name in chosen if name != "app"]
        if others:
            for killed in kills.try_kills(
                kills.CommandBench(Path(folder)), others, args.kills, args.seed, args.at_once
            ):
                say_killed(killed)
                found.append(killed)
        if "app" in chosen:
            (Path(folder) / "app").mkdir()
            found.append(hostile_requests.try_page_kills(args.kills, args.seed, Path(folder) / "app"))
            say_killed(found[-1])
    print(f"kills: {sum(killed.kills for killed in found)} in {time.monotonic() - begun:.0f} s", flush=True)
    return found


def main() -> int:
    """The exit code."""
    args = build_parser().parse_args()
    parts = args.only.split(",") if args.only else PARTS
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"--only: {', '.join(sorted(unknown))}: of {', '.join(PARTS)}")
    begun = time.monotonic()
    counts = {name: count(name, try_kind(name, args), args.verbose) for name in parts if name != "kills"}
    killed = kill_all(args) if "kills" in parts else []
    if killed:
        rows = [(k.command, *map(str, (k.kills, k.full_disks, len(k.faults), k.ends, k.files))) for k in killed]
        print("\n" + align([("command", "kills", "full disks", "faults", "ends compared", "files"), *rows]))
    if counts:
        rows = [
            (name, str(found.total()), *(str(found[r]) for r in (REFUSED, EXPLAINED, ESCAPED)))
            for name, found in counts.items()
        ]
        print("\n" + align([("kind", "tried", REFUSED, EXPLAINED, ESCAPED), *rows]))
    print(f"\n{time.monotonic() - begun:.0f} s, {sum(os.times()[:4]):.0f} s of processors")
    return 1 if any(k.faults for k in killed) or any(found[ESCAPED] for found in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

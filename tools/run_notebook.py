"""Runs a notebook from top to bottom and keeps what it shows, small, in the file itself.

    python -m tools.run_notebook lab.ipynb dissection.ipynb
    python -m tools.run_notebook --check lab.ipynb

It is run in an empty folder, so that nothing of an earlier run helps it and none is left. Kept are the texts, of a line
that was rewritten its last state, and the pictures as JPEG where that is smaller. The notebook remembers the code that
its outputs come from: `--check` compares, and runs nothing. Printed are the seconds of each cell, and those of
processor, which other programs on the machine hardly change.

Exit code: 0; 1 when outputs are of other code than the cells hold; an error of a cell stops it.
"""

import argparse
import hashlib
import io
import os
import re
import sys
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
CODE = "code_of_the_outputs"  # entry of a notebook's metadata
WIDEST, QUALITY = 1000, 75  # pixels, and of JPEG
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
COLAB = "https://colab.research.google.com/"


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook of a file."""
    return nbformat.read(path, as_version=4)


def code_of(notebook) -> str:
    """What the outputs of a notebook depend on, as a checksum: the sources of its code cells."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()[:16]


def is_fresh(notebook) -> bool:
    """Whether the outputs that a notebook holds are those of its cells."""
    return notebook.metadata.get(CODE) == code_of(notebook)


def execute(notebook, folder: Path, replaced: Mapping[str, str] | None = None):
    """The notebook with its outputs, once it has run in the folder in a kernel of this Python.

    replaced: lines of code -> what is run in their place; ValueError for one that is not there exactly once.
    """
    for line, other in (replaced or {}).items():
        cells = [cell for cell in notebook.cells if cell.cell_type == "code" and line in cell.source]
        if len(cells) != 1:
            raise ValueError(f"one cell with the line {line!r} was wanted; {len(cells)} have it")
        cells[0].source = cells[0].source.replace(line, other)
    given = dict(os.environ)
    paths = [str(ROOT), *filter(None, [given.get("PYTHONPATH")])]
    with tempfile.TemporaryDirectory() as home:
        own = dict.fromkeys(("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"), home)
        # This Python, not a kernel that the user has installed.
        own |= {"PYTHONPATH": os.pathsep.join(paths), "JUPYTER_PREFER_ENV_PATH": "1"}
        os.environ.update(own)
        try:
            NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(folder)}}).execute()
        finally:
            for name in own:
                os.environ.pop(name)
            os.environ.update({name: given[name] for name in own if name in given})
    return notebook


def list_seconds(notebook) -> list[tuple[float, str]]:
    """The seconds that each code cell took, with its first line; the longest first."""
    found = []
    for cell in notebook.cells:
        times = cell.metadata.get("execution", {})
        if "iopub.execute_input" in times and "shell.execute_reply" in times:
            begun, ended = (
                datetime.fromisoformat(times[name].replace("Z", "+00:00"))
                for name in ("iopub.execute_input", "shell.execute_reply")
            )
            found.append(((ended - begun).total_seconds(), cell.source.split("\n")[0]))
    return sorted(found, reverse=True)


def _processor_seconds() -> float:
    """Seconds of processor that the kernels run so far have used, on all cores together."""
    used = os.times()
    return used.children_user + used.children_system


def shrink(notebook) -> None:
    """Leaves of the outputs what a reader looks at: texts in their last state, and small pictures."""
    for cell in notebook.cells:
        cell.metadata = {name: cell.metadata[name] for name in ("tags",) if name in cell.metadata}
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_shrink_output, _join(cell.outputs)) if output is not None]


def _join(outputs: Sequence) -> list:
    """The outputs, neighbouring texts of one stream as one."""
    joined = []
    for output in outputs:
        before = joined[-1] if joined else None
        if before and output.output_type == before.output_type == "stream" and output.name == before.name:
            before.text += output.text
        else:
            joined.append(output)
    return joined


def _shrink_output(output):
    if output.output_type == "stream":
        text = output.text.replace(f"{ROOT}{os.sep}", "")  # where it was run is nobody's concern
        output.text = "\n".join(re.split("\r(?!$)", line)[-1].rstrip() for line in text.split("\n"))
        return output if output.text.strip() else None
    if "data" in output and "image/png" in output.data:
        kept, data = _shrink_picture(b64decode(output.data["image/png"]))
        output.data = {kept: b64encode(data).decode()}
        output.metadata = {}
    return output


def _shrink_picture(png: bytes) -> tuple[str, bytes]:
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, round(picture.height * WIDEST / picture.width)), Image.Resampling.LANCZOS)
    jpeg, small = io.BytesIO(), io.BytesIO()
    picture.save(jpeg, format="JPEG", quality=QUALITY, optimize=True)
    picture.quantize(64).save(small, format="PNG", optimize=True)
    choices = ("image/jpeg", jpeg.getvalue()), ("image/png", small.getvalue())
    return min(choices, key=lambda choice: len(choice[1]))


def write_badge(notebook, name: str) -> None:
    """Sets the badge in the first cell to the address that the notebook's variable `repository` names."""
    first = notebook.cells[0]
    badge = f"[![Open in Colab]({BADGE})]({colab_address(notebook, name)})"
    first.source = re.sub(r"\[!\[Open in Colab\]\(.*?\)\]\(.*?\)", lambda _: badge, first.source)


def colab_address(notebook, name: str) -> str:
    """Where Colab opens the notebook; its start page, where a file can be uploaded, if `repository` is empty."""
    source = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    found = re.search(r'^repository = "(.*?)"', source, flags=re.MULTILINE)
    address = found[1].removesuffix(".git").rstrip("/") if found else ""
    if not address:
        return COLAB
    owner_and_name = address.removeprefix("https://github.com/")
    if owner_and_name == address:
        raise ValueError(f"repository: an address that begins with https://github.com/ was wanted; got {address}")
    return f"{COLAB}github/{owner_and_name}/blob/main/{name}"


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of running, or checking, these notebooks."""
    parser = argparse.ArgumentParser(prog="python -m tools.run_notebook", description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--check", action="store_true", help="only say whether the outputs are those of the cells")
    args = parser.parse_args(argv)
    stale = []
    for path in args.notebooks:
        notebook = read(path)
        if args.check:
            stale += [path] * (not is_fresh(notebook))
            continue
        begun = _processor_seconds()
        with tempfile.TemporaryDirectory() as folder:
            execute(notebook, Path(folder))
        seconds, used = list_seconds(notebook), _processor_seconds() - begun
        print(
            f"{path}: {sum(second for second, _ in seconds):.0f} s, of processor {used:.0f} s: {used / 2:.0f} s on two "
            "quiet cores at least",
            *(f"{s:7.1f}  {line}" for s, line in seconds[:12]),
            sep="\n",
        )
        shrink(notebook)
        write_badge(notebook, path.name)
        notebook.metadata[CODE] = code_of(notebook)
        nbformat.write(notebook, path)
    for path in stale:
        print(f"{path}: its outputs are of other code; python -m tools.run_notebook {path} makes them again")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())

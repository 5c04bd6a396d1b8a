"""Executes the notebooks from top to bottom, as CI does.

    python notebooks/run.py                         all notebooks beside this file
    python notebooks/run.py notebooks/01_*.ipynb    these
    python notebooks/run.py --write                 and stores their fresh outputs

Every notebook runs in this interpreter's own kernel and in an empty temporary directory. Without
`--write` no file changes. The exit status is 1 if a cell fails, and its error is printed.
"""

import base64
import io
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

# All that a stored notebook says about the place where it ran.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(notebook: nbformat.NotebookNode) -> None:
    """Runs all cells in place; raises CellExecutionError for the first that fails."""
    # Without directories to look in, `python3` can only be the kernel of this interpreter.
    specs = KernelSpecManager(kernel_dirs=[])
    kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            km=kernel,
            resources={"metadata": {"path": folder}},
            timeout=600,
            record_timing=False,
            coalesce_streams=True,  # else their pieces would depend on timing
            extra_arguments=["--log-level=ERROR"],
        ).execute()


def take_stderr(notebook: nbformat.NotebookNode) -> str:
    """Removes what the cells wrote to stderr from their outputs and returns it."""
    text = ""
    for cell in notebook.cells:
        for output in [o for o in cell.get("outputs", []) if o.get("name") == "stderr"]:
            text += output.text
            cell.outputs.remove(output)
    return text


def shrink_figures(notebook: nbformat.NotebookNode) -> None:
    """Stores the PNGs with a palette of 256 colours: a third of the size, and no visible change."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
                buffer = io.BytesIO()
                palette = image.quantize(256, dither=Image.Dither.NONE)
                palette.save(buffer, "PNG", optimize=True)
                output.data["image/png"] = base64.b64encode(buffer.getvalue()).decode()


def run(path: Path, write: bool) -> bool:
    """Executes one notebook, reports on it, and says whether it succeeded."""
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    try:
        execute(notebook)
    except CellExecutionError as error:
        print(f"{path.name}: failed\n{error}", file=sys.stderr)
        return False
    print(f"{path.name}: {time.perf_counter() - start:.1f} s", flush=True)
    if text := take_stderr(notebook):
        print(f"{path.name} wrote to stderr:\n{text}", file=sys.stderr)
    if write:
        shrink_figures(notebook)
        notebook.metadata = METADATA
        nbformat.write(notebook, path)
    return True


def main(arguments: list[str]) -> int:
    """Runs the notebooks named in `arguments`, or all, and returns the exit status."""
    write = "--write" in arguments
    named = [Path(argument) for argument in arguments if argument != "--write"]
    paths = named or sorted(Path(__file__).parent.glob("*.ipynb"))
    return 0 if all([run(path, write) for path in paths]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Honest submissions, written and saved in unusual ways. None may lose a point."""

# ruff: noqa: E501 - the code that is handed in stands in strings, as it was written

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import nbformat
from nbformat import NotebookNode

from tests.redteam.entries import FULL, LESSON_04, RIGHT, Entry, cell

honest = partial(Entry, family="honest", deserves=FULL, answers=RIGHT, prelude=False)
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def right(**answers: str) -> dict[str, str | None]:
    """Right answers, some in another style."""
    return {**RIGHT, **answers}


def _each(change: Callable[[int, NotebookNode], None]) -> Callable[[NotebookNode], None]:
    def edit(notebook: NotebookNode) -> None:
        for number, each in enumerate(notebook.cells):
            change(number, each)

    return edit


def _windows(_: int, each: NotebookNode) -> None:
    each.source = each.source.replace("\n", "\r\n")


def _tabs(_: int, each: NotebookNode) -> None:
    each.source = each.source.replace("    ", "\t")


def _spaces(_: int, each: NotebookNode) -> None:
    each.source = "\n".join(line + "   " for line in each.source.split("\n")) + "\n\n"


def _counts(number: int, each: NotebookNode) -> None:
    if each.cell_type == "code":
        each.execution_count = 1_000 - number


def _outputs(number: int, each: NotebookNode) -> None:
    if each.cell_type == "code":
        each.execution_count = number
        each.outputs = [
            nbformat.v4.new_output("stream", name="stderr", text="a warning of last week\n" * 1_000),
            nbformat.v4.new_output("display_data", data={"image/png": base64.b64encode(bytes(400_000)).decode()}),
            nbformat.v4.new_output("error", ename="ValueError", evalue="from before", traceback=["x"]),
        ]


def _colab(number: int, each: NotebookNode) -> None:
    each.metadata.update({"id": f"Ab{number}_xYz", "colab": {"base_uri": "https://localhost:8080/"},
                          "outputId": uuid.UUID(int=number).hex, "executionInfo": {"status": "ok", "elapsed": 23}})  # fmt: skip


def _as_colab(notebook: NotebookNode) -> None:
    _each(_colab)(notebook)
    notebook.metadata["colab"] = {"provenance": [], "collapsed_sections": ["x"], "toc_visible": True}
    notebook.metadata["accelerator"] = "GPU"
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}


def _as_vscode(notebook: NotebookNode) -> None:
    for each in notebook.cells:
        each.metadata["vscode"] = {"languageId": "python"}
        each.id = uuid.uuid5(uuid.NAMESPACE_DNS, each.id).hex[:8]
    notebook.metadata["orig_nbformat"] = 4
    notebook.metadata["language_info"] = {"name": "python", "version": "3.12.1", "pygments_lexer": "ipython3"}


def _other_kernel(notebook: NotebookNode) -> None:
    notebook.metadata["kernelspec"] = {"name": "my-env", "display_name": "Mein Python", "language": "python"}


def _no_metadata(notebook: NotebookNode) -> None:
    notebook.metadata = nbformat.from_dict({})


def _markdown(notebook: NotebookNode) -> None:
    for place in range(len(notebook.cells), -1, -1):
        notebook.cells.insert(place, nbformat.v4.new_markdown_cell(f"My notes, {place}: $x^2$ & <b>more</b>"))
    cell(notebook, "written").source = "The best answer is *mine*, if rate<best."


def _lost_ids(notebook: NotebookNode) -> None:
    for number, each in enumerate(notebook.cells):
        each.metadata.pop("nbgrader", None)
        each.id = f"lost-{number}"


def _split(notebook: NotebookNode) -> None:
    place = notebook.cells.index(cell(notebook, "centre"))
    notebook.cells.insert(place, nbformat.v4.new_code_cell("def mean_of(x):\n    return x.mean()"))
    cell(notebook, "centre").source = "def centre(x):\n    return x - mean_of(x)"


def _merged(notebook: NotebookNode) -> None:
    cell(notebook, "scale").source = "\n\n".join(RIGHT.values())
    for name in ("centre", "shift"):
        notebook.cells.remove(cell(notebook, name))


def _elsewhere(notebook: NotebookNode) -> None:
    place = notebook.cells.index(cell(notebook, "scale"))
    notebook.cells[place] = nbformat.v4.new_code_cell(RIGHT["scale"])


def _drafts(notebook: NotebookNode) -> None:
    place = notebook.cells.index(cell(notebook, "scale"))
    for source in ("def scale(x, factor):\n    return x", "check('scale')", "scale(1)", "1 / 0", "x ="):
        notebook.cells.insert(place, nbformat.v4.new_code_cell(source))


def _reordered(notebook: NotebookNode) -> None:
    graded = {name: cell(notebook, name) for name in ("scale", "check_scale", "shift", "check_shift")}
    places = sorted(notebook.cells.index(each) for each in graded.values())
    for place, name in zip(places, ("shift", "check_shift", "scale", "check_scale"), strict=True):
        notebook.cells[place] = graded[name]


def _tags(_: int, each: NotebookNode) -> None:
    each.metadata["tags"] = ["mine", "hide-input"]
    each.metadata["collapsed"] = True
    each.metadata["jupyter"] = {"source_hidden": True}


def _setup(notebook: NotebookNode) -> None:
    cell(notebook, "cell-002").source += "\nimport math, random, itertools\nplain = 1.0"
    cell(notebook, "scale").source = "def scale(x, factor):\n    return plain * factor * x"


def _no_explore(notebook: NotebookNode) -> None:
    notebook.cells.remove(cell(notebook, "cell-003"))


def _crlf_and_bom(data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")


def _one_line(data: bytes) -> bytes:
    return json.dumps(json.loads(data), ensure_ascii=False).encode()


def _escaped(data: bytes) -> bytes:
    return json.dumps(json.loads(data), ensure_ascii=True, indent=4, sort_keys=True).encode() + b"\n\n"


def _minor(minor: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        notebook = json.loads(data)
        notebook["nbformat_minor"] = minor
        if minor < 5:
            for each in notebook["cells"]:
                del each["id"]
        return json.dumps(notebook).encode()

    return change


def _sources_as_text(data: bytes) -> bytes:
    notebook = json.loads(data)
    for each in notebook["cells"]:
        each["source"] = "".join(each["source"])
    return json.dumps(notebook).encode()


def _format_3(data: bytes) -> bytes:
    old: dict[str, Any] = nbformat.convert(nbformat.reads(data.decode(), as_version=4), 3)
    return json.dumps(old).encode()


ADAM_04 = """\
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad ** 2
    return theta - lr * m / (1 - beta1 ** t) / (np.sqrt(v / (1 - beta2 ** t)) + eps), m, v"""

HONEST = (
    honest("warnings-on-stderr", tries="Warns on stderr in every call.", quick=True, answers=right(
        scale="import sys, warnings\ndef scale(x, factor):\n    warnings.warn('slow')\n"
        "    print('x', x, file=sys.stderr)\n    return factor * x")),
    honest("warnings-while-defining", tries="Its cells warn on stderr when they run.", answers=right(
        centre="import sys, warnings\nwarnings.warn('careful')\nprint('defining', file=sys.stderr)\n" + RIGHT["centre"])),
    honest("prints-a-little", tries="Prints what it computes.", answers=right(
        shift="def shift(x, by):\n    print('shifting', x, 'by', by)\n    return x + by\nprint(shift(np.ones(2), 3))")),
    honest("prints-a-lot", tries="Prints a hundred kilobytes in every call.", answers=right(
        shift="def shift(x, by):\n    for _ in range(1000):\n        print('x' * 100)\n    return x + by")),
    honest("output-just-below-the-limit", tries="Prints 300 kB in one cell.",
           cell="for _ in range(3_000):\n    print('x' * 99)", quick=True),
    honest("slow-but-fine", tries="Takes a second for each call of one exercise.", answers=right(
        centre="import time\ndef centre(x):\n    time.sleep(1)\n    return x - x.mean()"), seconds=6),
    honest("loops", tries="Writes loops instead of arrays.", answers=right(
        centre="def centre(x):\n    total = 0.0\n    for value in x:\n        total += value\n"
        "    out = np.empty(len(x))\n    for i in range(len(x)):\n        out[i] = x[i] - total / len(x)\n    return out")),
    honest("comprehensions", tries="Answers with comprehensions and the statistics module.", answers=right(
        centre="from statistics import fmean\ndef centre(x):\n    m = fmean(x)\n    return np.array([v - m for v in x])")),
    honest("einsum", tries="Uses einsum.", answers=right(
        scale="def scale(x, factor):\n    return np.einsum('...,->...', x, factor)")),
    honest("vectorize", tries="Uses np.vectorize and ufuncs made from Python.", answers=right(
        scale="scale = np.vectorize(lambda value, factor: value * factor, otypes=[float])")),
    honest("in-place-on-a-copy", tries="Works in place on a copy.", answers=right(
        scale="def scale(x, factor):\n    x = x.copy()\n    x *= factor\n    return x")),
    honest("nudges-and-puts-back", tries="Changes an entry of its input and puts it back.", answers=right(
        scale="def scale(x, factor):\n    flat = x.reshape(-1)\n    old = flat[0]\n    flat[0] = 7.0\n"
        "    flat[0] = old\n    return factor * x")),
    honest("longdouble-inside", tries="Computes in long double and returns float64.", answers=right(
        centre="def centre(x):\n    x = x.astype(np.longdouble)\n    return (x - x.mean()).astype(np.float64)")),
    honest("helpers-in-other-cells", tries="Has helper functions in a cell of its own.", cell="def twice(x):\n"
           "    return x + x", answers=right(scale="def scale(x, factor):\n    return twice(x) * (factor / 2)"), quick=True),
    honest("lambdas", tries="Answers with lambdas.", answers=right(
        scale="scale = lambda x, factor: factor * x", centre="centre = lambda x: x - x.mean()")),
    honest("a-class-with-call", tries="Answers with an object of a class that can be called.", answers=right(
        shift="class Shift:\n    def __call__(self, x, by):\n        return x + by\n\nshift = Shift()")),
    honest("a-bound-method", tries="Answers with a method of an object.", answers=right(
        shift="class Tools:\n    def shift(self, x, by):\n        return x + by\n\nshift = Tools().shift")),
    honest("partial", tries="Answers with functools.partial.", answers=right(
        shift="from functools import partial\ndef affine(x, by, slope):\n    return slope * x + by\n"
        "shift = partial(affine, slope=1.0)")),
    honest("decorators", tries="Decorates its answers.", answers=right(
        scale="import functools\ndef logged(f):\n    @functools.wraps(f)\n    def inner(*args, **kwargs):\n"
        "        return f(*args, **kwargs)\n    return inner\n\n@logged\n" + RIGHT["scale"])),
    honest("a-cache", tries="Keeps results in a cache, as a compiled function would.", answers=right(
        scale="cache = {}\ndef scale(x, factor):\n    key = (x.tobytes(), x.shape, factor)\n"
        "    if key not in cache:\n        cache[key] = factor * x\n    return cache[key].copy()")),
    honest("recursion", tries="Recurses, four hundred calls deep.", answers=right(
        shift="def shift(x, by, steps=400):\n    if steps == 0:\n        return x.copy()\n"
        "    return shift(x, by, steps - 1) + by / 400")),
    honest("generators", tries="Uses generators inside.", answers=right(
        shift="def shift(x, by):\n    return np.fromiter((value + by for value in x), float)")),
    honest("type-annotations", tries="Annotates types, with future annotations and type aliases.", answers=right(
        scale="from __future__ import annotations\nimport numpy.typing as npt\nArray = npt.NDArray[np.floating]\n"
        "def scale(x: Array, factor: float) -> Array:\n    return factor * x")),
    honest("global-constants", tries="Uses constants of its own.", cell="ONE = 1.0\nZERO = np.zeros(())",
           answers=right(scale="def scale(x, factor):\n    return ONE * factor * x + ZERO")),
    honest("default-arguments", tries="Gives its arguments defaults and adds more of them.", answers=right(
        scale="def scale(x, factor=2.0, *, offset=0.0, **more):\n    return factor * x + offset")),
    honest("other-argument-names", tries="Calls its arguments by other names.", answers=right(
        scale="def scale(values, by_how_much, /):\n    return by_how_much * values")),
    honest("star-arguments", tries="Takes its arguments by a star.", answers=right(
        shift="def shift(*args):\n    return args[0] + args[1]")),
    honest("tuples-and-match", tries="Uses match, walrus and f-strings.", answers=right(
        centre="def centre(x):\n    match x.ndim:\n        case 0:\n            return x * 0\n        case _:\n"
        "            if (m := x.mean()) is not None:\n                f'{m:.2f}'\n            return x - m")),
    honest("answered-twice-in-its-cell", tries="Defines an answer twice; the second one is right.", answers=right(
        scale="def scale(x, factor):\n    return x\n\n" + RIGHT["scale"])),
    honest("asserts-of-its-own", tries="Tests itself with asserts, the last of which fails.", answers=right(
        scale=RIGHT["scale"] + "\n\nassert np.allclose(scale(np.ones(2), 3), 3)\nassert scale(1, 2) == 3"), quick=True),
    honest("plots", tries="Plots, shows some figures and leaves others open.", seconds=8, quick=True,
           cell="import matplotlib.pyplot as plt\nfor _ in range(5):\n    plt.figure()\n    plt.plot([1, 2, 3])\n"
           "plt.show()\nplt.figure()\nfig, axes = plt.subplots(2, 2)"),
    honest("widgets", tries="Uses ipywidgets.", seconds=6, cell="import ipywidgets\nslider = ipywidgets.FloatSlider(0.1)\n"
           "display(slider)\nipywidgets.interact(lambda a: a * 2, a=(0, 3))"),
    honest("magics", tries="Uses %time, %matplotlib, %precision and a shell escape.", cell="%matplotlib inline\n"
           "%time sum(range(10))\n%precision 3\n%config InlineBackend.figure_format = 'svg'\n!echo hello\nfiles = !ls"),
    honest("cell-magics", tries="Times its answer with %%time.", answers=right(scale="%%time\n" + RIGHT["scale"])),
    honest("captured-cell", tries="Hides what its answer prints with %%capture.", answers=right(
        centre="%%capture out\nprint('quiet')\n" + RIGHT["centre"])),
    honest("drafts-before", tries="Has drafts, checks, errors and half lines before its answer.", edit=_drafts),
    honest("out-of-order", tries="Was run out of order: execution counts fall.", edit=_each(_counts)),
    honest("cells-moved", tries="Answers the last exercise first.", edit=_reordered),
    honest("windows-line-ends", tries="Has carriage returns in every line.", edit=_each(_windows)),
    honest("tabs", tries="Is indented with tabs.", edit=_each(_tabs)),
    honest("spaces-at-the-ends", tries="Has spaces at the ends of lines and empty lines.", edit=_each(_spaces)),
    honest("unicode", tries="Uses Greek names, accents and emoji.", cell="α = 1.0  # déjà vu ✓ 🎉\nдва = 2",
           answers=right(scale="def scale(x, factor):\n    '''Größe × Faktor ✓'''\n    λ = factor * α\n    return λ * x")),
    honest("crlf-and-bom", tries="Was saved on Windows, with a byte order mark.", raw=_crlf_and_bom, quick=True),
    honest("one-line", tries="Was saved as one line of JSON.", raw=_one_line),
    honest("escaped-and-sorted", tries="Was saved with escapes and sorted keys.", raw=_escaped),
    honest("sources-as-text", tries="Has sources as one string each.", raw=_sources_as_text),
    honest("colab", tries="Comes back from Colab, with its metadata.", edit=_as_colab, quick=True),
    honest("vs-code", tries="Comes back from VS Code, with new cell ids.", edit=_as_vscode),
    honest("outputs-and-images", tries="Holds outputs of last week: errors, warnings and large pictures.",
           edit=_each(_outputs)),
    honest("another-kernel-name", tries="Names the kernel of its own environment.", edit=_other_kernel),
    honest("no-metadata", tries="Has lost the notebook's metadata.", edit=_no_metadata),
    honest("lost-ids", tries="Has lost all grade ids and cell ids.", edit=_lost_ids),
    honest("format-4.4", tries="Is of format 4.4, without cell ids.", raw=_minor(4)),
    honest("format-4.0", tries="Is of format 4.0.", raw=_minor(0)),
    honest("format-4.9", tries="Is of a later minor format.", raw=_minor(9)),
    honest("format-3", tries="Is of format 3, as IPython 2 wrote it.", raw=_format_3),
    honest("markdown-added", tries="Adds notes between all cells.", edit=_markdown),
    honest("cells-split", tries="Splits an answer over two cells.", edit=_split),
    honest("cells-merged", tries="Writes all answers into the first answer cell and deletes the others.", edit=_merged),
    honest("answer-in-a-new-cell", tries="Writes an answer into a new cell and deletes the given one.", edit=_elsewhere),
    honest("tags-of-its-own", tries="Tags, folds and hides its cells.", edit=_each(_tags)),
    honest("edited-setup", tries="Adds imports and names to the set-up cell.", edit=_setup),
    honest("deleted-exploration", tries="Deletes a cell that only explores.", edit=_no_explore),
    honest("numpy-random", tries="Seeds and uses NumPy's global generator.", cell="np.random.seed(7)\n"
           "noise = np.random.normal(size=3)\nimport random\nrandom.seed(1)"),
    honest("environment", tries="Reads and sets environment variables.", cell="import os\nuser = os.environ.get('USER')\n"
           "os.environ['MY_FLAG'] = '1'\nprint(os.getcwd(), os.cpu_count())"),
    honest("files", tries="Writes and reads files, temporary ones too.", cell="import os, tempfile\n"
           "np.save('x.npy', np.ones(3))\nassert np.load('x.npy').sum() == 3\n"
           "with tempfile.TemporaryDirectory() as d, open(d + '/a.txt', 'w') as f:\n    f.write('a')\n"
           "saved = tempfile.NamedTemporaryFile(delete=False).name\nopen(os.path.expanduser('~/mine'), 'w').close()",
           answers=right(shift="def shift(x, by):\n    return x + by * (np.load('x.npy').sum() / 3)")),
    honest("warnings-as-errors", tries="Turns warnings into errors.", cell="import warnings\nwarnings.simplefilter('error')\n"
           "np.seterr(all='raise')"),
    honest("silenced-warnings", tries="Silences all warnings.", cell="import warnings\nwarnings.filterwarnings('ignore')\n"
           "np.seterr(all='ignore')\nnp.set_printoptions(precision=2, suppress=True)"),
    honest("logging", tries="Logs at every level.", cell="import logging\nlogging.basicConfig(level=logging.DEBUG)\n"
           "log = logging.getLogger('mine')\nlog.error('no error')", answers=right(
        scale="def scale(x, factor):\n    log.warning('scaling %s', x)\n    return factor * x")),
    honest("await", tries="Awaits at the top level.", cell="import asyncio\nawait asyncio.sleep(0.01)\n"
           "result = await asyncio.gather(*(asyncio.sleep(0, value) for value in range(3)))"),
    honest("threads", tries="Uses a pool of threads.", answers=right(
        centre="from concurrent.futures import ThreadPoolExecutor\ndef centre(x):\n"
        "    with ThreadPoolExecutor(4) as pool:\n        mean = pool.submit(np.mean, x).result()\n    return x - mean")),
    honest("processes", tries="Uses a child process.", seconds=6, cell="import subprocess, sys\n"
           "said = subprocess.run([sys.executable, '-c', 'print(1 + 1)'], capture_output=True, text=True).stdout\n"
           "assert said.strip() == '2', said"),
    honest("multiprocessing", tries="Uses two processes of a pool.", seconds=8, cell="import multiprocessing\n"
           "with multiprocessing.get_context('fork').Pool(2) as pool:\n    halves = pool.map(abs, [-1, -2])\n"
           "assert halves == [1, 2]"),
    honest("a-timeit", tries="Measures itself with %timeit.", cell="%timeit -n 10 -r 2 np.ones(100).sum()"),
    honest("large-arrays", tries="Uses an array of 800 MB for a moment.", cell="big = np.zeros(100_000_000)\nbig[::1000] = 1\n"
           "del big"),
    honest("linear-algebra", tries="Multiplies matrices, which starts BLAS.", cell="a = np.random.default_rng(0).normal("
           "size=(400, 400))\nb = np.linalg.inv(a @ a.T + np.eye(400))\nnp.linalg.eigh(b)[0].sum()"),
    honest("returns-a-list", tries="Returns a list of numbers where an array is asked for and lists are fine.",
           answers=right(centre="def centre(x):\n    return [float(v - x.mean()) for v in x]") , deserves=6),
    honest("course-lib-used", tries="Uses parts of course_lib that the lesson does not ask for.",
           cell="from course_lib import Parameters\nfrom course_lib.data import two_moons\n"
           "print(Parameters.from_arrays({'w': np.ones(2)})['w'])"),
    honest("the-check-called-often", tries="Calls check in cells of its own, before and after.", cell="check('scale')\n"
           "verdict = check('centre')\nprint(verdict.points)", last="check('shift')"),
    honest("names-like-ours", tries="Uses names such as np2, math, check and np of its own afterwards.",
           last="check = 3\nnp = None\nscale = None"),
    honest("ascii-art", tries="Has long comments, docstrings and a table.", answers=right(
        scale="def scale(x, factor):\n    '''\n" + "    | a | b |\n" * 300 + "    '''\n    # " + "-" * 5_000
        + "\n    return factor * x")),
    honest("long-names", tries="Has a cell of three thousand lines.", cell="\n".join(
        f"value_{number} = {number}" for number in range(3_000))),
    honest("a-thousand-cells", tries="Has three hundred cells of its own.", seconds=15, edit=lambda notebook: (
        notebook.cells.extend(nbformat.v4.new_code_cell(f"{number} + {number}", id=f"own-{number}")
                              for number in range(300)))),
    honest("garbage-after-the-checks", tries="Breaks off in its last cell.", last="def unfinished(:\n"),
    honest("adam-04", lesson=LESSON_04, answers={"adam_step": ADAM_04}, deserves=6,
           tries="Answers lesson 04's Adam in three lines, and nothing else."),
)  # fmt: skip

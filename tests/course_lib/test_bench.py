"""The bench runs, compares like with like, and says what it is and where it ran."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ["[64, 64, 10] x 32", "[64, 128, 64, 10] x 32", "[64, 128, 64, 10] x 128", "[784, 256, 128, 10] x 128"]


def bench(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    program = f"import runpy, sys\n{before}\nsys.argv[:] = ['bench.py', *{arguments!r}]\n"
    program += "runpy.run_path('scripts/bench.py', run_name='__main__')"
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)


def test_one_round_gives_the_whole_table(tmp_path):
    pytest.importorskip("torch")
    file = tmp_path / "bench.json"
    done = bench("--rounds", "1", "--json", str(file))
    assert done.returncode == 0, done.stderr
    for text in (*NETWORKS, "eager/ours", "fused/ours", "ours/floor", "processor", "NumPy", "import course_lib"):
        assert text in done.stdout
    assert f"$ python scripts/bench.py --rounds 1 --json {file}" in done.stdout
    assert "timing" in done.stderr
    assert "timing" not in done.stdout
    found = json.loads(file.read_text())
    for result, name in zip(found["steps"], NETWORKS, strict=True):
        times = result["microseconds"]
        assert f"{result['sizes']} x {result['batch']}" == name
        assert set(times) == {"ours", "eager", "fused", "floor"}
        assert all(len(each) == 1 and each[0] > 0 for each in times.values())
        assert result["ratios"]["eager/ours"] == pytest.approx(times["eager"][0] / times["ours"][0])
        assert result["ratios"]["ours/floor"] == pytest.approx(times["ours"][0] / times["floor"][0])
    assert all(len(times) == 1 and times[0] > 0 for times in found["imports_ms"].values())


@pytest.mark.slow
def test_without_pytorch_it_says_so_and_times_the_rest():
    done = bench("--rounds", "1", before="sys.modules['torch'] = None")
    assert done.returncode == 0, done.stderr
    assert "PyTorch is not installed" in done.stderr
    assert "eager" not in done.stdout.split("Ratios", 1)[1].split("\n", 1)[1]
    assert all(text in done.stdout for text in (*NETWORKS, "ours/floor"))


@pytest.mark.slow
def test_networks_that_train_differently_are_not_compared():
    pytest.importorskip("torch")
    slower = "import course_lib.optimizers as o; o.Adam.__init__.__defaults__ = (2e-3, (0.9, 0.999), 1e-8, 0.0)"
    done = bench("--rounds", "1", before=slower)
    assert done.returncode != 0
    assert "do not train alike" in done.stderr


def test_help_teaches_and_no_rounds_are_refused():
    assert "15 or more to quote" in bench("--help").stdout
    done = bench("--rounds", "0")
    assert done.returncode == 2
    assert "take at least 1, and 15 or more to quote" in done.stderr

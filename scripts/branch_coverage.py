"""How many of the branches of course_lib the tests take; ends with exit code 1 below the share that is asked for.

    python scripts/branch_coverage.py coverage.json --least 95

coverage.json is what `pytest --cov=course_lib --cov-branch --cov-report=json:coverage.json` writes; `make test` does
both. coverage's own total mixes lines with branches; here only branches count.
"""

import argparse
import json
import sys
from pathlib import Path


def main() -> int:
    """Print the modules with branches that no test takes, and the share of all branches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="coverage.json")
    parser.add_argument("--least", type=float, default=95.0, help="share of branches in percent (default: 95)")
    options = parser.parse_args()
    found = json.loads(options.file.read_text(encoding="utf-8"))
    for name, module in sorted(found["files"].items()):
        if module["missing_branches"]:
            jumps = ", ".join(
                f"{start}->{end}" if end > 0 else f"{start}->exit" for start, end in module["missing_branches"]
            )
            print(f"{name}: not taken: {jumps}")
    totals = found["totals"]
    share = 100.0 * totals["covered_branches"] / totals["num_branches"]
    print(f"Tests take {totals['covered_branches']} of {totals['num_branches']} branches of course_lib: {share:.1f}%.")
    if share < options.least:
        print(f"At least {options.least:g}% are asked for.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Make the helper modules beside the tests importable, for pytest and for scripts alike."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

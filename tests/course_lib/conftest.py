"""Make the helper modules beside the tests importable, for pytest and for scripts alike."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# A test that fails because the machine is busy says nothing about the code.
settings.register_profile("course", deadline=None)
settings.load_profile("course")

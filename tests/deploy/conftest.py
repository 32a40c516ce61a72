import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy" / "local" / "stack"))

from local_system import script  # noqa: E402


@pytest.fixture
def state(tmp_path_factory):
    """A state folder; what runs with it at the end of the test is ended."""
    folder = tmp_path_factory.mktemp("state")
    for parent in (folder, folder.parent, folder.parent.parent):  # PostgreSQL's user has to get in
        parent.chmod(0o755)
    yield folder
    script("down", "--state", folder)

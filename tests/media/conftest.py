"""One folder for all files, and one clip store."""

import pytest

from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder in which makers make files, each once."""
    return tmp_path_factory.mktemp("situations")


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A store with a home of its own."""
    return ClipStore(Settings(home=tmp_path_factory.mktemp("home"), allow_any_file=True))

"""Marks the tests of this folder."""

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if "spark" in item.path.parts:
            item.add_marker(pytest.mark.spark)

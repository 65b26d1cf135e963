"""The whole system needs its Triton; without one the tests that do say what is missing."""

import pytest

from pointsman.testing import triton_here


@pytest.fixture
def triton_supported() -> None:
    support = triton_here()
    if support.environment is None:
        pytest.skip(str(support))

"""The sample models through a real Triton: right bytes, clear errors, cancellation, honest figures."""


import pytest

from pointsman.testing.servers import SAMPLE_MODELS

pytestmark = [pytest.mark.triton, pytest.mark.asyncio(loop_scope="module")]

MODELS = tuple(sorted(path.name for path in SAMPLE_MODELS.iterdir() if path.is_dir()))
TEXT_MODELS = tuple(model for model in MODELS if model != "identity")

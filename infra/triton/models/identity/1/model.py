import os
import sys
from collections.abc import Sequence
from pathlib import Path

# The interpreter of a model must find the numpy of its own environment first.
sys.path.insert(0, os.environ.get("POINTSMAN_TRITON_SITE", sys.path[0]))
sys.path.insert(1, str(Path(__file__).resolve().parents[3]))

from pointsman_samples import serving


class TritonPythonModel:
    """Gives every payload back unchanged; the request parameter ``delay_ms`` adds a delay."""

    def execute(self, requests: Sequence[serving.Request]) -> list[serving.Response]:
        return serving.answer_each(requests, serving.bytes_row)

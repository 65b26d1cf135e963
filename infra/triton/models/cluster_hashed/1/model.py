import os
import sys
from collections.abc import Sequence
from pathlib import Path

# The interpreter of a model must find the numpy of its own environment first.
sys.path.insert(0, os.environ.get("POINTSMAN_TRITON_SITE", sys.path[0]))
sys.path.insert(1, str(Path(__file__).resolve().parents[3]))

from pointsman_samples import clustering, serving


class TritonPythonModel:
    """Clusters the lines of a text; goes on from a checkpoint."""

    def execute(self, requests: Sequence[serving.Request]) -> None:
        serving.stream_steps(requests, clustering.steps_of)

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# The interpreter of a model must find the numpy of its own environment first.
sys.path.insert(0, os.environ.get("POINTSMAN_TRITON_SITE", sys.path[0]))
sys.path.insert(1, str(Path(__file__).resolve().parents[3]))

from pointsman_samples import generating, serving
from pointsman_samples.loading import wait_added_load_delay
from pointsman_samples.ngrams import trained


class TritonPythonModel:
    """Continues a text with a model of pairs of words."""

    def initialize(self, args: Mapping[str, str]) -> None:
        wait_added_load_delay(args)
        self.model = trained(order=2)

    def execute(self, requests: Sequence[serving.Request]) -> None:
        serving.stream_texts(requests, generating.pieces_of(self.model))

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# The interpreter of a model must find the numpy of its own environment first.
sys.path.insert(0, os.environ.get("POINTSMAN_TRITON_SITE", sys.path[0]))
sys.path.insert(1, str(Path(__file__).resolve().parents[3]))

from pointsman_samples import serving
from pointsman_samples.labels import LinearClassifier
from pointsman_samples.loading import wait_added_load_delay


class TritonPythonModel:
    """The subject of a text, from a trained linear layer over its hashed embedding."""

    def initialize(self, args: Mapping[str, str]) -> None:
        wait_added_load_delay(args)
        version = Path(args["model_repository"]) / args["model_version"]
        self.classifier = LinearClassifier.load(version / "weights.npz")

    def execute(self, requests: Sequence[serving.Request]) -> list[serving.Response]:
        return serving.answer_texts(requests, lambda text: self.classifier.classify(text).as_json())

"""Train the weights of `classify_linear` on generated texts, always to the same result.

    .venv/bin/python infra/triton/train_classifier.py [--check]

`--check` trains and compares with the committed weights instead of writing them.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

import numpy as np
from pointsman_samples import corpus, labels

HERE = Path(__file__).resolve().parent

DESCRIPTION: Final = "Train the weights of classify_linear."
WEIGHTS: Final = HERE / "models" / "classify_linear" / "1" / "weights.npz"
# Another seed than measure.py's: no text of the measure is ever trained on.
SEED = 20_260_701
TEXTS = 2_000
# The committed weights have 16 bits; two BLAS builds may round a few of them differently.
TOLERANCE = 0.05


def main() -> int:
    arguments = argparse.ArgumentParser(description=DESCRIPTION)
    arguments.add_argument("--check", action="store_true", help="compare, write nothing")
    check = arguments.parse_args().check
    texts = corpus.labelled_texts(SEED, TEXTS)
    model = labels.train(
        [one.text for one in texts], [one.label for one in texts], rounds=150, rate=30.0, decay=1e-4
    )
    right = sum(model.classify(one.text).label == one.label for one in texts)
    print(f"accuracy on the {TEXTS} texts it was trained on: {right / TEXTS:.3f}")
    if not check:
        model.save(WEIGHTS)
        print(f"wrote {WEIGHTS} ({WEIGHTS.stat().st_size} bytes)")
        return 0
    committed = labels.LinearClassifier.load(WEIGHTS)
    same = np.allclose(committed.weights, model.weights, atol=TOLERANCE)
    print("the committed weights are the trained ones" if same else "the committed weights DIFFER")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())

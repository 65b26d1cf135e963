"""Train the weights of `classify_linear` on generated texts, always to the same result.

    .venv/bin/python infra/triton/train_classifier.py [--check]

`--check` trains and compares with the committed weights instead of writing them.
"""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))

import numpy as np  # noqa: E402 - after the path is set
from pointsman_samples import corpus, labels  # noqa: E402

WEIGHTS = HERE / "models" / "classify_linear" / "1" / "weights.npz"
# Another seed than measure.py's: no text of the measure is ever trained on.
SEED = 20_260_701
TEXTS = 4_000
# The committed weights have 16 bits; two BLAS builds may round a few of them differently.
TOLERANCE = 0.05


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--check", action="store_true", help="compare, write nothing")
    check = arguments.parse_args().check
    texts = corpus.labelled_texts(SEED, TEXTS)
    model = labels.train(
        [one.text for one in texts], [one.label for one in texts], rounds=400, rate=20.0, decay=1e-4
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

"""Every case of bad input, and how it ended: the table of docs/evidence.md.

python benchmarks/evidence/bad_input.py            # all
python benchmarks/evidence/bad_input.py options    # the options of functions alone
"""

import collections
import os
import sys
import tempfile
import time
import warnings
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
warnings.simplefilter("error")


def main():
    from trust import cases, options, problems  # once the folder of tests is found

    os.chdir(tempfile.mkdtemp())
    precisions = () if "options" in sys.argv else (False, True)
    groups = {
        f"{problem}, {64 if x64 else 32} bits": cases.data_cases(problem, x64)
        for x64 in precisions
        for problem in problems.PROBLEMS
    }
    groups |= {f"k-means, {64 if x64 else 32} bits": cases.kmeans_cases(x64) for x64 in precisions}
    every = chain.from_iterable(cases.option_cases(f) for f in options.OPTIONS)
    total, wrong = collections.Counter(), []
    for name, group in (groups | {"options": every}).items():
        began, ends = time.process_time(), collections.Counter()
        for case in group:
            try:
                ends[case.run()] += 1
            except AssertionError as error:
                ends["wrong"] += 1
                wrong.append(f"{case.name}: {error}")
        total += ends
        print(f"{name}: {dict(ends)}, {time.process_time() - began:.0f} s", flush=True)
    print(f"{sum(total.values())} cases: {dict(total)}", *wrong, sep="\n")


if __name__ == "__main__":
    main()

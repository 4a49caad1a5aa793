"""Whether tests notice faults: mutants of the code that computes, by cosmic-ray.

python benchmarks/evidence/mutations.py [100] [SEED] [FOLDER OR FILE ...]

In a clone of its own, for the files are changed in place; cosmic-ray is to be on the path. So many
mutants are drawn at random of em/families, em/step and inference/draws.py, or of what is named
(annotations and strings left out), and each is judged by the tests of its folder, those of its own
family first. Prints the survivors as diffs, and the score.
"""

import ast
import random
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WHERE = ("em/families", "em/step", "inference/draws.py")
SESSION, CONFIG = Path("mutants.sqlite"), Path("mutants.toml")
SECONDS = 400
FOLDERS = {
    "em/families": ["tests/em/families"],
    "em/step": ["tests/em/step", "tests/em/families/test_contract.py", "tests/em/plan"],
    "inference": ["tests/inference/test_several_latents.py", "tests/inference/test_runs.py"],
}
PRIORS = ["tests/em/plan/test_conjugate.py", "tests/em/plan/test_conjugate_normals.py"]
# Families whose tests lie elsewhere.
ELSEWHERE = {
    "linear_regression": ["tests/em/plan/test_linear_regression.py"],
    "incomplete_normal": ["tests/em/rows/test_missing.py"],
}


def own_tests(path):
    """The arguments of pytest for a file, in turn: what fails first ends it."""
    stem = Path(path).stem
    if stem in ELSEWHERE:
        yield [*ELSEWHERE[stem], "-m", "slow or not slow"]
        return
    if path.startswith("em/families") and not stem.startswith("_"):
        name = "".join(part.capitalize() for part in stem.split("_"))
        yield [*FOLDERS["em/families"], "-k", f"{name} or test_{stem}"]
        yield [*FOLDERS["em/families"], "-m", "slow", "-k", f"{name} or test_{stem}"]
        yield PRIORS
        return
    folder = next(f for f in FOLDERS if path.startswith(f))
    yield FOLDERS[folder]


def judge():
    """Run the tests of the file that is changed; the exit status says whether all passed."""
    changed = subprocess.run(
        ["git", "diff", "--name-only"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for path in changed:
        for tests in own_tests(path):
            command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:xdist", *tests]
            code = subprocess.run(command, cwd=ROOT, check=False).returncode
            if code not in (0, 5):  # 5: no such test
                return code
    return 0


def told(path):
    """Lines of a file that are annotations, strings or imports alone: what they say is not run."""
    lines = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        parts += [node] if text or isinstance(node, ast.ImportFrom | ast.TypeAlias) else []
        for part in filter(None, parts):
            lines.update(range(part.lineno, part.end_lineno + 1))
    return lines


def drawn(number, seed):
    """Leave so many of the session's mutants."""
    with sqlite3.connect(SESSION) as session:
        every = session.execute(
            "select job_id, module_path, start_pos_row from mutation_specs order by job_id"
        ).fetchall()
        every.sort(key=lambda row: row[1:])
        silent = {path: told(path) for path in {row[1] for row in every}}
        meant = [job for job, path, line in every if line not in silent[path]]
        kept = set(random.Random(seed).sample(meant, min(number, len(meant))))
        for job, *_ in every:
            if job not in kept:
                session.execute("delete from mutation_specs where job_id = ?", (job,))
                session.execute("delete from work_items where job_id = ?", (job,))
    return len(kept), len(meant)


def report():
    with sqlite3.connect(SESSION) as session:
        found = session.execute("select test_outcome, diff from work_results").fetchall()
    survivors = [diff for outcome, diff in found if re.search("SURVIVED", str(outcome), re.I)]
    print(*survivors, sep="\n\n")
    print(f"{len(found) - len(survivors)} of {len(found)} mutants were noticed")


if __name__ == "__main__":
    if sys.argv[1:] == ["judge"]:
        sys.exit(judge())
    numbers = [int(a) for a in sys.argv[1:3]]
    count, seed = numbers + [100, 0][len(numbers) :]
    places = sys.argv[3:] or list(WHERE)
    CONFIG.write_text(
        f"[cosmic-ray]\nmodule-path = {places}\ntimeout = {SECONDS}\nexcluded-modules = []\n"
        f'test-command = "{sys.executable} {__file__} judge"\n'
        '[cosmic-ray.distributor]\nname = "local"\n'
    )
    SESSION.unlink(missing_ok=True)
    subprocess.run(["cosmic-ray", "init", CONFIG, SESSION], cwd=ROOT, check=True)
    print("{} of {} mutants".format(*drawn(count, seed)), flush=True)
    subprocess.run(["cosmic-ray", "exec", CONFIG, SESSION], cwd=ROOT, check=True)
    report()

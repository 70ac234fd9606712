"""Apply each fault to a copy of the project and run the tests that it names; exit 1 when one survives."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
AT_ONCE = 2
SECONDS = 300
COPIED = ("argo_retention", "argo_retention_tests", "pyproject.toml", "workspace.yaml", "README.md")


@dataclass(frozen=True, kw_only=True)
class Fault:
    name: str
    promise: str
    what: str
    file: str
    line: str
    becomes: str
    tests: tuple[str, ...]


def read_faults(only: list[str]) -> list[Fault]:
    faults = []
    for path in sorted(HERE.glob("*.toml")):
        data = tomllib.loads(path.read_text())
        tests = tuple(data.pop("tests"))
        fault = Fault(name=path.stem, tests=tests, **data)
        if only and fault.name not in only:
            continue
        number = fault.promise[1:]
        named = any(re.search(rf"test_p{number}_", test) for test in tests)
        if not named:
            sys.exit(f"{path.name}: no test of it is named for {fault.promise}")
        faults.append(fault)
    return faults


def copy(root: Path, folder: Path, *ignored: str) -> None:
    for name in COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns(*ignored))
        else:
            shutil.copy(source, folder / name)


def run_tests(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """pytest's exit code and output; the copy comes before the installed package on the path."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, f"took longer than {SECONDS} s"
    return done.returncode, done.stdout + done.stderr


def try_fault(sound: Path, fault: Fault) -> tuple[Fault, str]:
    """ "" when a test turned red; else what went wrong. What is compiled of the sound copy need not be again."""
    with tempfile.TemporaryDirectory(prefix="argo-retention-sabotage-") as name:
        folder = Path(name)
        copy(sound, folder)
        target = folder / fault.file
        text = target.read_text()
        if text.count(fault.line) != 1:
            return fault, f"its line stands {text.count(fault.line)} times in {fault.file}"
        target.write_text(text.replace(fault.line, fault.becomes))
        code, output = run_tests(folder, fault.tests)
    red = re.findall(r"^(?:FAILED|ERROR) \S+::(\S+)", output, re.MULTILINE)
    if code == 1 and any(re.match(r"test_p[1-8]_", name) for name in red):
        return fault, ""
    if code == 0:
        return fault, "SURVIVED: all tests passed"
    return fault, f"pytest ended with {code}: {output.strip().splitlines()[-1:]}"


def main(only: list[str]) -> int:
    faults = read_faults(only)
    tests = tuple(sorted({test for fault in faults for test in fault.tests}))
    with tempfile.TemporaryDirectory(prefix="argo-retention-sabotage-") as name:
        sound = Path(name)
        copy(ROOT, sound, "__pycache__")
        code, output = run_tests(sound, tests)
        if code != 0:
            sys.stdout.write(output)
            sys.stdout.write("The tests are not green without a fault; nothing was tried.\n")
            return 1
        with ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(partial(try_fault, sound), faults))
    width = max(len(fault.name) for fault in faults)
    for fault, problem in results:
        verdict = problem or "caught"
        sys.stdout.write(f"{fault.promise}  {fault.name:<{width}}  {verdict}  ({fault.what})\n")
    survivors = [fault for fault, problem in results if problem]
    sys.stdout.write(f"{len(faults)} faults, {len(faults) - len(survivors)} caught\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

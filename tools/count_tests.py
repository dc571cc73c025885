#!/usr/bin/env python3
"""Counts what a run of `make test` printed, says "N passed, N failed", and exits honestly.

usage: tools/count_tests.py STATUS < output

STATUS is the exit status of the run. It reads ctest's closing line ("100% tests passed, 0 tests
failed out of 9") and unittest's ("Ran 42 tests", then "OK" or "FAILED (failures=1, errors=2)").
A run that failed without a failed test (a compiler error, a missing program) counts as one failure.
"""

import re
import sys


def count(lines):
    """Gives (passed, failed) as the lines tell."""
    passed = failed = 0
    ran = 0
    for line in lines:
        ctest = re.match(r"\d+% tests passed, (\d+) tests? failed out of (\d+)", line)
        if ctest:
            bad, total = int(ctest.group(1)), int(ctest.group(2))
            passed += total - bad
            failed += bad
            continue
        unittest = re.match(r"Ran (\d+) tests? in ", line)
        if unittest:
            ran = int(unittest.group(1))
            continue
        verdict = re.match(r"(OK|FAILED)(?: \((.*)\))?$", line.strip())
        if verdict and ran:
            numbers = dict(re.findall(r"([a-z ]+)=(\d+)", verdict.group(2) or ""))
            numbers = {name.strip(): int(number) for name, number in numbers.items()}
            bad = sum(numbers.get(name, 0) for name in ("failures", "errors", "unexpected successes"))
            failed += bad
            passed += max(ran - bad - numbers.get("skipped", 0), 0)
            ran = 0
    return passed, failed


def main():
    status = int(sys.argv[1])
    passed, failed = count(sys.stdin)
    if status != 0 and failed == 0:
        failed = 1
    if passed == 0 and failed == 0:
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The closing line of .ci/run counts honestly."""

import os
import subprocess
import sys
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "count_tests.py")


class CountTestsTest(unittest.TestCase):
    def run_over(self, output, status):
        run = subprocess.run(
            [sys.executable, SCRIPT, str(status)], input=output, capture_output=True, text=True
        )
        return run.stdout.strip(), run.returncode

    def test_adds_ctest_and_unittest(self):
        output = "100% tests passed, 0 tests failed out of 9\nRan 12 tests in 3.2s\n\nOK\n"
        self.assertEqual(self.run_over(output, 0), ("21 passed, 0 failed", 0))

    def test_failures_and_errors_count(self):
        output = (
            "90% tests passed, 1 tests failed out of 10\n"
            "Ran 5 tests in 0.1s\n\nFAILED (failures=1, errors=2, skipped=1)\n"
        )
        self.assertEqual(self.run_over(output, 2), ("10 passed, 4 failed", 1))

    def test_skipped_tests_are_not_passed(self):
        self.assertEqual(
            self.run_over("Ran 5 tests in 0.1s\n\nOK (skipped=2)\n", 0), ("3 passed, 0 failed", 0)
        )

    def test_a_broken_build_is_a_failure(self):
        self.assertEqual(self.run_over("ninja: build stopped\n", 2), ("0 passed, 1 failed", 1))

    def test_no_test_at_all_is_a_failure(self):
        self.assertEqual(self.run_over("", 0), ("0 passed, 1 failed", 1))


if __name__ == "__main__":
    unittest.main()

"""The layer check fails on what it must fail on, and passes what is right."""

import os
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, TOOLS)

import check_layers  # noqa: E402


class CheckLayersTest(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                full = os.path.join(root, "src", path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            return check_layers.check_tree(root)

    def assert_breach(self, path, text, line, words):
        found = self.check({path: text})
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"src/{path}:{line}: "), found[0])
        self.assertIn(words, found[0])

    def test_passes_what_the_table_allows(self):
        self.assertEqual(
            self.check(
                {
                    "core/a.h": '#include "base/result.h"\n#include <string>\n',
                    "service/a.cc": '#include "store/store.h"\n#include "core/a.h"\n',
                    "service/a_test.cc": '#include "store/sqlite_store.h"\n#include <gtest/gtest.h>\n',
                    "http/a.cc": "#include <boost/beast/http.hpp>\n",
                    "app/a.h": "#include <boost/asio/io_context.hpp>\n",
                    "main.cc": '#include "cli/cli.h"\n',
                }
            ),
            [],
        )

    def test_refuses_an_include_in_a_forbidden_direction(self):
        for path, target in [
            ("base/a.h", "core/ids.h"),
            ("core/a.cc", "env/clock.h"),
            ("env/a.h", "core/ids.h"),
            ("store/a.cc", "env/clock.h"),
            ("http/a.cc", "core/ids.h"),
            ("service/a.cc", "store/sqlite_store.h"),
            ("service/a.cc", "http/message.h"),
            ("gateway/a.cc", "store/store.h"),
            ("gateway/a.cc", "manage/manage.h"),
            ("manage/a.cc", "gateway/gateway.h"),
            ("cli/a.cc", "store/backup.h"),
            ("core/a_test.cc", "env/clock.h"),
        ]:
            with self.subTest(path=path, target=target):
                self.assert_breach(path, f'\n#include "{target}"\n', 2, "may not include")

    def test_refuses_a_heavy_header_in_the_wrong_place(self):
        for path, header in [
            ("gateway/a.cc", "boost/beast/core.hpp"),
            ("http/a.h", "boost/beast/http.hpp"),
            ("service/a.cc", "boost/asio/post.hpp"),
            ("service/a.cc", "boost/json.hpp"),
            ("manage/a.h", "boost/json/value.hpp"),
            ("service/a.cc", "sqlite3.h"),
            ("app/a.cc", "openssl/ssl.h"),
            ("service/a.cc", "sodium.h"),
            ("env/a.h", "toml++/toml.h"),
            ("http/a.cc", "spdlog/spdlog.h"),
            ("app/a.cc", "prometheus/registry.h"),
            ("app/a.cc", "CLI/CLI.hpp"),
            ("base/a.cc", "gtest/gtest.h"),
        ]:
            with self.subTest(path=path, header=header):
                self.assert_breach(path, f"#include <{header}>\n", 1, header)

    def test_refuses_a_source_of_time_but_in_the_clock(self):
        for path, text in [
            ("core/a.cc", "auto now = std::chrono::system_clock::now();"),
            ("gateway/a.cc", "auto now = std::chrono::steady_clock::now();"),
            ("http/a.cc", "auto now = std::chrono::system_clock::now();"),
            ("app/a.cc", "std::time_t now = time(nullptr);"),
            ("app/a.cc", "::time(&now);"),
            ("service/a.cc", "gettimeofday(&now, nullptr);"),
            ("store/a.cc", "clock_gettime(CLOCK_REALTIME, &now);"),
        ]:
            with self.subTest(path=path, text=text):
                self.assert_breach(path, f"\n\n{text}\n", 3, "env/clock.h")

    def test_leaves_comments_texts_and_the_clock_itself_alone(self):
        self.assertEqual(
            self.check(
                {
                    "env/clock.cc": "return std::chrono::system_clock::now();\n",
                    "http/server.cc": "auto now = std::chrono::steady_clock::now();\n",
                    "core/a.cc": "// system_clock::now() is not read here\n"
                    '/* time(nullptr)\n #include "env/clock.h" */\n'
                    'const char* kText = "time(nullptr)";\nvoid Runtime(int time);\n',
                }
            ),
            [],
        )

    def test_a_comment_mark_inside_a_text_hides_nothing(self):
        self.assert_breach(
            "core/a.cc", 'Accept("*/*");\n#include "env/clock.h"\n/* end */\n', 2, "env/clock.h"
        )

    def test_refuses_core_threads_and_chance(self):
        self.assert_breach("core/a.cc", "#include <random>\n", 1, "core does without")

    def test_refuses_a_folder_that_it_does_not_know(self):
        self.assert_breach("misc/a.cc", "\n", 1, "no layer")

    def test_exit_status_tells(self):
        with tempfile.TemporaryDirectory() as root:
            script = os.path.join(TOOLS, "check_layers.py")
            self.assertEqual(subprocess.call([sys.executable, script, root]), 0)
            os.makedirs(os.path.join(root, "src", "core"))
            with open(os.path.join(root, "src", "core", "a.h"), "w", encoding="utf-8") as file:
                file.write('#include "http/server.h"\n')
            run = subprocess.run([sys.executable, script, root], capture_output=True, text=True)
            self.assertEqual(run.returncode, 1)
            self.assertIn("src/core/a.h:1: ", run.stdout)


if __name__ == "__main__":
    unittest.main()

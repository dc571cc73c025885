"""What the guides show is run, and prints what they say.

A block of `bash`, `javascript` or `python` is run as it stands, one after the other as they come in
the page, with the variables that its reader has set: LATCHKEY_URL, LATCHKEY_TOKEN and where the
certificate is. Blocks that set those are passed over. The block that follows (`json`, `csv`, `text`)
is what it prints; … in it stands for anything within a line.
"""

import re
import subprocess
import unittest

from clients import FOLDER
from harness import ROOT, ServerCase, clean_environment, seconds

RUNNERS = {"bash": ["bash", "-euo", "pipefail"], "javascript": ["node"], "python": ["python3"]}
SHOWN = ("json", "csv", "text")


def blocks(text):
    """[(line, language, content)] of the fenced blocks."""
    found = []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        fence = re.fullmatch(r"```(\w*)", lines[at])
        at += 1
        if not fence:
            continue
        start = at
        while lines[at] != "```":
            at += 1
        found.append((start + 1, fence[1], "\n".join(lines[start:at]) + "\n"))
        at += 1
    return found


def shown_as(wanted, got):
    """Whether this output is what the page shows."""
    pattern = re.escape(wanted.strip("\n")).replace("…", ".*")
    return re.fullmatch(pattern, got.replace("\r\n", "\n").strip("\n")) is not None


class GuideTest(ServerCase):
    demo = True

    def run_page(self, path, token):
        environment = clean_environment({
            "LATCHKEY_URL": self.server.ready["url"], "LATCHKEY_TOKEN": token,
            "CURL_CA_BUNDLE": self.server.ready["ca_file"],
            "SSL_CERT_FILE": self.server.ready["ca_file"],
            "NODE_EXTRA_CA_CERTS": self.server.ready["ca_file"],
            "NODE_PATH": str(FOLDER / "node_modules")})
        ran = 0
        page = blocks(path.read_text())
        for (line, language, content), following in zip(page, page[1:] + [(0, "", "")]):
            if language not in RUNNERS or "LATCHKEY_TOKEN=" in content or "npm install" in content:
                continue
            suffix = {"bash": "sh", "javascript": "js", "python": "py"}[language]
            script = self.server.folder / f"sample.{suffix}"
            script.write_text(content)
            done = subprocess.run([*RUNNERS[language], str(script)], env=environment, text=True,
                                  cwd=self.server.folder, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=seconds(60))
            where = f"{path.name}:{line}\n{content}"
            with self.subTest(where):
                self.assertEqual(done.returncode, 0, f"{where}{done.stderr}")
                self.assertEqual(done.stderr, "", where)
                if following[1] in SHOWN:
                    self.assertTrue(shown_as(following[2], done.stdout),
                                    f"{where}printed\n{done.stdout}where the page shows\n"
                                    f"{following[2]}")
            ran += 1
        return ran

    def test_the_samples_of_query_data(self):
        path = ROOT / "docs" / "guides" / "query-data.md"
        self.assertGreater(self.run_page(path, self.server.secret), 15)

    def test_no_guide_holds_a_token(self):
        for path in (ROOT / "docs" / "guides").glob("*.md"):
            self.assertNotRegex(path.read_text(), r"[ps]k_[0-9A-Za-z]{30}", path.name)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Proves by the include lines that a folder of src/ is a layer.

usage: tools/check_layers.py [ROOT]

Fails, naming file, line and rule, on
- an include in a forbidden direction (ALLOWED);
- a heavy header in the wrong folder or in a header file (HEAVY);
- a standard header that core must do without (CORE_WITHOUT);
- a source of time anywhere but env/clock; http may read steady_clock, for its sweep timer.
"""

import os
import re
import sys

# folder -> what it may include: "x/" a folder, "x/y.h" that header alone. Its own folder always.
ALLOWED = {
    "base": [],
    "core": ["base/"],
    "env": ["base/"],
    "store": ["core/", "base/"],
    "limiter": ["core/", "base/"],
    "http": ["env/", "base/"],
    "service": [
        "store/store.h",
        "store/dataset_store.h",
        "store/journal.h",
        "limiter/limiter.h",
        "core/",
        "env/",
        "base/",
    ],
    "gateway": ["service/", "http/", "core/", "env/", "base/"],
    "manage": ["service/", "http/", "core/", "env/", "base/"],
    "app": [
        "base/",
        "core/",
        "env/",
        "store/",
        "limiter/",
        "http/",
        "service/",
        "gateway/",
        "manage/",
        "demo/",
    ],
    "cli": ["app/", "http/", "core/", "env/", "base/"],
    "": ["cli/"],  # src/main.cc
}

# Tests of these folders run over the real back ends; every test may use test/.
TESTS_OVER_BACK_ENDS = {"service", "gateway", "manage"}

# pattern of an include -> (folders, only in .cc files?)
HEAVY = [
    (r"boost/beast(/|\.)", {"http"}, True),
    (r"boost/asio(/|\.)", {"http", "gateway", "manage", "app"}, False),
    (r"boost/json(/|\.)", {"manage", "gateway", "http", "store", "cli"}, True),
    (r"sqlite3", {"store"}, False),
    (r"(postgresql/)?libpq-fe\.h", {"store"}, False),
    (r"hiredis/", {"limiter"}, False),
    (r"openssl/(ssl|tls1|x509v?3?|pem)\.h", {"http"}, False),
    (r"openssl/", {"base", "http"}, False),
    (r"sodium", {"base"}, False),
    (r"toml\+\+/|toml\.hpp", {"env"}, True),
    (r"spdlog/", {"env"}, True),
    (r"prometheus/", {"env"}, True),
    (r"CLI/", {"cli"}, True),
    (r"gtest/|gmock/", set(), True),  # tests alone
]

CORE_WITHOUT = {
    "thread",
    "mutex",
    "shared_mutex",
    "condition_variable",
    "future",
    "random",
    "iostream",
    "fstream",
    "filesystem",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
TIME_SOURCE = re.compile(
    r"\b(?P<clock>\w+_clock)\s*::\s*now\b"
    r"|\b(?P<call>gettimeofday|clock_gettime|timespec_get|ftime)\s*\("
    r"|(?<![\w.>])(?:std::|::)?time\s*\(\s*(?:NULL|nullptr|0|&\s*\w+)\s*\)"
)


PIECES = re.compile(
    r"(?P<include>^[ \t]*#[ \t]*include[^\n]*)"
    r'|R"(?P<mark>[^()\s]*)\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|//[^\n]*"
    r"|/\*.*?\*/",
    flags=re.S | re.M,
)


def without_comments(text):
    """The lines of the text with comments and string literals blanked; includes stay."""

    def blank(piece):
        return piece.group(0) if piece.group("include") else re.sub(r"[^\n]", " ", piece.group(0))

    return PIECES.sub(blank, text).split("\n")


def check_include(folder, is_header, is_test, kind, target):
    """The rule that this include breaks, or None."""
    for pattern, folders, cc_only in HEAVY:
        if not re.match(pattern, target):
            continue
        if folders == set():
            return None if is_test else f"<{target}> belongs in tests alone"
        if folder not in folders:
            where = ", ".join(sorted(folders))
            return f"<{target}> may be included in {where} only"
        if cc_only and is_header:
            return f"<{target}> may be included in .cc files only"
        return None
    if kind == "<":
        if folder == "core" and not is_test and target in CORE_WITHOUT:
            return f"core does without <{target}>"
        return None
    allowed = [f"{folder}/"] if folder else []
    allowed += ALLOWED[folder]
    if is_test:
        allowed.append("test/")
        if folder in TESTS_OVER_BACK_ENDS:
            allowed += ["store/", "limiter/"]
    if any(target == one or (one.endswith("/") and target.startswith(one)) for one in allowed):
        return None
    may = ", ".join(allowed)
    return f'{folder or "src"} may not include "{target}" (it may: {may})'


def check_file(root, path):
    """Yields (line, rule) for each breach in one file of src/."""
    relative = os.path.relpath(path, os.path.join(root, "src"))
    folder = relative.split(os.sep)[0] if os.sep in relative else ""
    if folder not in ALLOWED:
        yield 1, f"src/{folder} is no layer that tools/check_layers.py knows"
        return
    is_header = path.endswith(".h")
    is_test = path.endswith("_test.cc")
    is_clock = relative in (os.path.join("env", "clock.cc"), os.path.join("env", "clock.h"))
    with open(path, encoding="utf-8") as file:
        lines = without_comments(file.read())
    for number, line in enumerate(lines, 1):
        include = INCLUDE.match(line)
        if include:
            rule = check_include(folder, is_header, is_test, include.group(1), include.group(2))
            if rule:
                yield number, rule
            continue
        for source in TIME_SOURCE.finditer(line):
            if is_clock or (folder == "http" and source.group("clock") == "steady_clock"):
                continue
            yield number, f"{source.group(0).strip()}: time comes from env/clock.h alone"


def check_tree(root):
    """Gives every breach under ROOT/src as "file:line: rule"."""
    found = []
    for folder, _, names in sorted(os.walk(os.path.join(root, "src"))):
        for name in sorted(names):
            if name.endswith((".h", ".cc")):
                path = os.path.join(folder, name)
                for line, rule in check_file(root, path):
                    found.append(f"{os.path.relpath(path, root)}:{line}: {rule}")
    return found


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..")
    found = check_tree(root)
    for breach in found:
        print(breach)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Holds docs/openapi.yaml and the code together.

usage: tools/check_openapi.py [ROOT]

Fails, naming what differs, unless
- every route of the code's tables (src/manage/routes.cc, src/gateway/routes.cc) is a path and method
  of the page, and the other way round;
- the page's enum of reasons is the table of src/core/reason.cc;
- every reference of the page leads somewhere, and no operationId stands twice.

The page is read by its indentation, two blanks a level, since the standard library has no YAML.
"""

import os
import re
import sys

METHODS = {"get", "head", "post", "put", "patch", "delete", "options"}


def routes_of_manage(text):
    """RouteInfo{Method::kGet, "/manage/v1/tokens", …} → {("get", "/manage/v1/tokens"), …}"""
    return {
        (method.lower(), pattern)
        for method, pattern in re.findall(r'RouteInfo\{\s*Method::k(\w+),\s*"([^"]+)"', text)
    }


def routes_of_gateway(text):
    """add(Method::kGet, "/data/{+workspace}", …) → {("get", "/v1/data/{workspace}"), …}"""
    return {
        (method.lower(), "/v1" + pattern.replace("{+", "{"))
        for method, pattern in re.findall(r'\badd\(\s*Method::k(\w+),\s*"([^"]+)"', text)
    }


def reasons_of_code(text):
    """{Reason::kNotFound, 404, "not_found", …} → {"not_found", …}"""
    return set(re.findall(r'\{\s*Reason::k\w+,\s*\d+,\s*"(\w+)"', text))


def without_comment(line):
    return "" if line.lstrip().startswith("#") else line.rstrip()


def read_page(text):
    """The routes, reasons, operationIds, references and component names of the page."""
    routes, reasons, operation_ids, names = set(), set(), [], set()
    top = section = path = name = member = None
    for line in map(without_comment, text.split("\n")):
        indent = len(line) - len(line.lstrip())
        key = re.match(r'\s*("[^"]+"|/?[^\s:"][^\s]*?):(\s|$)', line)
        if not line.strip():
            continue
        if indent == 0:
            top, section, name = (key.group(1) if key else None), None, None
        elif top == "paths" and indent == 2 and key:
            path = line.strip()[:-1]
        elif top == "paths" and indent == 4 and key and key.group(1) in METHODS:
            routes.add((key.group(1), path))
        elif top == "components" and indent == 2 and key:
            section = key.group(1)
        elif top == "components" and indent == 4 and key:
            name, member = key.group(1).strip('"'), None
            names.add(f"#/components/{section}/{name}")
        elif top == "components" and indent == 6 and key:
            member = key.group(1)
        elif (section, name, member) == ("schemas", "Reason", "enum"):
            reasons.update(re.findall(r"^\s*- (\w+)$", line))
        operation = re.match(r"\s*operationId: (\S+)$", line)
        if operation:
            operation_ids.append(operation.group(1))
    references = set(re.findall(r'\$ref: "([^"]+)"', text))
    return routes, reasons, operation_ids, references, names


def problems(manage, gateway, reason, page):
    """What differs, one sentence each."""
    found = []
    routes, reasons, operation_ids, references, names = read_page(page)
    code = routes_of_manage(manage) | routes_of_gateway(gateway)
    if not code or not reasons_of_code(reason):
        found.append("no routes or no reasons were found in the code: this script must be mended")
    for method, path in sorted(code - routes):
        found.append(f"docs/openapi.yaml lacks {method.upper()} {path}")
    for method, path in sorted(routes - code):
        found.append(f"docs/openapi.yaml has {method.upper()} {path}, which the code has not")
    for name in sorted(reasons_of_code(reason) - reasons):
        found.append(f"docs/openapi.yaml lacks the reason {name}")
    for name in sorted(reasons - reasons_of_code(reason)):
        found.append(f"docs/openapi.yaml has the reason {name}, which the code has not")
    for reference in sorted(references - names):
        found.append(f"docs/openapi.yaml refers to {reference}, which is not there")
    for name in sorted(names - references):
        if not name.startswith("#/components/securitySchemes/"):
            found.append(f"docs/openapi.yaml has {name}, which nothing refers to")
    for name in sorted({name for name in operation_ids if operation_ids.count(name) > 1}):
        found.append(f"docs/openapi.yaml has the operationId {name} twice")
    if len(operation_ids) != len(routes):
        found.append("docs/openapi.yaml has operations without an operationId")
    return found


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def main(root):
    found = problems(
        read(root, "src/manage/routes.cc"),
        read(root, "src/gateway/routes.cc"),
        read(root, "src/core/reason.cc"),
        read(root, "docs/openapi.yaml"),
    )
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))

#!/usr/bin/env python3
"""What a request costs: CPU microseconds (user + system of the server) per request, and ratios.

usage: test/bench/run.py [--rounds N] [--seconds S] [--tokens N] [--only WORD] [--json FILE]

`make bench` builds everything first and then runs this, so nothing compiles meanwhile; run it on a
machine that does nothing else. Servers stand on the first core, wrk on the second. All candidates
are measured in turn within each round, so that what drifts, drifts for all; the table shows medians
over the rounds. A server's CPU time is the run time of its threads as the scheduler counts it
(/proc/PID/task/*/schedstat, in nanoseconds).
"""

import argparse
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
BENCH = os.path.join(BUILD, "test", "bench")
SERVER_CORE, LOAD_CORE = "0", "1"
CONNECTIONS = "64"
TARGET = "/v1/data/core/STOCKS/AAPL"
UNKNOWN_TOKEN = "pk_" + "0" * 30 + "3KzPDL"  # well-formed; nobody has it

# A request per token in turn. The file has one token a line.
ROTATE = """
local tokens = {}
for line in io.lines("%s") do tokens[#tokens + 1] = line end
local before = "GET %s?token="
local after = " HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n"
local next_token = 0
request = function()
  next_token = next_token %% #tokens + 1
  return before .. tokens[next_token] .. after
end
"""

NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/nginx.access.log combined buffer=64k flush=1s;
  keepalive_requests 100000000;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {chain};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    {headers}
    location / {{ default_type "application/json; charset=utf-8"; return 200 '{body}'; }}
  }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_nanoseconds(pid):
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with contextlib.suppress(OSError), open(path) as file:
            total += int(file.read().split()[0])
    return total


def resident_bytes(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) * 1024


class Process:
    """A server pinned to its core; ends with the block."""

    def __init__(self, arguments, folder, name, **more):
        self.log = open(os.path.join(folder, name + ".out"), "w+")
        self.process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE] + arguments, stdout=self.log, stderr=self.log, **more
        )
        self.pid = self.process.pid

    def await_port(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with open(self.log.name) as file:
                if found := re.match(r"(\d+)\n", file.read()):
                    return found.group(1)
            time.sleep(0.02)
        raise SystemExit(f"{self.log.name}: did not start")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Latchkey(Process):
    def __init__(self, data, folder, name, datasets=""):
        ready = os.path.join(folder, name + ".ready")
        config = os.path.join(folder, name + ".toml")
        with open(config, "w") as file:
            file.write(f'[log]\naccess = "{folder}/{name}.access.log"\n[server]\nthreads = 1\n')
            file.write(f"[datasets]\n{datasets}\n")
        started = time.monotonic()
        super().__init__(
            [os.path.join(BUILD, "latchkey"), "serve", "--demo", "--config", config, "--data", data]
            + ["--https-port", "0", "--http-port", "0", "--manage-port", "0"]
            + ["--internal-port", "0", "--ready-file", ready],
            folder,
            name,
        )
        while not os.path.exists(ready):
            if self.process.poll() is not None or time.monotonic() - started > 300:
                with open(self.log.name) as file:
                    raise SystemExit(f"{name} did not start:\n{file.read()}")
            time.sleep(0.005)
        self.start_seconds = time.monotonic() - started
        with open(ready) as file:
            self.ready = json.load(file)
        time.sleep(0.5)
        self.resident = resident_bytes(self.pid)


class Candidate:
    def __init__(self, name, process, url, lua=None, status=200):
        self.name, self.process, self.url, self.lua, self.status = name, process, url, lua, status
        self.micros = []
        self.rates = []

    def measure(self, seconds):
        command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", "-c" + CONNECTIONS, f"-d{seconds}s"]
        command += ["-s", self.lua] if self.lua else []
        before = cpu_nanoseconds(self.process.pid)
        out = subprocess.run(command + [self.url], capture_output=True, text=True, check=True)
        spent = cpu_nanoseconds(self.process.pid) - before
        count = int(re.search(r"(\d+) requests in", out.stdout).group(1))
        failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out.stdout)
        refused = int(failed.group(1)) if failed else 0
        if refused != (0 if self.status == 200 else count) or "Socket errors" in out.stdout:
            raise SystemExit(f"{self.name}: unexpected answers\n{out.stdout}")
        return spent / count / 1000, float(re.search(r"Requests/sec:\s+([\d.]+)", out.stdout)[1])


def mint(data, count, file):
    subprocess.run(
        [os.path.join(BENCH, "mint_tokens"), data, "demo", str(count), file], check=True
    )


def make_certificate(folder):
    chain, key = os.path.join(folder, "nginx.pem"), os.path.join(folder, "nginx.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-subj", "/CN=localhost", "-days", "2", "-keyout", key, "-out", chain],
        check=True,
        capture_output=True,
    )
    return chain, key


def fetch(url):
    out = subprocess.run(["curl", "-sk", "-D", "-", url], capture_output=True, text=True).stdout
    head, _, body = out.partition("\r\n\r\n") if "\r\n\r\n" in out else out.partition("\n\n")
    return head.splitlines()[1:], body


def start_nginx(folder, like_url):
    """nginx with the same body and the same fields as Latchkey's answer."""
    chain, key = make_certificate(folder)
    port = free_port()
    fields, body = fetch(like_url)
    own = ("date", "content-type", "content-length", "connection", "server")
    headers = ""
    for line in fields:
        name, _, value = line.strip().partition(": ")
        if name and name.lower() not in own:
            headers += f'add_header {name} "{value}" always;\n    '
    config = os.path.join(folder, "nginx.conf")
    with open(config, "w") as file:
        file.write(
            NGINX.format(
                folder=folder, port=port, chain=chain, key=key, headers=headers, body=body
            )
        )
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    process = Process([binary, "-c", config, "-p", folder], folder, "nginx")
    for _ in range(200):
        children = subprocess.run(
            ["pgrep", "-P", str(process.pid)], capture_output=True, text=True
        ).stdout.split()
        if children:
            process.pid = int(children[0])  # the worker: it does the work
            break
        time.sleep(0.02)
    time.sleep(0.3)
    return process, f"https://127.0.0.1:{port}{TARGET}"


def row(table, what, ratio, goal):
    verdict = "" if goal is None else ("ok" if ratio <= goal else "MISSED")
    table.append((what, f"{ratio:.2f}", "" if goal is None else f"≤ {goal:.2f}", verdict))


def print_table(head, rows):
    widths = [max(len(str(r[i])) for r in [head] + rows) for i in range(len(head))]
    for line in [head, tuple("-" * w for w in widths)] + rows:
        print("| " + " | ".join(str(c).ljust(w) for c, w in zip(line, widths)) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="measure candidates whose name holds this, beside the floor")
    parser.add_argument("--json", help="write the numbers to this file")
    options = parser.parse_args()
    if os.cpu_count() < 2:
        raise SystemExit("two cores are needed: one for the server, one for the load")

    folder = tempfile.mkdtemp(prefix="latchkey-bench.")
    processes = []

    def start(process):
        processes.append(process)
        return process

    try:
        run(options, folder, start)
    finally:
        for process in processes:
            process.stop()
        shutil.rmtree(folder, ignore_errors=True)


def run(options, folder, start):
    few_file, many_file = os.path.join(folder, "few"), os.path.join(folder, "many")
    servers = {}
    for name, count, file in (("few", 100, few_file), ("many", options.tokens, many_file)):
        data = os.path.join(folder, name + ".data")
        first = Latchkey(data, folder, name + "-first")  # makes the demo
        first.stop()
        mint(data, count, file)
        servers[name] = start(Latchkey(data, folder, name))
    few, many = servers["few"], servers["many"]

    lua = {}
    for name, file in (("few", few_file), ("many", many_file)):
        lua[name] = os.path.join(folder, name + ".lua")
        with open(lua[name], "w") as out:
            out.write(ROTATE % (file, TARGET))

    token = few.ready["publishable_token"]
    plain, tls = few.ready["http_url"] + TARGET, few.ready["url"] + TARGET
    nginx, nginx_url = start_nginx(folder, f"{plain}?token={token}")
    start(nginx)
    floor = start(Process([os.path.join(BENCH, "floor"), "0"], folder, "floor"))
    floor_url = f"http://127.0.0.1:{floor.await_port()}{TARGET}"
    hello = start(Process([os.path.join(BENCH, "http_hello"), "0"], folder, "http_hello"))
    hello_url = f"http://127.0.0.1:{hello.await_port()}{TARGET}"

    candidates = [
        Candidate("floor", floor, floor_url),
        Candidate("http layer alone", hello, hello_url),
        Candidate("answer from memory", few, f"{plain}?token={token}"),
        Candidate("100 tokens in turn", few, few.ready["http_url"], lua["few"]),
        Candidate(f"{options.tokens:,} tokens in turn", many, many.ready["http_url"], lua["many"]),
        Candidate("refusal: no token", few, plain, status=401),
        Candidate("refusal: malformed token", few, f"{plain}?token=rubbish", status=403),
        Candidate("refusal: unknown token", few, f"{plain}?token={UNKNOWN_TOKEN}", status=403),
        Candidate("TLS: answer from memory", few, f"{tls}?token={token}"),
        Candidate("TLS: nginx return 200", nginx, nginx_url),
    ]
    measured = [c for c in candidates if c.name == "floor" or options.only in c.name]
    for candidate in measured:
        candidate.measure(1)  # warm
    for number in range(options.rounds):
        for candidate in measured:
            micros, rate = candidate.measure(options.seconds)
            candidate.micros.append(micros)
            candidate.rates.append(rate)
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)

    report(options, measured, few, many)


def report(options, measured, few, many):
    median = {c.name: statistics.median(c.micros) for c in measured}
    base = median.get("floor")
    rows = []
    for c in measured:
        rows.append(
            (
                c.name,
                f"{median[c.name]:.2f}",
                f"{min(c.micros):.2f} to {max(c.micros):.2f}",
                f"{median[c.name] / base:.2f}" if base else "",
                f"{statistics.median(c.rates):,.0f}",
            )
        )
    print(f"\n{CONNECTIONS} connections, {options.rounds} rounds of {options.seconds} s, medians\n")
    print_table(("candidate", "CPU µs/request", "range", "to the floor", "requests/s"), rows)

    ratios = []

    def compare(what, above, below, goal):
        if above in median and below in median:
            row(ratios, what, median[above] / median[below], goal)

    answer, million = "answer from memory", f"{options.tokens:,} tokens in turn"
    compare("answer from memory / floor", answer, "floor", 1.35)
    compare(f"{options.tokens:,} / 100 tokens in turn", million, "100 tokens in turn", 1.15)
    for name in ("no token", "malformed token", "unknown token"):
        compare(f"refusal, {name} / answer", "refusal: " + name, answer, 1.0)
    compare("TLS / nginx return 200", "TLS: " + answer, "TLS: nginx return 200", 1.0)
    print()
    print_table(("ratio", "measured", "goal", ""), ratios)

    per_token = (many.resident - few.resident) / max(options.tokens - 100, 1)
    print(
        f"\nstart with 100 tokens {few.start_seconds:.2f} s, with {options.tokens:,} "
        f"{many.start_seconds:.2f} s; resident bytes per token {per_token:.0f} (goal ≤ 400)"
    )
    if options.json:
        with open(options.json, "w") as file:
            json.dump({c.name: c.micros for c in measured}, file, indent=1)


if __name__ == "__main__":
    main()

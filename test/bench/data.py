#!/usr/bin/env python3
"""What records cost: CPU microseconds of the server per query that nothing prepared, per record
written, and how both grow with the dataset.

usage: test/bench/data.py [--sizes 10000,1000000] [--rounds N] [--seconds S]

Run it as run.py, whose ways it shares: on a machine that does nothing else, after
`ninja -C build latchkey bench_programs`. Each size is a dataset of its own: 250 records of 10
fields per key. Prepared answers are switched off, so each query goes to SQLite.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import urllib.parse

import run

PER_KEY = 250
BATCH = 1000
BATCHES = 40
FIRST_DAY = 1_000_000_000_000  # ms
DAY = 86_400_000

# One of the keys, by chance, per request.
RANDOM_KEY = """
math.randomseed(%d)
request = function()
  return "GET %s/K" .. math.random(0, %d) .. "%s HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n"
end
"""


def field_values(key, day):
    return [round(100 + (key * 31 + day * 7) % 1000 / 7, 4) for _ in range(5)]


def write_csv(path, records):
    with open(path, "w") as out:
        out.write("symbol,date,open,high,low,close,mean,volume,exchange,final\n")
        keys = max(records // PER_KEY, 1)
        for day in range(PER_KEY):
            for key in range(keys):
                values = ",".join(map(str, field_values(key, day)))
                out.write(f"K{key},{FIRST_DAY + day * DAY},{values},{key * day},XNAS,true\n")


def batch(keys, number, one_key):
    """Records that are new, each later than all of its key."""
    names = ["symbol", "date", "open", "high", "low", "close", "mean", "volume", "exchange", "final"]
    rows = []
    for i in range(number * BATCH, (number + 1) * BATCH):
        key = 0 if one_key else i * 7919 % keys  # 7919 is prime: all keys, far apart
        rows.append([f"K{key}", FIRST_DAY + PER_KEY * DAY + i, *field_values(key, i), i, "XNAS", True])
    random.shuffle(rows)
    return json.dumps([dict(zip(names, row)) for row in rows])


def write_cost(server, path, keys, one_key):
    """CPU µs per record of each batch."""
    url = urllib.parse.urlsplit(server.ready["http_url"])
    connection = http.client.HTTPConnection(url.hostname, url.port)
    costs = []
    for number in range(BATCHES):
        body = batch(keys, number + (BATCHES if one_key else 0), one_key)
        before = run.cpu_nanoseconds(server.pid)
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise SystemExit(f"a write was refused: {answer.status} {text}")
        costs.append((run.cpu_nanoseconds(server.pid) - before) / 1000 / BATCH)
    return costs


def import_records(server, data, folder, records):
    file = os.path.join(folder, "records.csv")
    write_csv(file, records)
    before = run.cpu_nanoseconds(server.pid)
    command = [os.path.join(run.BUILD, "latchkey"), "dataset", "import", file, "--data", data]
    command += ["--dataset", "demo/BENCH", "--key", "symbol", "--date", "date"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    os.remove(file)
    return (run.cpu_nanoseconds(server.pid) - before) / 1000 / records


def measure(options, folder, size, floor):
    name = f"records-{size}"
    data = os.path.join(folder, name + ".data")
    server = run.Latchkey(data, folder, name, datasets='cache_bytes = "0"')
    try:
        rows = [("import, per record", import_records(server, data, folder, size))]
        keys = max(size // PER_KEY, 1)
        path = "/v1/data/demo/BENCH"
        secret = server.ready["secret_token"]
        candidates = [("floor", floor)]
        for what, query in (("newest of a key", ""), ("250 newest of a key", "&last=250")):
            lua = os.path.join(folder, name + f"{len(candidates)}.lua")
            with open(lua, "w") as out:
                out.write(RANDOM_KEY % (size, path, keys - 1, f"?token={secret}{query}"))
            url = server.ready["http_url"]
            candidates.append((what, run.Candidate(what, server, url, lua)))
        for _, candidate in candidates:
            candidate.measure(1)
        costs = {what: [] for what, _ in candidates}
        for _ in range(options.rounds):
            for what, candidate in candidates:
                costs[what].append(candidate.measure(options.seconds)[0])
        rows += [(what, statistics.median(costs[what])) for what, _ in candidates]
        target = f"/v1/record/demo/BENCH?token={secret}"
        for what, one_key in (("write, a key each", False), ("write, one key", True)):
            rows.append((what + ", per record", statistics.median(
                write_cost(server, target, keys, one_key))))
        return dict(rows)
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="10000,1000000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    os.sched_setaffinity(0, {int(run.LOAD_CORE)})
    folder = tempfile.mkdtemp(prefix="latchkey-bench.")
    floor = run.Process([os.path.join(run.BENCH, "floor"), "0"], folder, "floor")
    try:
        url = f"http://127.0.0.1:{floor.await_port()}{run.TARGET}"
        columns = [measure(options, folder, size, run.Candidate("floor", floor, url)) for size in sizes]
    finally:
        floor.stop()
        shutil.rmtree(folder, ignore_errors=True)
    head = ("CPU µs",) + tuple(f"{size:,}" for size in sizes) + ("last / first",)
    rows = []
    for what in columns[0]:
        values = [column[what] for column in columns]
        rows.append((what,) + tuple(f"{v:.2f}" for v in values) + (f"{values[-1] / values[0]:.2f}",))
    run.print_table(head, rows)


if __name__ == "__main__":
    main()

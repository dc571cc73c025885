"""Uploads as jobs: what they take, what they say of bad lines, what survives a kill and a full disk,
and that one account's upload holds up nobody."""

import contextlib
import csv
import ctypes
import ctypes.util
import io
import json
import os
import random
import threading
import time
import unittest

from data_case import Customer, DataCase, json_lines
from harness import Case, ConnectionEnded, SANITIZED, seconds, wait_until

LARGE_MB = int(os.environ.get("LATCHKEY_TEST_UPLOAD_MB", "16" if SANITIZED else "64"))
KILLS = int(os.environ.get("LATCHKEY_TEST_KILLS", "6"))
STATES = ("VALIDATING", "VALIDATED", "INGESTING", "INGESTED", "FAILED")


def lines_of(count, text="v"):
    return "key,n,text\n" + "".join(f"K{i},{i},{text}\n" for i in range(count))


class FormsTest(DataCase):
    ROWS = [{"key": "A", "date": "2024-01-01", "n": 1, "text": "x"},
            {"key": "B", "date": "2024-01-02", "n": 2, "text": "y"}]

    def test_the_answer_names_the_job_and_where_it_is(self):
        answer = self.acme.upload("ANSWER", "key,n\nA,1\n")
        said = answer.json()
        self.assertEqual((answer.status, answer.header("Content-Type"), said["success"]),
                         (200, "application/json; charset=utf-8", True))
        self.assertIsInstance(said["message"], str)
        self.assertEqual(said["jobUrl"], f"/v1/jobs/acme/ingest/{said['jobId']}")
        job = self.assertOk(self.acme.get(said["jobUrl"])).json()
        self.assertIn(job["status"], STATES)
        self.assertEqual(job["jobId"], said["jobId"])
        self.assertEqual(self.acme.ended_job(said["jobId"])["status"], "INGESTED")

    def test_forms_are_told_by_content_whatever_the_type_says(self):
        table = [list(self.ROWS[0])] + [[str(v) for v in r.values()] for r in self.ROWS]
        forms = {"COMMA": "\n".join(map(",".join, table)), "TAB": "\n".join(map("\t".join, table)),
                 "PIPE": "\r\n".join(map("|".join, table)), "ARRAY": json.dumps(self.ROWS),
                 "PRETTY": json.dumps(self.ROWS, indent=2), "LINES": json_lines(self.ROWS),
                 "BOM": "\ufeff" + "\n".join(map(",".join, table)),
                 "BOM_JSON": "\ufeff" + json.dumps(self.ROWS),
                 "BLANKS": "\n \n" + json_lines(self.ROWS)}
        for name, text in forms.items():
            for content_type in ("text/csv", "application/json", "application/octet-stream"):
                with self.subTest(name, content_type=content_type):
                    job = self.acme.loaded(name, text, "overwrite=true", content_type=content_type)
                    self.assertEqual((job["status"], job["stored"], job["rejected"]),
                                     ("INGESTED", 2, 0), job)
                    self.assertEqual(self.acme.records(f"{name}/A,B", ""), self.ROWS)

    def test_an_upload_adds_to_what_stands_or_overwrites_it(self):
        self.acme.loaded("ADDED", "key,n\nA,1\nB,1\n")
        self.acme.loaded("ADDED", "key,n\nB,2\nC,2\n")
        self.assertEqual({r["key"]: r["n"] for r in self.acme.records("ADDED")},
                         {"A": 1, "B": 2, "C": 2})
        job = self.acme.loaded("ADDED", "key,n\nC,3\nD,3\n", "duplicateKeyHandling=ignore")
        self.assertEqual(job["stored"], 1)
        self.assertEqual({r["key"]: r["n"] for r in self.acme.records("ADDED")},
                         {"A": 1, "B": 2, "C": 2, "D": 3})
        self.acme.loaded("ADDED", "key,n\nZ,9\n", "overwrite=true")
        self.assertEqual(self.acme.records("ADDED"), [{"key": "Z", "n": 9}])

    def test_without_creation_on_demand_or_as_nothing_it_is_refused(self):
        answer = self.acme.upload("NOT_THERE", "key,n\nA,1\n", "createDatasetOnDemand=false")
        self.assertRefused(answer, 404, "not_found")
        for query, name in (("overwrite=1", "overwrite"), ("last=1", "last"),
                            ("maximumValidationErrors=-1", "maximumValidationErrors"),
                            ("duplicateKeyHandling=x", "duplicateKeyHandling")):
            self.assertInvalid(self.acme.upload("NOT_THERE", "key\nA\n", query), name)
        self.assertRefused(self.acme.get("/v1/data/acme/NOT_THERE"), 404, "not_found")

    def test_an_empty_file_stores_nothing(self):
        for name, text in (("EMPTY", ""), ("BLANK", "\n\n")):
            answer = self.acme.upload(name, text)
            if answer.status == 200:
                self.assertEqual(self.acme.ended_job(answer.json()["jobId"])["status"], "FAILED")
            else:
                self.assertInvalid(answer)
            self.assertRefused(self.acme.get(f"/v1/data/acme/{name}"), 404, "not_found")

    def test_an_upload_may_come_in_chunks(self):
        with self.server.plain.connect() as connection:
            connection.send((f"POST /v1/data/acme/CHUNKS?token={self.acme.secret} HTTP/1.1\r\n"
                             "Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").encode())
            for piece in ("key,", "n\nA,", "1\n", "B,2"):
                connection.send(f"{len(piece):x}\r\n{piece}\r\n".encode())
            connection.send(b"0\r\n\r\n")
            answer = self.assertOk(connection.read_answer("POST"))
        self.assertEqual(self.acme.ended_job(answer.json()["jobId"])["stored"], 2)

    def test_an_upload_that_breaks_off_leaves_nothing(self):
        with self.server.plain.connect() as connection:
            connection.send((f"POST /v1/data/acme/BROKEN?token={self.acme.secret} HTTP/1.1\r\n"
                             "Host: localhost\r\nContent-Length: 1000000\r\n\r\nkey,n\nA,1\n").encode())
        self.assertRefused(self.acme.get("/v1/data/acme/BROKEN"), 404, "not_found")

        def left():
            folder = self.server.data / "uploads"
            return [p.name for p in folder.rglob("*")] if folder.exists() else []
        jobs = self.assertOk(self.acme.get("/v1/jobs/acme/ingest")).json()
        wait_until("no file of an upload to be left", lambda: len(
            [n for n in left() if "rejected" not in n]) == 0)
        self.assertNotIn("BROKEN", [j["datasetId"] for j in jobs])

    def test_the_list_of_jobs(self):
        first = self.acme.loaded("LISTED", "key\nA\n")["jobId"]
        second = self.acme.loaded("LISTED", "key\nB\n")["jobId"]
        jobs = self.assertOk(self.acme.get("/v1/jobs/acme/ingest")).json()
        ids = [j["jobId"] for j in jobs]
        self.assertIn(first, ids)
        self.assertIn(second, ids)
        limited = self.assertOk(self.acme.get("/v1/jobs/acme/ingest?limit=1")).json()
        self.assertEqual([j["jobId"] for j in limited], [second])
        self.assertRefused(self.acme.get("/v1/jobs/acme/ingest/nothing"), 404, "not_found")


class BadLinesTest(DataCase):
    def rejected(self, id):
        answer = self.assertOk(self.acme.get(f"/v1/jobs/acme/ingest/{id}/rejected"))
        self.assertEqual(answer.header("Content-Type"), "text/csv; charset=utf-8")
        return list(csv.DictReader(io.StringIO(answer.text, newline="")))

    def prepare(self, name):
        self.assertEqual(self.acme.define(name, {"key": "string", "n": "integer"}, "key").status, 200)
        self.acme.wrote(name, [{"key": "OLD", "n": 0}])

    def test_one_bad_line_fails_the_job_and_nothing_is_stored(self):
        self.prepare("STRICT")
        job = self.acme.loaded("STRICT", "key,n\nA,1\nB,x\nC,3\n")
        self.assertEqual((job["status"], job["rejected"], job["stored"]), ("FAILED", 1, 0))
        self.assertTrue(job["message"])
        self.assertEqual(self.acme.records("STRICT"), [{"key": "OLD", "n": 0}])
        bad = self.rejected(job["jobId"])
        self.assertEqual([(r["line"], r["text"]) for r in bad], [("3", "B,x")])
        self.assertIn("n", bad[0]["reason"])

    def test_up_to_the_maximum_they_are_left_out(self):
        self.prepare("LENIENT")
        text = "key,n\nA,1\nB,x\nC\n,4\nD,5\n"
        job = self.acme.loaded("LENIENT", text, "maximumValidationErrors=2")
        self.assertEqual((job["status"], job["rejected"]), ("FAILED", 3))
        self.assertEqual(len(self.acme.records("LENIENT")), 1)
        job = self.acme.loaded("LENIENT", text, "maximumValidationErrors=3")
        self.assertEqual((job["status"], job["rejected"], job["stored"], job["lines"]),
                         ("INGESTED", 3, 2, 5))
        self.assertEqual({r["key"] for r in self.acme.records("LENIENT")}, {"OLD", "A", "D"})
        self.assertEqual([r["line"] for r in self.rejected(job["jobId"])], ["3", "4", "5"])

    def test_bad_lines_of_json_lines_and_arrays(self):
        self.prepare("JSON_LINES")
        text = ('{"key":"A","n":1}\n{"key":"B","n":"x"}\nnonsense\n{"key":"C","n":3,"other":1}\n'
                '{"key":"D","n":4}\n')
        job = self.acme.loaded("JSON_LINES", text, "maximumValidationErrors=10")
        self.assertEqual((job["status"], job["rejected"], job["stored"]), ("INGESTED", 3, 2))
        bad = self.rejected(job["jobId"])
        self.assertEqual([r["line"] for r in bad], ["2", "3", "4"])
        self.assertIn("other", bad[2]["reason"])
        self.prepare("JSON_ARRAY")
        job = self.acme.loaded("JSON_ARRAY", '[{"key":"A","n":1},\n{"key":"B","n":"x"}]',
                               "maximumValidationErrors=10")
        self.assertEqual((job["status"], job["rejected"], job["stored"]), ("INGESTED", 1, 1))
        job = self.acme.loaded("JSON_ARRAY", '[{"key":"C","n":1},\n{"key":', "maximumValidationErrors=10")
        self.assertEqual(job["status"], "FAILED")
        self.assertEqual({r["key"] for r in self.acme.records("JSON_ARRAY")}, {"OLD", "A"})

    def test_a_job_without_bad_lines_has_no_list_of_them(self):
        job = self.acme.loaded("GOOD", "key,n\nA,1\n")
        answer = self.acme.get(f"/v1/jobs/acme/ingest/{job['jobId']}/rejected")
        if answer.status == 200:
            self.assertEqual(list(csv.DictReader(io.StringIO(answer.text))), [])
        else:
            self.assertRefused(answer, 404, "not_found")


class LargeTest(DataCase):
    def stream(self, name, megabytes, record_bytes=1000, query=""):
        """Sends a file of this size without holding it; the answer and the number of records."""
        text = "t" * (record_bytes - 30)
        count = megabytes * 1_000_000 // record_bytes
        with self.server.plain.connect(timeout=120) as connection:
            connection.send((f"POST /v1/data/acme/{name}?token={self.acme.secret}{query} HTTP/1.1\r\n"
                             "Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").encode())
            for start in range(0, count, 1000):
                piece = "key,n,text\n" if start == 0 else ""
                piece += "".join(f"K{i},{i},{text}\n" for i in range(start, min(start + 1000, count)))
                connection.send(f"{len(piece):x}\r\n{piece}\r\n".encode())
            connection.send(b"0\r\n\r\n")
            return connection.read_answer("POST"), count

    @unittest.skipIf(SANITIZED, "a sanitizer's memory is its own")
    def test_a_large_file_takes_little_memory(self):
        answer, count = self.stream("LARGE", LARGE_MB)
        self.assertOk(answer)
        job = self.acme.ended_job(answer.json()["jobId"], timeout=300)
        self.assertEqual((job["status"], job["stored"]), ("INGESTED", count), job)
        self.assertEqual(self.acme.records(f"LARGE/K{count - 1}")[0]["n"], count - 1)
        self.assertLess(self.server.memory_peak_kib(), 200_000)

    def test_an_upload_does_not_stall_anothers_writes_and_reads(self):
        self.rival.wrote("SMALL", [{"key": "K", "n": 0}])
        stop, slow, failures = threading.Event(), [], []

        def write():
            number = 0
            with self.server.plain.connect() as connection:
                while not stop.is_set():
                    number += 1
                    body = json.dumps([{"key": "K", "n": number}]).encode()
                    before = time.monotonic()
                    answer = connection.request(
                        "POST", f"/v1/record/rival/SMALL?token={self.rival.secret}", {}, body)
                    slow.append(time.monotonic() - before)
                    if answer.status != 200:
                        failures.append(answer)
                        return
                    time.sleep(0.005)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            answer, count = self.stream("BUSY", max(8, LARGE_MB // 4), record_bytes=200)
            job = self.acme.ended_job(self.assertOk(answer).json()["jobId"], timeout=300)
        finally:
            stop.set()
            writer.join()
        self.assertEqual(failures, [])
        self.assertEqual((job["status"], job["stored"]), ("INGESTED", count))
        slow.sort()
        print(f"{len(slow)} writes beside an upload: median {slow[len(slow) // 2] * 1000:.1f} ms, "
              f"99 in 100 below {slow[len(slow) * 99 // 100] * 1000:.1f} ms, "
              f"slowest {slow[-1] * 1000:.1f} ms", flush=True)
        # 50 ms are promised on a machine of its own; a test's machine is not always one.
        self.assertLess(slow[len(slow) * 95 // 100], seconds(0.25))

    def test_readers_see_an_upload_whole_or_not_at_all(self):
        self.acme.loaded("WHOLE", lines_of(3000, "old"))
        seen, stop, failures = set(), threading.Event(), []

        def read():
            while not stop.is_set():
                texts = {r["text"] for r in self.acme.records("WHOLE")}
                if len(texts) != 1:
                    failures.append(texts)
                seen.update(texts)
        reader = threading.Thread(target=read)
        reader.start()
        for number in range(4):
            job = self.acme.loaded("WHOLE", lines_of(3000, f"new{number}"),
                                   "overwrite=true" if number % 2 else "")
            self.assertEqual(job["status"], "INGESTED", job)
            self.assertEqual({r["text"] for r in self.acme.records("WHOLE")}, {f"new{number}"})
        stop.set()
        reader.join()
        self.assertEqual(failures, [])

    def test_a_write_while_an_upload_drains_is_neither_lost_nor_undone(self):
        for round in range(3):
            id = self.acme.upload("DRAINED", lines_of(8000, f"up{round}")).json()["jobId"]
            written = {}
            while self.acme.job(id)["status"] not in ("INGESTED", "FAILED"):
                key = f"OTHER{len(written)}"
                if self.acme.write("DRAINED", [{"key": key, "n": round, "text": "mine"}]).status == 200:
                    written[key] = round
            for key in ("K1", "K7999", "K4000"):
                self.acme.wrote("DRAINED", [{"key": key, "n": -1, "text": f"after{round}"}])
                self.assertEqual(self.acme.records(f"DRAINED/{key}")[0]["text"], f"after{round}")
            for key in written:
                self.assertEqual(self.acme.records(f"DRAINED/{key}")[0]["n"], round, key)
            self.assertEqual(self.acme.deleted("DRAINED/K2"), 1)
            self.assertEqual(self.acme.records("DRAINED/K2"), [])
            time.sleep(0.3)  # whether or not the drain has ended, the same must be seen
            self.assertEqual(self.acme.records("DRAINED/K2"), [])
            self.assertEqual(self.acme.records("DRAINED/K1")[0]["text"], f"after{round}")


class KillTest(Case):
    """kill -9 at any moment: what was acknowledged stands, whole; what was not is whole or absent."""

    BATCH = 1500

    def test_writes_and_uploads_survive_kill_9_at_any_moment(self):
        seed = int(os.environ.get("LATCHKEY_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"LATCHKEY_TEST_SEED={seed}", flush=True)
        chance = random.Random(seed)
        server = self.start()
        server.make_plan("basic")
        acme = Customer.make(server, "acme")
        acknowledged, begun, jobs = [0], [0], {}
        acme.wrote("BATCH", [{"key": f"K{i}", "n": 0} for i in range(self.BATCH)])
        for round in range(KILLS):
            stop = threading.Event()
            failures = []

            def write():
                try:
                    while not stop.is_set():
                        begun[0] += 1
                        acme.wrote("BATCH", [{"key": f"K{i}", "n": begun[0]}
                                             for i in range(self.BATCH)])
                        acknowledged[0] = begun[0]
                except (ConnectionEnded, OSError):
                    pass
                except AssertionError as error:
                    failures.append(error)

            def upload():
                number = 0
                try:
                    while not stop.is_set():
                        number += 1
                        name = f"UP_{round}_{number}"
                        answer = acme.upload(name, lines_of(2000, f"t{number}"))
                        if answer.status != 200:
                            raise AssertionError(repr(answer))
                        jobs[answer.json()["jobId"]] = name
                        time.sleep(chance.random() * 0.05)
                except (ConnectionEnded, OSError):
                    pass
                except AssertionError as error:
                    failures.append(error)
            workers = [threading.Thread(target=write), threading.Thread(target=upload)]
            for worker in workers:
                worker.start()
            time.sleep(seconds(0.2 + chance.random() * 1.2))
            server.kill()
            stop.set()
            for worker in workers:
                worker.join()
            self.assertEqual(failures, [], f"LATCHKEY_TEST_SEED={seed}")
            server.start()
            numbers = {r["n"] for r in acme.records("BATCH")}
            self.assertEqual(len(numbers), 1, f"a part of a write; LATCHKEY_TEST_SEED={seed}")
            number = numbers.pop()
            self.assertTrue(acknowledged[0] <= number <= begun[0],
                            (acknowledged, number, begun, seed))
            acknowledged[0] = number
            for id, name in jobs.items():
                job = acme.ended_job(id, timeout=120)
                self.assertEqual((job["status"], job["stored"]), ("INGESTED", 2000), (job, seed))
                self.assertEqual(len(acme.records(name)), 2000, (name, seed))
        done = server.cli("doctor", "--json")
        findings = json.loads(done.stdout)["items"]
        self.assertEqual([f for f in findings if f["health"] == "bad"], [])

    def test_a_deletion_of_many_survives_kill_9_whole_or_not_at_all(self):
        server = self.start()
        server.make_plan("basic")
        acme = Customer.make(server, "acme")
        for round in range(KILLS):
            rows = [{"key": "K", "date": 1_700_000_000_000 + i, "n": i} for i in range(6000)]
            self.assertEqual(acme.wrote(f"D{round}", rows), 6000)
            outcome = []

            def delete():
                with contextlib.suppress(ConnectionEnded, OSError):
                    outcome.append(acme.deleted(f"D{round}/K"))
            worker = threading.Thread(target=delete)
            worker.start()
            time.sleep(seconds(0.002 * (round + 1)))
            server.kill()
            worker.join()
            server.start()
            left = len(acme.records(f"D{round}/K"))
            self.assertIn(left, (0,) if outcome else (0, 6000))


class FullDiskTest(Case):
    """A write or an upload that finds no space is refused; what stands is whole; later all goes on."""

    def test_a_full_file_system(self):
        folder = self.folder()
        libc = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6", use_errno=True)
        if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"size=32m,mode=0700") != 0:
            self.skipTest("mounting a file system needs root")
        self.addCleanup(libc.umount2, str(folder).encode(), 2)
        server = self.start(data=folder / "data")
        server.make_plan("basic")
        acme = Customer.make(server, "acme")
        rows = [{"key": f"K{i}", "n": 0, "text": "x" * 200} for i in range(1500)]
        self.assertEqual(acme.wrote("A", rows), 1500)
        filler = folder / "filler"
        with open(filler, "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * 4096)
        refused, good = 0, 0
        for number in range(1, 40):
            answer = acme.write("A", [{**r, "n": number, "key": f"{r['key']}"} for r in rows])
            if answer.status == 200:
                good = number
            else:
                self.assertRefused(answer, 503, "unavailable")
                refused += 1
            self.assertEqual({r["n"] for r in acme.records("A")}, {good})
            if refused == 3:
                break
        self.assertEqual(refused, 3, "the disk was never full")
        answer = acme.upload("UP", lines_of(20_000, "y" * 300))
        if answer.status == 200:
            job = acme.ended_job(answer.json()["jobId"], timeout=120)
            self.assertEqual(job["status"], "FAILED", job)
        else:
            self.assertRefused(answer, 503, "unavailable")
        self.assertIn(acme.get("/v1/data/acme/UP").status, (404,))
        self.assertEqual({r["n"] for r in acme.records("A")}, {good})
        filler.unlink()
        wait_until("writes to be taken again",
                   lambda: acme.write("A", [{"key": "NEW", "n": good, "text": ""}]).status == 200)
        job = acme.loaded("UP", lines_of(2000, "z"), timeout=120)
        self.assertEqual(job["status"], "INGESTED", job)
        self.assertEqual(len(acme.records("UP")), 2000)
        self.assertEqual(server.terminate(), 0)
        server.start()
        self.assertEqual({r["n"] for r in acme.records("A")}, {good})
        self.assertEqual(len(acme.records("UP")), 2000)


if __name__ == "__main__":
    unittest.main()

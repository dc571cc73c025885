"""Records written and deleted: whole or not at all, seen at once, refused with the field named."""

import threading
import unittest

from data_case import Customer, DataCase
from harness import SANITIZED, wait_until


class WriteTest(DataCase):
    def test_the_answer_says_how_many_were_stored(self):
        answer = self.acme.write("ANSWER", [{"key": "A", "n": 1}, {"key": "B", "n": 2}])
        self.assertEqual((answer.status, answer.json()),
                         (200, {"success": True, "message": "wrote 2 messages"}))
        self.assertEqual(answer.header("Content-Type"), "application/json; charset=utf-8")

    def test_the_unique_index_is_key_subkey_and_date(self):
        self.assertEqual(self.acme.define("INDEX", {"k": "string", "s": "string", "d": "date",
                                                    "n": "integer"}, "k", "s", "d").status, 200)
        record = {"k": "A", "s": "x", "d": "2024-01-01", "n": 1}
        others = [{**record, "k": "B"}, {**record, "s": "y"}, {**record, "d": "2024-01-02"},
                  {**record, "s": None}, {**record, "d": None}]
        self.assertEqual(self.acme.wrote("INDEX", [record, *others]), 6)
        self.assertEqual(self.acme.wrote("INDEX", [{**r, "n": 2} for r in [record, *others]]), 6)
        self.assertEqual([r["n"] for r in self.acme.records("INDEX")], [2] * 6)
        self.assertEqual(len(self.acme.records("INDEX", "from=2000-01-01")), 5)
        # Names compare without case and come back as they are now; "" is an absent part.
        self.assertEqual(self.acme.wrote("INDEX", [{**record, "k": "a", "s": "X", "n": 3},
                                                   {**record, "s": "", "n": 4}]), 2)
        self.assertEqual(len(self.acme.records("INDEX")), 6)
        self.assertEqual([(r["k"], r["n"]) for r in self.acme.records("INDEX/A/x", "on=2024-01-01")],
                         [("a", 3)])

    def test_of_equal_records_in_a_request_the_last_stays_or_with_ignore_the_first(self):
        rows = [{"key": "A", "n": 1}, {"key": "A", "n": 2}, {"key": "a", "n": 3}]
        self.assertEqual(self.acme.wrote("LAST", rows), 1)
        self.assertEqual([r["n"] for r in self.acme.records("LAST")], [3])
        self.assertEqual(self.acme.wrote("FIRST", rows, "duplicateKeyHandling=ignore"), 1)
        self.assertEqual([r["n"] for r in self.acme.records("FIRST")], [1])
        self.assertEqual(self.acme.wrote("FIRST", rows, "duplicateKeyHandling=ignore"), 0)

    def test_types_are_inferred_on_demand(self):
        self.acme.wrote("INFERRED", [
            {"key": "A", "date": "2024-01-31", "i": 1, "n": 1, "b": True, "s": "x", "o": {"a": 1},
             "l": [1], "any": 1},
            {"key": "B", "date": "2024-02-01", "i": 2, "n": 2.5, "b": False, "s": "2024", "o": {},
             "l": [], "any": "x", "later": 7}])
        schema = self.acme.get("/v1/data/acme/INFERRED?schema=true").json()[0]
        self.assertEqual({n: p["type"] for n, p in schema["schema"]["properties"].items()},
                         {"key": "string", "date": "date", "i": "number", "n": "number",
                          "b": "boolean", "s": "string", "o": "object", "l": "array",
                          "any": "any", "later": "number"})
        self.assertEqual((schema["columnMapping"]["key"], schema["columnMapping"]["date"]),
                         ("key", "date"))

    def test_what_is_not_allowed_is_refused_with_the_field_and_record_named(self):
        self.acme.define("TYPES", {"key": "string", "d": "date", "n": "number", "i": "integer",
                                   "s": "string", "o": "object", "l": "array", "b": "boolean",
                                   "a": "any"}, "key", required=["s"])
        good = {"key": "A", "s": "x"}
        self.assertEqual(self.acme.wrote("TYPES", [good]), 1)
        for field, value in (("d", "not a day"), ("d", True), ("d", "2023-02-29"), ("n", "x"),
                             ("n", True), ("i", 1.5), ("i", "x"), ("s", 1), ("s", {}),
                             ("s", None), ("o", []), ("o", "x"), ("l", {}), ("l", 1), ("b", "x"),
                             ("b", 0), ("unknown", 1), ("_systemThing", 1), ("key", ""),
                             ("key", None), ("key", "x" * 1501), ("key", {"a": 1})):
            with self.subTest(field=field, value=str(value)[:20]):
                before = self.acme.records("TYPES")
                answer = self.acme.write("TYPES", [{"key": "B", "s": "y"},
                                                   {**good, field: value}])
                self.assertInvalid(answer, field)
                self.assertRegex(answer.text, r"\b2\b")
                self.assertEqual(self.acme.records("TYPES"), before)
        answer = self.acme.write("TYPES", [{"key": "B"}])
        self.assertInvalid(answer, "s")

    def test_bodies_that_are_no_records_are_refused(self):
        self.acme.wrote("BODIES", [{"key": "A", "n": 1}])
        for body in ("", "[", "[1]", '["x"]', "[[]]", "null", "true", "7", '"x"', "[{]",
                     '[{"key":"A","n":1}', '[{"key":"A","n":1},]', '[{"key":"A","n":01}]',
                     '[{"key":"A","key":"B"}]', '[{"key":"A","n":NaN}]', '{"key":"A"} x',
                     "[{'key':'A'}]", "[{}]"):
            with self.subTest(body):
                self.assertInvalid(self.acme.write("BODIES", body))
        answer = self.acme.write("BODIES", b'[{"key":"\xff","n":1}]')
        self.assertInvalid(answer)
        deep = "[" * 100 + "]" * 100
        self.assertInvalid(self.acme.write("BODIES", f'[{{"key":"A","n":{deep}}}]'))
        self.assertEqual(self.acme.records("BODIES"), [{"key": "A", "n": 1}])

    def test_a_record_is_at_most_64_kb_and_an_indexed_value_1500_bytes(self):
        self.assertEqual(self.acme.wrote("SIZES", [{"key": "x" * 1500, "text": "y" * 60_000}]), 1)
        self.assertEqual(len(self.acme.records("SIZES/" + "x" * 1500)[0]["text"]), 60_000)
        self.assertInvalid(self.acme.write("SIZES", [{"key": "x" * 1501, "text": ""}]), "key")
        self.assertInvalid(self.acme.write("SIZES", [{"key": "a", "text": "y" * 65_536}]))
        # 1,500 bytes, not characters.
        self.assertInvalid(self.acme.write("SIZES", [{"key": "ü" * 751, "text": ""}]), "key")
        self.assertEqual(len(self.acme.records("SIZES")), 1)

    def test_parameters_are_checked_by_name(self):
        self.acme.wrote("PARAMETERS", [{"key": "A"}])
        for query, name in (("duplicateKeyHandling=merge", "duplicateKeyHandling"),
                            ("wait=1", "wait"), ("createDatasetOnDemand=no",
                                                 "createDatasetOnDemand"),
                            ("overwrite=true", "overwrite"), ("last=1", "last"),
                            ("wait=true&wait=true", "wait")):
            with self.subTest(query):
                self.assertInvalid(self.acme.write("PARAMETERS", [{"key": "A"}], query), name)
        self.assertEqual(self.acme.wrote("PARAMETERS", [{"key": "A"}], "wait=true&nonce=7"), 1)

    def test_without_creation_on_demand_an_absent_dataset_is_not_found(self):
        answer = self.acme.write("NOT_THERE", [{"key": "A"}], "createDatasetOnDemand=false")
        self.assertRefused(answer, 404, "not_found", "Not Found")
        self.assertRefused(self.acme.get("/v1/data/acme/NOT_THERE"), 404, "not_found")

    def test_a_dataset_on_demand_needs_an_index(self):
        self.assertInvalid(self.acme.write("NO_INDEX", [{"n": 1.5}]))
        self.assertRefused(self.acme.get("/v1/data/acme/NO_INDEX"), 404, "not_found")

    def test_dates_come_back_as_they_were_given(self):
        self.acme.wrote("DATES", [{"key": "A", "date": "2024-02-29"},
                                  {"key": "B", "date": "2024-02-29T01:02:03Z"},
                                  {"key": "C", "date": 1709168523000}])
        self.assertEqual([r["date"] for r in self.acme.records("DATES/A,B,C")],
                         ["2024-02-29", "2024-02-29T01:02:03Z", 1709168523000])
        self.assertEqual(len(self.acme.records("DATES", "on=2024-02-29")), 3)

    def test_a_large_request_is_seen_whole_or_not_at_all(self):
        count = 3000
        self.acme.wrote("WHOLE", [{"key": f"K{i}", "n": 0} for i in range(count)])
        seen, stop, failures = set(), threading.Event(), []

        def read():
            while not stop.is_set():
                try:
                    numbers = {r["n"] for r in self.acme.records("WHOLE")}
                    if len(numbers) != 1:
                        failures.append(numbers)
                    seen.update(numbers)
                except Exception as error:  # told below, in the test's own thread
                    failures.append(error)
                    return
        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for number in range(1, 6):
            rows = [{"key": f"K{i}", "n": number} for i in range(count)]
            self.assertEqual(self.acme.wrote("WHOLE", rows), count)
            self.assertEqual({r["n"] for r in self.acme.records("WHOLE")}, {number})
        stop.set()
        for reader in readers:
            reader.join()
        self.assertEqual(failures, [])

    def test_a_large_request_with_one_bad_record_stores_nothing(self):
        rows = [{"key": f"K{i}", "n": i} for i in range(2500)]
        self.acme.wrote("ONE_BAD", [{"key": "FIRST", "n": 1}])
        answer = self.acme.write("ONE_BAD", [*rows, {"key": "BAD", "n": "x"}])
        self.assertInvalid(answer, "n", "2501")
        self.assertEqual(self.acme.records("ONE_BAD"), [{"key": "FIRST", "n": 1}])

    def test_the_catalogue_counts_what_is_written_and_deleted(self):
        def count():
            return {d["id"]: d["records"] for d in self.acme.get("/v1/data/acme").json()}["COUNTED"]
        self.acme.wrote("COUNTED", [{"key": f"K{i}", "n": i} for i in range(10)])
        self.assertEqual(count(), 10)
        self.acme.wrote("COUNTED", [{"key": f"K{i}", "n": 0} for i in range(5, 15)])
        self.assertEqual(count(), 15)
        self.acme.deleted("COUNTED/K3")
        self.assertEqual(count(), 14)
        self.acme.wrote("COUNTED", [{"key": f"L{i}", "n": 0} for i in range(2500)])
        wait_until("the count to be exact", lambda: count() == 2514)

    def test_two_writers_of_one_dataset_lose_nothing(self):
        self.acme.wrote("TWO", [{"key": "START", "n": 0}])
        failures = []

        def write(name):
            try:
                for i in range(20):
                    self.acme.wrote("TWO", [{"key": f"{name}{i}-{j}", "n": j} for j in range(50)])
            except Exception as error:
                failures.append(error)
        writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(self.acme.records("TWO")), 4 * 20 * 50 + 1)


class DeleteTest(DataCase):
    def fill(self, name, subkeys=True):
        fields = {"k": "string", "s": "string", "d": "date", "n": "integer"}
        self.acme.define(name, fields, "k", "s" if subkeys else None, "d")
        rows = [{"k": k, "s": s, "d": f"2024-01-0{d}", "n": d}
                for k in "AB" for s in (("x", "y") if subkeys else ("x",)) for d in range(1, 6)]
        self.assertEqual(self.acme.wrote(name, rows), len(rows))

    def left(self, name):
        return {(r["k"], r["s"], r["n"]) for r in self.acme.records(name)}

    def test_by_key_subkey_and_date(self):
        self.fill("PATHS")
        self.assertEqual(self.acme.deleted("PATHS/A/x/2024-01-02"), 1)
        self.assertNotIn(("A", "x", 2), self.left("PATHS"))
        self.assertEqual(self.acme.deleted("PATHS/a/X"), 4)
        self.assertEqual(self.acme.deleted("PATHS/A"), 5)
        self.assertEqual({k for k, _, _ in self.left("PATHS")}, {"B"})
        self.assertEqual(self.acme.deleted("PATHS/A"), 0)
        self.assertEqual(len(self.left("PATHS")), 10)

    def test_from_and_to_bound_it_by_day(self):
        self.fill("SPANS")
        self.assertEqual(self.acme.deleted("SPANS/A", "from=2024-01-02&to=2024-01-03"), 4)
        self.assertEqual(self.acme.deleted("SPANS/A/x", "from=2024-01-05"), 1)
        self.assertEqual(self.acme.deleted("SPANS/B/y", "to=2024-01-02"), 2)
        self.assertEqual(len(self.left("SPANS")), 20 - 7)

    def test_a_dataset_without_subkeys_takes_a_date_after_the_key(self):
        self.fill("NO_SUBS", subkeys=False)
        self.assertEqual(self.acme.deleted("NO_SUBS/A/2024-01-02"), 1)
        self.assertEqual(len(self.left("NO_SUBS")), 9)

    def test_the_answer_is_the_sentence_that_clients_know(self):
        self.fill("SENTENCE")
        answer = self.acme.delete("SENTENCE/A/x/2024-01-02")
        self.assertEqual((answer.status, answer.json()),
                         (200, {"success": True, "message": "deleted 1 records"}))
        self.assertEqual(answer.header("Content-Type"), "application/json; charset=utf-8")

    def test_what_is_not_allowed_deletes_nothing(self):
        self.fill("REFUSED")
        for path, query in (("REFUSED/A", "from=yesterday"), ("REFUSED/A", "range=1d"),
                            ("REFUSED/A", "from=2024-01-01&from=2024-01-01"),
                            ("REFUSED/A/x/never", ""), ("REFUSED/A", "last=1"),
                            ("REFUSED/A/x/2024-01-02", "from=2024-01-01")):
            with self.subTest(path, query=query):
                self.assertInvalid(self.acme.delete(path, query))
        answer = self.acme.delete("REFUSED")
        self.assertGreaterEqual(answer.status, 400)
        self.assertEqual(len(self.left("REFUSED")), 20)

    def test_many_records_go_at_once(self):
        rows = [{"key": "MANY" if i % 4 else "FEW", "date": 1_700_000_000_000 + i * 1000, "n": i}
                for i in range(6000)]
        self.assertEqual(self.acme.wrote("MANY", rows), 6000)
        self.assertEqual(self.acme.deleted("MANY/MANY"), 4500)
        self.assertEqual(self.acme.records("MANY/MANY"), [])
        self.assertEqual(len(self.acme.records("MANY/FEW")), 1500)
        self.assertEqual(len(self.acme.records("MANY")), 1500)
        self.assertEqual(self.acme.wrote("MANY", rows[:100]), 100)
        self.assertEqual(len(self.acme.records("MANY/MANY")), 75)


class LimitsTest(DataCase):
    """The plan's maxima refuse, each by its name."""

    plan = {"max_datasets": 2, "max_storage_bytes": 200_000, "max_jobs": 1}

    def test_the_number_of_datasets(self):
        one = Customer.make(self.server, "counted")
        self.assertEqual(one.wrote("A", [{"key": "A"}]), 1)
        self.assertEqual(one.define("B", {"key": "string"}, "key").status, 200)
        for refused in (one.write("C", [{"key": "A"}]), one.define("C", {"key": "string"}, "key"),
                        one.upload("C", "key\nA\n")):
            self.assertRefused(refused, 403, "plan_limit_reached")
            self.assertIn("dataset", refused.text)
        self.assertEqual(one.wrote("A", [{"key": "B"}]), 1)
        self.assertEqual(one.call("DELETE", "/v1/datasets/counted/B").status, 200)
        self.assertEqual(one.wrote("C", [{"key": "A"}]), 1)

    def test_storage(self):
        one = Customer.make(self.server, "stored")
        rows = [{"key": f"K{i}", "text": "x" * 1000} for i in range(100)]
        self.assertEqual(one.wrote("A", rows), 100)
        refused = 0
        for number in range(4):
            answer = one.write("A", [{**r, "key": f"{r['key']}-{number}"} for r in rows])
            if answer.status != 200:
                self.assertRefused(answer, 403, "plan_limit_reached")
                self.assertIn("storage", answer.text)
                refused += 1
        self.assertGreaterEqual(refused, 3)
        stands = len(one.records("A"))
        answer = one.upload("A", "key,text\n" + "".join(f"L{i},{'x' * 1000}\n" for i in range(200)))
        if answer.status == 200:
            job = one.ended_job(answer.json()["jobId"])
            self.assertEqual(job["status"], "FAILED")
            self.assertIn("storage", job["message"])
        else:
            self.assertRefused(answer, 403, "plan_limit_reached")
        self.assertEqual(len(one.records("A")), stands)
        # Deleting makes room.
        for i in range(100):
            one.delete(f"A/K{i}")
        self.assertEqual(one.wrote("A", rows[:50]), 50)

    def test_jobs(self):
        one = Customer.make(self.server, "busy")
        lines = 20_000 if SANITIZED else 60_000
        text = "key,n\n" + "".join(f"K{i},{i}\n" for i in range(lines))
        self.server.operate("PATCH", "/plans/basic", {"max_storage_bytes": None}, {"If-Match": "*"})
        try:
            first = one.upload("A", text)
            self.assertEqual(first.status, 200, repr(first))
            second = one.upload("A", "key,n\nX,1\n")
            self.assertRefused(second, 403, "plan_limit_reached")
            self.assertIn("upload", second.text)
            self.assertEqual(one.ended_job(first.json()["jobId"])["status"], "INGESTED")
            self.assertEqual(one.loaded("A", "key,n\nX,1\n")["status"], "INGESTED")
        finally:
            self.server.operate("PATCH", "/plans/basic", {"max_storage_bytes": 200_000},
                                {"If-Match": "*"})


class RightsTest(DataCase):
    """A secret token reaches all of its account's datasets and no other's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.import_csv("core/OPEN", "key,v\nA,1\n", key="key")
        cls.server.import_csv("premium/DEAR", "key,v\nA,1\n", key="key")
        cls.acme.wrote("MINE", [{"key": "A", "v": 1}])

    def attempts(self, workspace, name, token):
        call = self.acme.call
        body = [{"key": "A", "v": 2}]
        definition = {"dataset": {"datasetId": name, "schema": {"type": "object", "properties": {
            "key": {"type": "string"}}}, "columnMapping": {"key": "key"}}}
        yield "write", call("POST", f"/v1/record/{workspace}/{name}", body, token=token)
        yield "write without creation", call(
            "POST", f"/v1/record/{workspace}/{name}?createDatasetOnDemand=false", body, token=token)
        yield "load", call("POST", f"/v1/data/{workspace}/{name}", "key,v\nA,2\n", token=token)
        yield "delete", call("DELETE", f"/v1/data/{workspace}/{name}/A", token=token)
        yield "change", call("PATCH", f"/v1/datasets/{workspace}/{name}",
                             {"dataset": {"title": "x"}}, token=token)
        yield "put", call("PUT", f"/v1/datasets/{workspace}/{name}", definition, token=token)
        yield "update", call("POST", f"/v1/datasets/{workspace}/{name}", definition, token=token)
        yield "rename", call("PUT", f"/v1/datasets/{workspace}/{name}/OTHER", token=token)
        yield "remove", call("DELETE", f"/v1/datasets/{workspace}/{name}", token=token)
        yield "create", call("POST", f"/v1/datasets/{workspace}", definition, token=token)

    def test_another_accounts_dataset_answers_as_one_that_is_not_there(self):
        for name in ("MINE", "NOBODYS"):
            answer = self.rival.get(f"/v1/data/acme/{name}/A")
            self.assertRefused(answer, 401, "data_restricted")
            self.assertRefused(self.rival.get(f"/v1/data/nowhere/{name}/A"), 401, "data_restricted")
        there = {n: (a.status, a.reason, a.text) for n, a in
                 self.attempts("acme", "MINE", self.rival.secret)}
        absent = {n: (a.status, a.reason, a.text) for n, a in
                  self.attempts("acme", "NOBODYS", self.rival.secret)}
        nowhere = {n: (a.status, a.reason, a.text) for n, a in
                   self.attempts("nowhere", "NOBODYS", self.rival.secret)}
        self.assertEqual(there, absent)
        self.assertEqual(there, nowhere)
        self.assertEqual({(s, r) for s, r, _ in there.values()}, {(401, "data_restricted")})
        self.assertEqual(self.acme.records("MINE"), [{"key": "A", "v": 1}])

    def test_a_job_of_another_account_answers_as_one_that_is_not_there(self):
        job = self.acme.loaded("JOBS", "key,v\nA,1\n")["jobId"]
        answers = {(a.status, a.reason, a.text) for a in (
            self.rival.get(f"/v1/jobs/acme/ingest/{job}"),
            self.rival.get("/v1/jobs/acme/ingest/job_0000000000000000000000"),
            self.rival.get(f"/v1/jobs/acme/ingest/{job}/rejected"),
            self.rival.get("/v1/jobs/acme/ingest"))}
        self.assertEqual({(s, r) for s, r, _ in answers}, {(401, "data_restricted")})
        self.assertEqual(len(answers), 1)
        self.assertRefused(self.rival.get(f"/v1/jobs/rival/ingest/{job}"), 404, "not_found")

    def test_core_and_premium_belong_to_the_operator(self):
        for workspace, name in (("core", "OPEN"), ("core", "NO_SUCH"), ("premium", "DEAR")):
            for what, answer in self.attempts(workspace, name, self.acme.secret):
                with self.subTest(what, workspace=workspace, name=name):
                    self.assertRefused(answer, 401, "data_restricted")
        self.assertEqual(self.acme.records("/core/OPEN/A")[0]["v"], 1)

    def test_a_publishable_token_only_reads(self):
        for workspace, name in (("acme", "MINE"), ("acme", "NOBODYS"), ("core", "OPEN")):
            for what, answer in self.attempts(workspace, name, self.acme.publishable):
                with self.subTest(what, workspace=workspace, name=name):
                    self.assertEqual(answer.status, 401, repr(answer))
                    self.assertIn(answer.reason, ("secret_token_required", "data_restricted"))
        self.assertEqual(self.acme.records("MINE"), [{"key": "A", "v": 1}])
        self.assertRefused(self.acme.get("/v1/data/acme/MINE", self.acme.publishable), 401,
                           "data_restricted")

    def test_a_list_with_one_foreign_dataset_is_refused_as_a_whole(self):
        self.rival.wrote("OWN", [{"key": "A"}])
        self.assertRefused(self.rival.get("/v1/data/acme/OWN,MINE/A"), 401, "data_restricted")

    def test_core_data_access_off_hides_core(self):
        token, _ = self.server.make_token(self.acme.secret, core_data_access=False)
        for name in ("OPEN", "NO_SUCH"):
            self.assertRefused(self.acme.get(f"/v1/data/core/{name}", token["token"]), 401,
                               "data_restricted")

    def test_premium_needs_the_switch_and_then_the_subscription(self):
        for name in ("DEAR", "NO_SUCH"):
            self.assertRefused(self.acme.get(f"/v1/data/premium/{name}", self.acme.publishable), 401,
                               "data_restricted")
        self.assertRefused(self.acme.get("/v1/data/premium/DEAR"), 402, "premium_required")

    def test_a_secret_token_is_refused_to_browsers_for_writes_too(self):
        for header in ({"Origin": "https://www.example.com"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = self.acme.call("POST", "/v1/record/acme/MINE", [{"key": "A", "v": 9}], header)
            self.assertRefused(answer, 403, "secret_token_in_browser")
        self.assertEqual(self.acme.records("MINE"), [{"key": "A", "v": 1}])

    def test_without_a_token_it_is_asked_for(self):
        for method, target in (("POST", "/v1/record/acme/MINE"), ("POST", "/v1/data/acme/MINE"),
                               ("DELETE", "/v1/data/acme/MINE/A"), ("GET", "/v1/datasets/acme"),
                               ("POST", "/v1/datasets/acme"), ("GET", "/v1/jobs/acme/ingest/x")):
            answer = self.server.plain.request(method, target, {}, b"[]" if method == "POST" else None)
            self.assertRefused(answer, 401, "token_required")


if __name__ == "__main__":
    unittest.main()

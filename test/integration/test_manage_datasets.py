"""An account's datasets and uploads through /manage/v1, and the same through the operator."""

import json
import unittest

from harness import ServerCase, wait_until

FIELDS = [{"name": "symbol", "type": "string", "required": True},
          {"name": "day", "type": "date", "required": True}, {"name": "close", "type": "number"}]


class ManageCase(ServerCase):
    demo = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.make_plan("free")
        cls.server.make_plan("small", max_datasets=2, max_jobs=1, max_storage_bytes=20_000)
        cls.secret = cls.server.make_account("acme", "free")["secret_token"]["token"]
        rival = cls.server.make_account("rival", "free")
        cls.rival = rival["secret_token"]["token"]
        cls.publishable = rival["publishable_token"]["token"]

    def call(self, method, target, body=None, token=None, headers=()):
        return self.server.manage.call(method, f"/manage/v1{target}", token or self.secret, body,
                                       headers)

    def make(self, name, token=None, **more):
        body = {"name": name, "fields": FIELDS, "key": "symbol", "date": "day", **more}
        answer, dataset = self.call("POST", "/datasets", body, token)
        self.assertEqual(answer.status, 201, repr(answer))
        return dataset

    def upload(self, dataset, text, query="", token=None):
        body = text if isinstance(text, bytes) else text.encode()
        return self.call("POST", f"/datasets/{dataset}:upload{query}", body, token,
                         {"Content-Type": "text/csv"})

    def ended(self, job, token=None):
        def look():
            _, found = self.call("GET", f"/jobs/{job['id']}", token=token)
            return found if found["state"] in ("ingested", "failed") else None
        return wait_until("the job's end", look)

    def rows(self, dataset, token=None):
        answer, page = self.call("GET", f"/datasets/{dataset}/records?page_size=500", token=token)
        self.assertEqual(answer.status, 200, repr(answer))
        return page["items"]


class DatasetTest(ManageCase):
    def test_the_life_of_a_dataset(self):
        made = self.make("LIFE", title="Of a dataset", source="here")
        self.assertEqual((made["workspace"], made["title"], made["source"], made["records"]),
                         ("acme", "Of a dataset", "here", 0))
        answer, job = self.upload("LIFE", "symbol,day,close\nA,2024-01-01,1\nA,2024-01-02,2\n")
        self.assertEqual(answer.status, 201, repr(answer))
        self.assertEqual(answer.header("Location"), f"/manage/v1/jobs/{job['id']}")
        self.assertEqual(self.ended(job)["state"], "ingested")
        self.assertEqual([r["close"] for r in self.rows("LIFE")], [2, 1])
        _, shown = self.call("GET", "/datasets/life")
        self.assertEqual(shown["records"], 2)
        answer = self.server.data_plane.get(f"/v1/data/acme/LIFE/a?token={self.secret}")
        self.assertEqual([r["close"] for r in answer.json()], [2])
        answer, _ = self.call("GET", "/datasets/LIFE")
        answer, changed = self.call("PATCH", "/datasets/LIFE", {"name": "LATER"},
                                    headers={"If-Match": answer.header("ETag")})
        self.assertEqual((answer.status, changed["name"]), (200, "LATER"))
        self.assertEqual([r["close"] for r in self.rows("LATER")], [2, 1])
        self.assertEqual(self.call("DELETE", "/datasets/LATER")[0].status, 204)
        self.assertEqual(self.call("GET", "/datasets/LATER")[0].status, 404)

    def test_the_operator_has_the_same_handlers(self):
        answer, made = self.server.operate(
            "POST", "/accounts/acme/datasets",
            {"name": "BOTH", "fields": FIELDS, "key": "symbol", "date": "day"})
        self.assertEqual(answer.status, 201, repr(answer))
        self.assertEqual(answer.header("Location"), "/operator/v1/accounts/acme/datasets/BOTH")
        self.assertEqual(self.call("GET", f"/datasets/{made['id']}")[1], made)
        answer, job = self.server.operate("POST", "/accounts/acme/datasets/BOTH:upload",
                                          b'[{"symbol":"A","day":"2024-01-01","close":1}]')
        self.assertEqual(answer.status, 201, repr(answer))
        self.assertEqual(self.ended(job)["state"], "ingested")
        _, jobs = self.server.operate("GET", "/accounts/acme/jobs?page_size=500")
        self.assertIn(job["id"], [j["id"] for j in jobs["items"]])
        _, rows = self.server.operate("GET", "/accounts/acme/datasets/BOTH/records")
        self.assertEqual(len(rows["items"]), 1)

    def test_no_account_sees_anothers(self):
        made = self.make("HIDDEN")
        _, job = self.upload("HIDDEN", "symbol,day\nA,2024-01-01\n")
        self.ended(job)
        for name in ("HIDDEN", made["id"], "NOWHERE"):
            for method, target, body in (
                    ("GET", f"/datasets/{name}", None), ("DELETE", f"/datasets/{name}", None),
                    ("GET", f"/datasets/{name}/records", None),
                    ("PATCH", f"/datasets/{name}", {"title": "x"}),
                    ("POST", f"/datasets/{name}:upload", b"symbol\nA\n")):
                answer, problem = self.call(method, target, body, self.rival, {"If-Match": "*"})
                self.assertEqual((answer.status, problem["reason"]), (404, "not_found"),
                                 f"{method} {target}")
        self.assertEqual(self.call("GET", f"/jobs/{job['id']}", token=self.rival)[0].status, 404)
        self.assertEqual(self.call("GET", f"/jobs/{job['id']}/rejected",
                                   token=self.rival)[0].status, 404)
        _, page = self.call("GET", "/datasets", token=self.rival)
        self.assertEqual(page["items"], [])
        _, page = self.call("GET", "/jobs", token=self.rival)
        self.assertEqual(page["items"], [])

    def test_only_a_secret_token_opens_this_door(self):
        for token, status in ((None, 401), (self.publishable, 401)):
            answer, problem = self.server.manage.call("GET", "/manage/v1/datasets", token)
            self.assertEqual(answer.status, status, repr(answer))
            self.assertIn(problem["reason"], ("sign_in_required", "secret_token_required"))

    def test_errors_name_their_fields(self):
        answer, problem = self.call("POST", "/datasets", {"name": "X", "fields": [
            {"name": "a", "type": "text"}, {"type": "string"}], "weight": 3, "nonsense": 1})
        self.assertEqual((answer.status, problem["reason"]), (400, "invalid_values"))
        self.assertEqual(answer.header("Content-Type"), "application/problem+json")
        self.assertLessEqual({"fields[0].type", "fields[1].name", "weight", "nonsense"},
                             {e["field"] for e in problem["errors"]})

    def test_a_creation_with_a_key_is_made_once(self):
        body = {"name": "ONCE", "fields": FIELDS, "key": "symbol", "date": "day"}
        first, made = self.call("POST", "/datasets", body, headers={"Idempotency-Key": "one"})
        second, again = self.call("POST", "/datasets", body, headers={"Idempotency-Key": "one"})
        self.assertEqual((first.status, second.status), (201, 201))
        self.assertEqual(first.body, second.body)
        self.assertEqual(second.header("Idempotency-Replayed"), "true")
        self.assertEqual(self.call("POST", "/datasets", body)[0].status, 409)

    def test_pages_of_records(self):
        self.make("PAGES")
        lines = "".join(f"K{i:03},2024-01-01,{i}\n" for i in range(120))
        _, job = self.upload("PAGES", "symbol,day,close\n" + lines)
        self.assertEqual(self.ended(job)["stored"], 120)
        seen, token = [], None
        while True:
            target = "/datasets/PAGES/records?page_size=50"
            _, page = self.call("GET", target + (f"&page_token={token}" if token else ""))
            seen += [r["symbol"] for r in page["items"]]
            token = page["next_page_token"]
            if not token:
                break
        self.assertEqual(sorted(seen), [f"K{i:03}" for i in range(120)])
        self.assertEqual(len(seen), 120)
        properties = page["items"][0]["_systemRecordProperties"]
        self.assertEqual(set(properties), {"id", "key", "subkey", "date", "updated"})


class UploadTest(ManageCase):
    def test_rejected_lines_can_be_fetched(self):
        self.make("REJECTED")
        text = "symbol,day,close\nA,2024-01-01,1\nB,never,2\nC,2024-01-03,x\nD,2024-01-04,4\n"
        _, job = self.upload("REJECTED", text)
        failed = self.ended(job)
        self.assertEqual((failed["state"], failed["stored"]), ("failed", 0))
        self.assertTrue(failed["message"])
        self.assertEqual(self.rows("REJECTED"), [])
        _, job = self.upload("REJECTED", text, "?max_errors=2")
        done = self.ended(job)
        self.assertEqual((done["state"], done["lines"], done["rejected"], done["stored"]),
                         ("ingested", 4, 2, 2))
        answer, _ = self.call("GET", f"/jobs/{job['id']}/rejected")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("Content-Type"), "text/csv; charset=utf-8")
        lines = answer.text.splitlines()
        self.assertEqual(lines[0], "line,reason,text")
        self.assertEqual([line.split(",")[0] for line in lines[1:]], ["3", "4"])

    def test_replace_ignore_and_overwrite(self):
        self.make("MODES")
        for text, query, want in (
                ("symbol,day,close\nA,2024-01-01,1\nB,2024-01-01,2\n", "", {"A": 1, "B": 2}),
                ("symbol,day,close\nA,2024-01-01,5\nC,2024-01-01,3\n", "?duplicates=ignore",
                 {"A": 1, "B": 2, "C": 3}),
                ("symbol,day,close\nA,2024-01-01,5\n", "?duplicates=replace",
                 {"A": 5, "B": 2, "C": 3}),
                ("symbol,day,close\nD,2024-01-01,4\n", "?overwrite=true", {"D": 4})):
            _, job = self.upload("MODES", text, query)
            self.assertEqual(self.ended(job)["state"], "ingested")
            self.assertEqual({r["symbol"]: r["close"] for r in self.rows("MODES")}, want, query)

    def test_options_that_cant_hold_are_named(self):
        self.make("OPTIONS")
        for query, field in (("?overwrite=maybe", "overwrite"), ("?duplicates=both", "duplicates"),
                             ("?max_errors=x", "max_errors"), ("?wait=true", "wait")):
            answer, problem = self.upload("OPTIONS", "symbol,day\n", query)
            self.assertEqual((answer.status, problem["errors"][0]["field"]), (400, field))

    def test_a_removed_token_uploads_nothing(self):
        self.make("REVOKED")
        token, _ = self.server.make_token(self.secret, kind="secret")
        body = b"symbol,day\n" + b"A,2024-01-01\n" * 1000
        with self.server.manage.connect() as connection:
            head = (f"POST /manage/v1/datasets/REVOKED:upload HTTP/1.1\r\nHost: localhost\r\n"
                    f"Authorization: Bearer {token['token']}\r\nContent-Length: {len(body)}\r\n\r\n")
            connection.send(head.encode() + body[:500])
            answer, _ = self.call("DELETE", f"/tokens/{token['id']}")
            self.assertEqual(answer.status, 204)
            connection.try_send(body[500:])
            answer = connection.read_answer("POST")
        self.assertEqual((answer.status, answer.reason), (403, "token_invalid"))
        _, jobs = self.call("GET", "/jobs?page_size=500")
        self.assertNotIn("REVOKED", [j["dataset"] for j in jobs["items"]])


class LimitsTest(ManageCase):
    def test_datasets_and_storage(self):
        secret = self.server.make_account("tiny", "small")["secret_token"]["token"]
        self.make("ONE", secret)
        self.make("TWO", secret)
        answer, problem = self.call("POST", "/datasets", {"name": "THREE", "fields": FIELDS,
                                                          "key": "symbol"}, secret)
        self.assertEqual((answer.status, problem["reason"]), (403, "plan_limit_reached"))
        self.assertIn("datasets", problem["detail"])
        lines = "".join(f"K{i:04},2024-01-01,{i}\n" for i in range(1000))
        answer, job = self.upload("ONE", "symbol,day,close\n" + lines, token=secret)
        if answer.status == 201:
            failed = self.ended(job, secret)
            self.assertEqual(failed["state"], "failed")
            self.assertIn("plan", failed["message"])
        else:
            self.assertEqual((answer.status, job["reason"]), (403, "plan_limit_reached"))
        self.assertEqual(self.rows("ONE", secret), [])


if __name__ == "__main__":
    unittest.main()

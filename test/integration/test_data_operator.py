"""Datasets by the operator and by the management API: made, changed, filled, shown, exported."""

import csv
import io
import json
import unittest

from data_case import DataCase, costs, json_lines
from harness import wait_until

FIELDS = [{"name": "symbol", "type": "string", "required": True},
          {"name": "day", "type": "date", "required": False},
          {"name": "price", "type": "integer", "required": False}]


class Face:
    """One of the faces of the datasets' management: a caller and a root."""

    def __init__(self, call, root, plain):
        self._call = call
        self.root = root
        self.plain = plain  # what marks a new dataset on this face

    def call(self, method, target, body=None, headers=()):
        return self._call(method, self.root + target, body, headers)


class ManageCase(DataCase):
    def faces(self):
        """The same handlers, for the account itself and for the operator."""
        server = self.server
        yield "manage", Face(lambda m, t, b, h: server.manage.call(m, t, self.acme.secret, b, h),
                             "/manage/v1", {})
        yield "operator", Face(lambda m, t, b, h: server.operate(m, t, b, h), "/accounts/acme", {})

    def assertProblem(self, answer, body, status, reason, field=None):
        self.assertEqual((answer.status, body["reason"]), (status, reason), repr(answer))
        self.assertEqual(answer.header("Content-Type"), "application/problem+json")
        if field:
            self.assertIn(field, [e["field"] for e in body["errors"]], body)


class ManagementTest(ManageCase):
    def test_the_life_of_a_dataset_on_both_faces(self):
        for face_name, face in self.faces():
            with self.subTest(face_name):
                name = f"LIFE_{face_name.upper()}"
                answer, made = face.call("POST", "/datasets", {
                    "name": name, "title": "Life", "fields": FIELDS, "key": "symbol", "date": "day"})
                self.assertEqual(answer.status, 201, repr(answer))
                self.assertTrue(answer.header("ETag"))
                self.assertIn(made["id"] if made["id"] in answer.header("Location") else name,
                              answer.header("Location"))
                self.assertEqual((made["name"], made["title"], made["workspace"], made["key"],
                                  made["date"], made["records"]),
                                 (name, "Life", "acme", "symbol", "day", 0))
                self.assertEqual([f["name"] for f in made["fields"]], ["symbol", "day", "price"])
                answer, again = face.call("POST", "/datasets", {
                    "name": name.lower(), "fields": FIELDS, "key": "symbol"})
                self.assertProblem(answer, again, 409, "conflict")

                where = f"/datasets/{made['id']}"
                answer, got = face.call("GET", where)
                self.assertEqual((answer.status, got), (200, made))
                etag = answer.header("ETag")
                answer, body = face.call("PATCH", where, {"title": "New"})
                self.assertProblem(answer, body, 428, "precondition_required")
                answer, body = face.call("PATCH", where, {"title": "New"}, {"If-Match": '"0"'})
                self.assertProblem(answer, body, 412, "precondition_failed")
                fields = FIELDS + [{"name": "note", "type": "string", "required": False}]
                answer, got = face.call("PATCH", where, {"title": "New", "fields": fields},
                                        {"If-Match": etag})
                self.assertEqual((answer.status, got["title"], len(got["fields"])), (200, "New", 4))
                answer, body = face.call("PATCH", where, {"records": 7}, {"If-Match": "*"})
                self.assertProblem(answer, body, 400, "invalid_values", "records")

                self.acme.wrote(name, [{"symbol": f"K{i:03}", "day": "2024-01-01", "price": i}
                                       for i in range(120)])
                answer, page = face.call("GET", f"{where}/records?page_size=50")
                self.assertEqual((answer.status, len(page["items"])), (200, 50), repr(answer))
                seen = list(page["items"])
                while page["next_page_token"]:
                    answer, page = face.call(
                        "GET", f"{where}/records?page_size=50&page_token={page['next_page_token']}")
                    self.assertEqual(answer.status, 200)
                    seen += page["items"]
                self.assertEqual(len(seen), 120)
                self.assertEqual({r["symbol"] for r in seen}, {f"K{i:03}" for i in range(120)})

                answer, got = face.call("PATCH", where, {"name": f"{name}_2"}, {"If-Match": "*"})
                self.assertEqual((answer.status, got["name"]), (200, f"{name}_2"), repr(answer))
                self.assertRefused(self.acme.get(f"/v1/data/acme/{name}"), 404, "not_found")
                self.assertEqual(len(self.acme.records(f"{name}_2/K001")), 1)
                answer, listed = face.call("GET", f"/datasets?q={name.lower()}")
                self.assertEqual([d["name"] for d in listed["items"]], [f"{name}_2"])
                answer, _ = face.call("DELETE", where, None, {"If-Match": "*"})
                self.assertEqual(answer.status, 204, repr(answer))
                self.assertRefused(self.acme.get(f"/v1/data/acme/{name}_2"), 404, "not_found")
                answer, body = face.call("GET", where)
                self.assertProblem(answer, body, 404, "not_found")

    def test_an_upload_and_its_bad_lines(self):
        for face_name, face in self.faces():
            with self.subTest(face_name):
                _, made = face.call("POST", "/datasets", {
                    "name": f"UP_{face_name.upper()}", "fields": FIELDS, "key": "symbol"})
                where = f"/datasets/{made['id']}"
                answer, job = face.call("POST", f"{where}:upload?max_errors=1",
                                        b"symbol,price\nA,1\nB,x\nC,3\n", {"Content-Type": "text/csv"})
                self.assertIn(answer.status, (200, 201, 202), repr(answer))

                def ended():
                    answer, got = face.call("GET", f"/jobs/{job['id']}")
                    self.assertEqual(answer.status, 200, repr(answer))
                    return got if got["state"].upper() in ("INGESTED", "FAILED") else None
                done = wait_until("the job to end", ended)
                self.assertEqual((done["state"].upper(), done["rejected"], done["stored"]),
                                 ("INGESTED", 1, 2))
                answer, listed = face.call("GET", "/jobs")
                self.assertIn(job["id"], [j["id"] for j in listed["items"]])
                answer, _ = face.call("GET", f"/jobs/{job['id']}/rejected")
                rows = list(csv.DictReader(io.StringIO(answer.text)))
                self.assertEqual([(r["line"], r["text"]) for r in rows], [("3", "B,x")])

    def test_another_account_sees_nothing_of_it(self):
        _, made = self.server.manage.call("POST", "/manage/v1/datasets", self.acme.secret, {
            "name": "HIDDEN", "fields": FIELDS, "key": "symbol"})
        for method, target in (("GET", ""), ("GET", "/records"), ("DELETE", "")):
            answer, body = self.server.manage.call(
                method, f"/manage/v1/datasets/{made['id']}{target}", self.rival.secret, None,
                {"If-Match": "*"} if method == "DELETE" else {})
            self.assertProblem(answer, body, 404, "not_found")
        _, listed = self.server.manage.call("GET", "/manage/v1/datasets", self.rival.secret)
        self.assertEqual(listed["items"], [])

    def test_weight_and_test_are_the_operators(self):
        for field, value in (("weight", 3), ("test", True)):
            answer, body = self.server.manage.call("POST", "/manage/v1/datasets", self.acme.secret, {
                "name": "W", "fields": FIELDS, "key": "symbol", field: value})
            self.assertProblem(answer, body, 400, "invalid_values", field)

    def test_what_does_not_hold_is_refused_with_the_field_named(self):
        good = {"name": "X", "fields": FIELDS, "key": "symbol"}
        for changes, field in (({"name": None}, "name"), ({"name": "a b"}, "name"),
                               ({"fields": None}, "fields"), ({"fields": []}, "fields"),
                               ({"key": "nothing"}, "key"), ({"date": "price"}, "date"),
                               ({"unknown": 1}, "unknown")):
            with self.subTest(changes):
                body = {k: v for k, v in {**good, **changes}.items() if v is not None}
                answer, problem = self.server.manage.call("POST", "/manage/v1/datasets",
                                                          self.acme.secret, body)
                self.assertEqual((answer.status, problem["reason"]), (400, "invalid_values"),
                                 repr(answer))
                self.assertTrue(any(e["field"].startswith(field) for e in problem["errors"]), problem)


class OperatorTest(ManageCase):
    ROWS = [{"symbol": "A", "day": "2024-01-01", "price": 1, "note": "x, \"y\"", "more": {"a": [1]}},
            {"symbol": "B", "day": "2024-01-02", "price": 2, "note": None, "more": None},
            {"symbol": "C", "day": "2024-01-03", "price": 3, "note": "=1+2", "more": {}}]

    def records(self, dataset, query="limit=100"):
        system = ("id", "key", "subkey", "date", "updated")
        return [{k: v for k, v in r.items() if k not in system}
                for r in self.acme.records(f"/{dataset}", query)]

    def cli(self, *arguments, ok=True):
        done = self.server.cli(*arguments)
        if ok:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def export(self, dataset, form):
        return self.assertOk(self.server.internal.get(
            f"/operator/v1/datasets/{dataset}:export?format={form}",
            {"Authorization": f"Bearer {self.server.operator}"}))

    def file(self, name, text):
        path = self.server.folder / name
        path.write_text(text)
        return path

    def test_csv_json_and_json_lines_import_by_content(self):
        flat = [{k: r[k] for k in ("symbol", "day", "price")} for r in self.ROWS]
        forms = {"F_CSV": "symbol,day,price\n" + "".join(
            f"{r['symbol']},{r['day']},{r['price']}\n" for r in flat),
            "F_JSON": json.dumps(flat), "F_LINES": json_lines(flat)}
        for name, text in forms.items():
            self.cli("dataset", "import", self.file(f"{name}.dat", text), "--dataset",
                     f"core/{name}", "--key", "symbol", "--date", "day")
            self.assertEqual(self.records(f"core/{name}"), flat[::-1], name)

    def test_a_bad_object_is_named_and_nothing_is_imported(self):
        path = self.file("bad.jsonl", '{"symbol":"A","price":1}\n{"symbol":"B","price":"x"}\n')
        done = self.cli("dataset", "import", path, "--dataset", "core/BAD_JSON", "--key", "symbol",
                        "--fields", "symbol:string,price:integer", ok=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"2")
        self.assertIn("price", done.stderr)
        self.assertEqual(self.acme.get("/v1/data/core/BAD_JSON").status, 404)

    def test_what_is_exported_imports_again(self):
        path = self.file("first.json", json.dumps(self.ROWS))
        self.cli("dataset", "import", path, "--dataset", "core/FIRST", "--key", "symbol",
                 "--date", "day")
        wanted = self.records("core/FIRST")
        for form in ("json", "jsonl", "csv"):
            with self.subTest(form):
                answer = self.export("core/FIRST", form)
                if form == "json":
                    self.assertEqual(sorted(json.loads(answer.body), key=lambda r: r["symbol"]),
                                     sorted(wanted, key=lambda r: r["symbol"]))
                elif form == "jsonl":
                    self.assertEqual(len([json.loads(line) for line in answer.text.splitlines()]), 3)
                else:
                    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
                    self.assertEqual({r["symbol"]: r["note"] for r in rows},
                                     {"A": 'x, "y"', "B": "", "C": "=1+2"})
                back = self.file(f"back.{form}", answer.text)
                self.cli("dataset", "import", back, "--dataset", f"core/BACK_{form.upper()}",
                         "--key", "symbol", "--date", "day", "--fields",
                         "symbol:string,day:date,price:integer,note:string,more:object")
                self.assertEqual(self.records(f"core/BACK_{form.upper()}"), wanted)

    def test_a_large_export_is_whole(self):
        text = "symbol,n\n" + "".join(f"K{i},{i}\n" for i in range(30_000))
        self.server.import_csv("core/LARGE", text, key="symbol")
        answer = self.export("core/LARGE", "jsonl")
        numbers = [json.loads(line)["n"] for line in answer.text.splitlines()]
        self.assertEqual(sorted(numbers), list(range(30_000)))

    def test_the_command_line_makes_changes_and_exports(self):
        self.cli("dataset", "create", "core/MADE", "--fields", "symbol:string,day:date,price:integer",
                 "--key", "symbol", "--date", "day", "--title", "Made", "--weight", "4")
        self.assertEqual(self.records("core/MADE"), [])
        path = self.file("made.csv", "symbol,day,price\nA,2024-01-01,1\n")
        self.cli("dataset", "import", path, "--dataset", "core/MADE")
        answer = self.acme.get("/v1/data/core/MADE/A")
        self.assertEqual((costs(answer), answer.json()[0]["price"]), ((4, 0), 1))
        self.cli("dataset", "change", "core/MADE", "--weight", "7", "--title", "Changed")
        answer = self.acme.get("/v1/data/core/MADE/A")
        self.assertEqual(costs(answer), (7, 0))
        entry = [d for d in self.acme.get("/v1/data/core").json() if d["id"] == "MADE"][0]
        self.assertEqual((entry["title"], entry["weight"]), ("Changed", 7))
        self.cli("dataset", "rename", "core/MADE", "RENAMED")
        self.assertEqual(self.acme.get("/v1/data/core/MADE").status, 404)
        self.assertEqual(self.records("core/RENAMED")[0]["price"], 1)
        out = self.server.folder / "export.csv"
        self.cli("dataset", "export", "core/RENAMED", out)
        self.assertIn("A,2024-01-01,1", out.read_text())

    def test_a_test_token_reads_what_is_marked(self):
        self.server.import_csv("core/MARKED", "symbol,n\nA,1\n", key="symbol")
        token, _ = self.server.make_token(self.acme.secret, environment="test")
        target = f"/v1/data/core/MARKED/A?token={token['token']}"
        self.assertRefused(self.server.plain.get(target), 403, "token_wrong_environment")
        self.cli("dataset", "change", "core/MARKED", "--test", "true")
        self.assertEqual(self.server.plain.get(target).status, 200)

    def test_each_change_is_in_the_audit_log(self):
        self.acme.wrote("AUDITED", [{"key": "A"}])
        self.acme.call("PATCH", "/v1/datasets/acme/AUDITED", {"dataset": {"title": "x"}})
        self.acme.call("DELETE", "/v1/datasets/acme/AUDITED")
        done = self.server.cli("doctor", "--json")
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()

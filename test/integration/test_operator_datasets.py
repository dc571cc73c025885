"""The operator's datasets: `latchkey dataset create|change|rename|import|export` and /operator/v1."""

import json
import unittest

from harness import Case, ServerCase, run


class OperatorCase(ServerCase):
    demo = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.make_plan("free")
        cls.account = cls.server.make_account("acme", "free")
        cls.secret = cls.account["secret_token"]["token"]

    def dataset(self, *arguments, ok=True):
        done = self.server.cli("dataset", *arguments)
        if ok:
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def write(self, name, text):
        path = self.server.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def records(self, dataset, query="last=10000"):
        answer = self.server.data_plane.get(f"/v1/data/{dataset}?{query}&token={self.secret}")
        self.assertEqual(answer.status, 200, repr(answer))
        return answer.json()


class DefinitionTest(OperatorCase):
    def test_create_then_change_then_rename(self):
        made = json.loads(self.dataset(
            "create", "core/MADE", "--fields", "symbol:string,day:date,close:number", "--required",
            "symbol,day", "--key", "symbol", "--date", "day", "--title", "Made by hand", "--source",
            "an exchange", "--weight", "3", "--test", "true", "--json").stdout)
        self.assertEqual((made["workspace"], made["name"], made["title"], made["source"],
                          made["weight"], made["test"], made["records"], made["class"]),
                         ("core", "MADE", "Made by hand", "an exchange", 3, True, 0, "core"))
        self.assertEqual([f["required"] for f in made["fields"]], [True, True, False])
        self.assertEqual(self.records("core/MADE"), [])

        changed = json.loads(self.dataset(
            "change", "core/made", "--title", "Changed", "--weight", "0", "--add-fields",
            "volume:integer", "--type", "close:any", "--json").stdout)
        self.assertEqual((changed["title"], changed["weight"]), ("Changed", 0))
        self.assertEqual([(f["name"], f["type"]) for f in changed["fields"]],
                         [("symbol", "string"), ("day", "date"), ("close", "any"),
                          ("volume", "integer")])

        self.dataset("rename", "core/MADE", "RENAMED")
        self.assertEqual(self.dataset("show", "core/MADE", ok=False).returncode, 1)
        self.assertIn("RENAMED", self.dataset("list").stdout)
        answer = self.server.data_plane.get(f"/v1/data/core/MADE?token={self.secret}")
        self.assertRefused(answer, 404, "not_found")

    def test_a_rename_keeps_the_records_and_frees_the_name(self):
        self.server.import_csv("core/OLD", "key,v\nA,1\n", key="key")
        self.dataset("rename", "core/OLD", "NEW")
        self.assertEqual([r["v"] for r in self.records("core/NEW")], [1])
        self.server.import_csv("core/OLD", "key,v\nB,2\n", key="key")
        self.assertEqual([r["v"] for r in self.records("core/OLD")], [2])
        self.assertEqual([r["v"] for r in self.records("core/NEW")], [1])
        taken = self.dataset("rename", "core/OLD", "new", ok=False)
        self.assertEqual(taken.returncode, 1)
        self.assertIn("conflict", taken.stderr)
        # Case alone may change.
        self.dataset("rename", "core/OLD", "Old")
        listed = json.loads(self.dataset("list", "--json").stdout)
        self.assertIn("Old", [d["name"] for d in listed["items"]])

    def test_records_that_stand_survive_an_added_field_and_a_wider_type(self):
        self.server.import_csv("core/GROW", "key,v\nA,1\nB,2\n", key="key")
        self.dataset("change", "core/GROW", "--add-fields", "note:string", "--type", "v:number")
        got = {r["key"]: (r["v"], r["note"]) for r in self.records("core/GROW")}
        self.assertEqual(got, {"A": (1, None), "B": (2, None)})

    def test_what_cant_hold_is_refused_with_the_field_named(self):
        self.server.import_csv("core/FIXED", "key,v\nA,1\n", key="key")
        cases = [
            (["create", "core/X", "--fields", "a:string", "--key", "b"], "b"),
            (["create", "core/X", "--fields", "a:text", "--key", "a"], "fields[0].type"),
            (["create", "core/_systemX", "--fields", "a:string", "--key", "a"], "name"),
            (["create", "nobody/X", "--fields", "a:string", "--key", "a"], "workspace: "),
            (["create", "core/FIXED", "--fields", "a:string", "--key", "a"], "conflict"),
            (["change", "core/FIXED", "--type", "v:boolean"], "v"),
            (["change", "core/FIXED", "--weight", "1000001"], "weight"),
            (["change", "core/NONE", "--title", "x"], "not_found"),
        ]
        for arguments, word in cases:
            with self.subTest(arguments):
                done = self.dataset(*arguments, ok=False)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(word, done.stderr)
        for arguments in (["create", "CORE", "--fields", "a:string"],
                          ["create", "core/X", "--fields", "a"],
                          ["create", "core/X", "--fields", "a:string", "--required", "b"],
                          ["change", "core/FIXED", "--type", "none:any"],
                          ["change", "core/FIXED"],
                          ["export", "core/FIXED", "file", "--format", "xml"]):
            with self.subTest(arguments):
                self.assertEqual(self.dataset(*arguments, ok=False).returncode, 2)

    def test_if_match_holds_a_change_to_the_version_that_was_read(self):
        self.dataset("create", "core/VERSIONED", "--fields", "a:string", "--key", "a")
        path = "/datasets/core/VERSIONED"
        answer, _ = self.server.operate("GET", path)
        etag = answer.header("ETag")
        self.assertEqual(self.server.operate("PATCH", path, {"title": "1"})[0].status, 428)
        first, _ = self.server.operate("PATCH", path, {"title": "1"}, {"If-Match": etag})
        self.assertEqual(first.status, 200)
        again, problem = self.server.operate("PATCH", path, {"title": "2"}, {"If-Match": etag})
        self.assertEqual((again.status, problem["reason"]), (412, "precondition_failed"))
        self.assertEqual(
            self.server.operate("PATCH", path, {"title": "3"}, {"If-Match": "*"})[0].status, 200)

    def test_help_teaches_by_example(self):
        for command in ("create", "change", "rename", "import", "export"):
            done = run("dataset", command, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn(f"latchkey dataset {command} ", done.stdout)


class FormsTest(OperatorCase):
    RECORDS = [{"symbol": "A", "day": "2024-01-31", "price": 1.5, "note": "x, \"y\""},
               {"symbol": "B", "day": "2024-02-29", "price": 2, "note": None}]

    def test_json_and_json_lines_and_csv_give_the_same_records(self):
        forms = {
            "JSON": json.dumps(self.RECORDS),
            "JSON_INDENTED": json.dumps(self.RECORDS, indent=2),
            "JSON_LINES": "".join(json.dumps(r) + "\n" for r in self.RECORDS),
            "CSV": 'symbol,day,price,note\nA,2024-01-31,1.5,"x, ""y"""\nB,2024-02-29,2,\n',
        }
        for name, text in forms.items():
            with self.subTest(name):
                # The file's name says nothing.
                file = self.write("records.dat", text)
                report = json.loads(self.dataset("import", file, "--dataset", f"core/{name}",
                                                 "--key", "symbol", "--date", "day",
                                                 "--json").stdout)
                self.assertEqual((report["imported"], report["rejected"]), (2, 0))
                got = [{k: r[k] for k in ("symbol", "day", "price", "note")
                        if k in r} | {"day": r["day"]} for r in self.records(f"core/{name}")]
                self.assertEqual(got, self.RECORDS[::-1])

    def test_bad_lines_of_json_lines_are_named(self):
        text = '{"k":"A","v":1}\nno json\n{"k":"B","v":2}\n'
        file = self.write("bad.jsonl", text)
        refused = self.dataset("import", file, "--dataset", "core/BAD", "--key", "k", ok=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("line 2", refused.stderr)
        report = json.loads(self.dataset("import", file, "--dataset", "core/BAD", "--key", "k",
                                         "--max-errors", "1", "--json").stdout)
        self.assertEqual((report["imported"], report["rejected"]), (2, 1))

    def test_export_then_import_gives_the_same_records(self):
        self.server.import_csv(
            "core/SOURCE", "symbol,day,price,note\nA,2024-01-31,1.50,\"a, \"\"b\"\"\"\n"
            "B,2024-02-29,12345678901234567890,=1+1\nü,2024-02-28,,\n", key="symbol", date="day")
        want = self.records("core/SOURCE")
        for number, (file, flags) in enumerate((("all.csv", []), ("all.jsonl", []),
                                                ("all.json", []), ("all", ["--format", "csv"]))):
            with self.subTest(file):
                path = self.server.folder / file
                done = json.loads(self.dataset("export", "core/source", path, *flags,
                                               "--json").stdout)
                self.assertEqual(done["bytes"], path.stat().st_size)
                self.dataset("import", path, "--dataset", f"core/COPY{number}", "--key", "symbol",
                             "--date", "day")
                strip = ("id", "updated")
                got = self.records(f"core/COPY{number}")
                self.assertEqual([{k: v for k, v in r.items() if k not in strip} for r in got],
                                 [{k: v for k, v in r.items() if k not in strip} for r in want])
        self.assertEqual(len(json.loads((self.server.folder / "all.json").read_text())), 3)
        self.assertEqual(len((self.server.folder / "all.jsonl").read_text().splitlines()), 3)

    def test_exports_of_what_is_not_there_leave_no_file(self):
        path = self.server.folder / "none.csv"
        done = self.dataset("export", "core/NONE", path, ok=False)
        self.assertEqual(done.returncode, 1)
        self.assertFalse(path.exists())
        self.assertEqual(self.dataset("export", "core/NONE", path, "--format", "xml",
                                      ok=False).returncode, 2)

    def test_a_large_export_streams_and_others_are_served_meanwhile(self):
        lines = ["key,day,v"] + [f"K{i:06},2024-01-01,{i}" for i in range(200_000)]
        self.server.import_csv("core/LARGE", "\n".join(lines) + "\n", key="key", date="day")
        before = self.server.memory_peak_kib()
        path = self.server.folder / "large.jsonl"
        self.dataset("export", "core/LARGE", path)
        with open(path) as file:
            count = sum(1 for _ in file)
        self.assertEqual(count, 200_000)
        self.assertLess(self.server.memory_peak_kib() - before, 100_000)


class PlanLimitsTest(Case):
    def test_limits_of_plans_are_set_shown_and_cleared(self):
        server = self.start()
        done = server.cli("plan", "create", "small", "--max-datasets", "1", "--max-storage-bytes",
                          "100000", "--max-jobs", "2", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        plan = json.loads(done.stdout)
        self.assertEqual((plan["max_datasets"], plan["max_storage_bytes"], plan["max_jobs"],
                          plan["max_tokens"]), (1, 100000, 2, None))
        done = server.cli("plan", "update", "small", "--no-max-datasets", "--max-jobs", "0",
                          "--json")
        plan = json.loads(done.stdout)
        self.assertEqual((plan["max_datasets"], plan["max_storage_bytes"], plan["max_jobs"]),
                         (None, 100000, 0))
        server.restart()
        _, plan = server.operate("GET", "/plans/small")
        self.assertEqual((plan["max_datasets"], plan["max_storage_bytes"], plan["max_jobs"]),
                         (None, 100000, 0))
        answer, problem = server.operate("PATCH", "/plans/small", {"max_jobs": -1},
                                         {"If-Match": "*"})
        self.assertEqual((answer.status, problem["errors"][0]["field"]), (400, "max_jobs"))


if __name__ == "__main__":
    unittest.main()

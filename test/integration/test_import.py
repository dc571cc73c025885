"""`latchkey dataset import`: forms of CSV, bad lines, large files, and a newcomer's own data."""

import json
import re
import subprocess
import time
import unittest

from harness import BINARY, Case, SANITIZED, ServerCase, clean_environment, seconds


class ImportCase(ServerCase):
    demo = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.make_plan("free")
        cls.account = cls.server.make_account("acme", "free")
        cls.secret = cls.account["secret_token"]["token"]
        cls.publishable = cls.account["publishable_token"]["token"]

    def records(self, dataset, query="last=10000", token=None):
        answer = self.server.data_plane.get(f"/v1/data/{dataset}?{query}"
                                            f"&token={token or self.secret}")
        self.assertEqual(answer.status, 200, repr(answer))
        return answer.json()

    def fields(self, record):
        """A core record without its system fields."""
        return {k: v for k, v in record.items()
                if k not in ("id", "key", "subkey", "date", "updated")}


class FormsTest(ImportCase):
    def test_the_forms_of_csv_give_the_same_records(self):
        forms = {
            "comma": b'symbol,price,note\nA,1.5,"x, y"\nB,2,"say ""hi"""\n',
            "tab": b'symbol\tprice\tnote\nA\t1.5\tx, y\nB\t2\t"say ""hi"""\n',
            "pipe": b'symbol|price|note\nA|1.5|x, y\nB|2|"say ""hi"""\n',
            "crlf": b'symbol,price,note\r\nA,1.5,"x, y"\r\nB,2,"say ""hi"""\r\n',
            "bom": b'\xef\xbb\xbfsymbol,price,note\nA,1.5,"x, y"\nB,2,"say ""hi"""\n',
            "no line end at the end": b'symbol,price,note\nA,1.5,"x, y"\nB,2,"say ""hi"""',
            "everything quoted": b'"symbol","price","note"\n"A","1.5","x, y"\n"B","2","say ""hi"""',
            "empty lines": b'\nsymbol,price,note\n\nA,1.5,"x, y"\n\nB,2,"say ""hi"""\n\n',
        }
        for name, text in forms.items():
            with self.subTest(name):
                dataset = f"core/{name.upper().replace(' ', '_')}"
                self.server.import_csv(dataset, text, key="symbol")
                got = {}
                for key in ("A", "B"):
                    got[key] = self.fields(self.records(f"{dataset}/{key}")[0])
                self.assertEqual(got, {"A": {"symbol": "A", "price": 1.5, "note": "x, y"},
                                       "B": {"symbol": "B", "price": 2, "note": 'say "hi"'}})

    def test_a_quoted_cell_may_hold_line_ends_and_any_character(self):
        text = 'key,text\nA,"one\ntwo\r\nthree"\nB,"ü 💰 \t |,"\n'
        self.server.import_csv("core/TEXTS", text, key="key")
        self.assertEqual(self.records("core/TEXTS/A")[0]["text"], "one\ntwo\r\nthree")
        self.assertEqual(self.records("core/TEXTS/B")[0]["text"], "ü 💰 \t |,")

    def test_types_are_inferred_from_the_whole_column(self):
        text = ("key,int,num,flag,day,text,empty,mixed\n"
                "A,1,1,true,2024-01-31,x,,1\n"
                "B,-20,2.5,false,2024-02-29,,,x\n"
                "C,,1e3,,,7,,true\n")
        self.server.import_csv("core/TYPES", text, key="key")
        got = {key: self.fields(self.records(f"core/TYPES/{key}")[0]) for key in "ABC"}
        self.assertEqual(got["A"], {"int": 1, "num": 1, "flag": True, "day": "2024-01-31",
                                    "text": "x", "empty": None, "mixed": "1"} |
                         ({"key": "A"} if "key" in got["A"] else {}))
        self.assertEqual((got["B"]["int"], got["B"]["num"], got["B"]["flag"], got["B"]["text"],
                          got["B"]["mixed"]), (-20, 2.5, False, None, "x"))
        self.assertEqual((got["C"]["int"], got["C"]["num"], got["C"]["flag"], got["C"]["text"],
                          got["C"]["mixed"]), (None, 1000, None, "7", "true"))

    def test_numbers_keep_every_digit(self):
        text = "key,n\nA,12345678901234567890\nB,0.1\nC,1469.250000\n"
        self.server.import_csv("core/DIGITS", text, key="key")
        answer = self.server.data_plane.get(f"/v1/data/core/DIGITS/A?token={self.secret}")
        self.assertIn(b"12345678901234567890", answer.body)
        self.assertEqual(self.records("core/DIGITS/B")[0]["n"], 0.1)

    def test_dates_come_in_iso_and_in_english_and_out_in_iso(self):
        text = "key,day,v\nA,Jan 1 2000,1\nB,\"Mar 3, 2001\",2\nC,2002-12-31,3\n"
        self.server.import_csv("acme/DAYS", text, key="key", date="day")
        days = {r["key"]: r["day"] for r in self.records("acme/DAYS")}
        self.assertEqual(days, {"A": "2000-01-01", "B": "2001-03-03", "C": "2002-12-31"})
        self.assertEqual([r["key"] for r in self.records("acme/DAYS", "from=2001-01-01")],
                         ["C", "B"])

    def test_a_schema_may_be_given(self):
        text = "code,day,n\n007,2024-01-01,1\n"
        self.server.import_csv("core/GIVEN", text, "--fields", "code:string,day:date,n:number",
                               "--weight", "3", "--title", "Given", "--test", "true",
                               key="code", date="day")
        answer = self.server.data_plane.get(f"/v1/data/core/GIVEN/007?token={self.secret}")
        self.assertEqual(answer.json()[0]["key"], "007")
        self.assertEqual(answer.header("iexcloud-credits-used"), "3")
        entry = [d for d in self.server.catalogue("core", self.secret) if d["id"] == "GIVEN"][0]
        self.assertEqual((entry["title"], entry["weight"], entry["key"], entry["date"]),
                         ("Given", 3, "code", "day"))

    def test_subkeys_narrow_a_key(self):
        text = "key,sub,v\nA,x,1\nA,y,2\nB,x,3\n"
        self.server.import_csv("core/SUBS", text, "--subkey", "sub", key="key")
        self.assertEqual([r["v"] for r in self.records("core/SUBS/A/y")], [2])
        self.assertEqual(sorted(r["v"] for r in self.records("core/SUBS/A")), [1, 2])
        self.assertEqual(self.records("core/SUBS/B/y"), [])
        self.assertEqual(self.records("core/SUBS/a/X")[0]["subkey"], "x")

    def test_the_last_of_equal_keys_counts_and_the_report_says_so(self):
        done = self.server.import_csv("core/TWICE", "key,v\nA,1\nB,2\na,3\n", "--json", key="key")
        report = json.loads(done.stdout)
        self.assertEqual((report["imported"], report["replaced"]), (2, 1))
        self.assertEqual(self.records("core/TWICE/A")[0]["v"], 3)

    def test_a_second_import_replaces_the_first_whole(self):
        self.server.import_csv("core/AGAIN", "key,v\nA,1\nB,2\n", key="key")
        self.assertEqual(self.records("core/AGAIN/B")[0]["v"], 2)
        self.server.import_csv("core/AGAIN", "key,v\nA,5\nC,6\n")
        self.assertEqual(self.records("core/AGAIN/A")[0]["v"], 5)
        self.assertEqual(self.records("core/AGAIN/B"), [])
        self.assertEqual(self.records("core/AGAIN/C")[0]["v"], 6)

    def test_only_the_owner_reads_an_accounts_dataset(self):
        self.server.import_csv("acme/OWN", "key,v\nA,1\n", key="key")
        self.assertEqual(self.records("acme/OWN/A")[0]["v"], 1)
        other = self.server.make_account("rival", "free")["secret_token"]["token"]
        answer = self.server.data_plane.get(f"/v1/data/acme/OWN/A?token={other}")
        self.assertRefused(answer, 401, "data_restricted")


class RefusedTest(ImportCase):
    def refused(self, text, *arguments, dataset="core/BAD", **options):
        done = self.server.import_csv(dataset, text, *arguments, ok=False, **options)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        return done.stderr

    def absent(self, dataset):
        answer = self.server.data_plane.get(f"/v1/data/{dataset}?token={self.secret}")
        self.assertEqual(answer.status, 404, repr(answer))

    def test_a_bad_line_is_named_with_its_reason_and_nothing_is_imported(self):
        good = "".join(f"K{i},{i}\n" for i in range(2000))
        for name, line, bad in (("too few cells", 2002, "only-one\n"),
                                ("too many cells", 2002, "a,1,2\n"),
                                ("an unclosed quote", 2002, 'a,"1\n'),
                                ("an empty key", 2002, ",1\n"),
                                ("bytes that are no UTF-8", 2002, "a,\xff\n")):
            with self.subTest(name):
                text = ("key,v\n" + good).encode() + bad.encode("latin-1")
                said = self.refused(text, key="key")
                self.assertRegex(said, rf"\b{line}\b")
                self.absent("core/BAD")

    def test_a_value_that_its_given_type_does_not_take_is_named(self):
        for kind, value in (("number", "abc"), ("integer", "1.5"), ("date", "2024-02-30"),
                            ("boolean", "maybe")):
            with self.subTest(kind):
                said = self.refused(f"key,v\nA,\nB,{value}\n", "--fields", f"key:string,v:{kind}",
                                    key="key")
                self.assertRegex(said, r"\b3\b")
                self.assertIn("v", said)
                self.absent("core/BAD")

    def test_several_bad_lines_are_all_named(self):
        said = self.refused("key,v\nA,1\nB\nC,3\nD,4,5\nE,5\n", key="key")
        self.assertRegex(said, r"\b3\b")

    def test_bad_lines_may_be_left_out_when_that_is_asked_for(self):
        done = self.server.import_csv("core/LEFT", "key,v\nA,1\nB\nC,3\nD,4,5\n", "--max-errors",
                                      "2", "--json", key="key")
        report = json.loads(done.stdout)
        self.assertEqual((report["imported"], report["rejected"]), (2, 2))
        self.assertEqual([line["line"] for line in report["rejected_lines"]], [3, 5])
        self.refused("key,v\nA,1\nB\nC,3\nD,4,5\n", "--max-errors", "1", dataset="core/RIGHT",
                     key="key")
        self.absent("core/RIGHT")

    def test_a_refused_import_leaves_the_standing_data(self):
        self.server.import_csv("core/STANDS", "key,v\nA,1\n", key="key")
        self.refused("key,v\nA,2\nB\n", dataset="core/STANDS")
        self.assertEqual(self.records("core/STANDS/A")[0]["v"], 1)

    def test_headers_that_are_none_are_refused(self):
        for name, text in (("nothing", ""), ("empty lines", "\n\n"), ("a name twice", "key,a,A\n1,2,3\n"),
                           ("no name", "key,,b\n1,2,3\n")):
            with self.subTest(name):
                self.refused(text, key="key")
                self.absent("core/BAD")
        self.refused("a,b\n1,2\n", key="missing")
        self.refused("a,b\n1,2\n")  # neither key nor date
        self.absent("core/BAD")

    def test_wrong_names_of_datasets_are_refused(self):
        for dataset in ("core/_system_x", "core/" + "n" * 129, "core/a b", "nobody/X", "core/-x"):
            with self.subTest(dataset):
                self.refused("key,v\nA,1\n", dataset=dataset, key="key")
        for dataset in ("core", "/X", "core/"):
            done = self.server.import_csv(dataset, "key,v\nA,1\n", key="key", ok=False)
            self.assertIn(done.returncode, (1, 2), dataset)

    def test_a_file_that_is_not_there_is_named(self):
        done = self.server.cli("dataset", "import", "/absent/file.csv", "--dataset", "core/X",
                               "--key", "k")
        self.assertIn(done.returncode, (1, 2))
        self.assertIn("/absent/file.csv", done.stderr)

    def test_a_record_beyond_64_kib_is_a_bad_line(self):
        self.refused("key,v\nA,1\nB," + "x" * (70 * 1024) + "\n", key="key")
        self.absent("core/BAD")

    def test_only_the_operator_may_import(self):
        for token in (None, self.secret, self.publishable):
            answer, _ = self.server.internal.call(
                "POST", "/operator/v1/datasets/core/NO:import?key=key", token, b"key,v\nA,1\n",
                {"Content-Type": "text/csv"})
            self.assertIn(answer.status, (401, 403))
        self.absent("core/NO")


class LargeTest(Case):
    def test_300_000_lines_are_imported_in_bounded_memory_while_others_are_served(self):
        server = self.start()
        server.make_plan("free")
        account = server.make_account("acme", "free")
        token = account["publishable_token"]["token"]
        server.import_csv("core/SMALL", "key,v\nA,1\n", key="key")
        before = server.memory_peak_kib()
        file = server.folder / "large.csv"
        with open(file, "w") as out:
            out.write("symbol,day,open,close,note\n")
            for i in range(300_000):
                out.write(f"S{i % 3000:04},{2000 + i // 3000 % 24}-{i // 72_000 % 12 + 1:02}-"
                          f"{i // 3000 % 28 + 1:02},{i}.25,{i}.5,{i:0400}\n")
        size_kib = file.stat().st_size // 1024
        process = subprocess.Popen(
            [str(BINARY), "dataset", "import", str(file), "--dataset", "core/LARGE", "--key",
             "symbol", "--date", "day", "--json", "--data", str(server.data)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment())
        served = 0
        with server.plain.connect() as connection:
            while process.poll() is None:
                answer = connection.request("GET", f"/v1/data/core/SMALL/A?token={token}")
                self.assertEqual(answer.status, 200)
                served += 1
                early = connection.request("GET", f"/v1/data/core/LARGE?token={token}")
                self.assertIn(early.status, (200, 404))
                time.sleep(0.01)  # a client's pace; the import is to have the processors
        output, said = process.communicate(timeout=seconds(60))
        self.assertEqual(process.returncode, 0, said)
        self.assertGreater(served, 0)
        report = json.loads(output)
        self.assertEqual(report["imported"] + report["replaced"], 300_000)
        entry = [d for d in server.catalogue("core", token) if d["id"] == "LARGE"][0]
        self.assertEqual(entry["records"], report["imported"])
        grown = server.memory_peak_kib() - before
        self.assertGreater(size_kib, 112 * 1024)
        if not SANITIZED:  # the address sanitizer holds on to what was freed
            self.assertLess(grown, 112 * 1024, f"grew {grown} KiB for a file of {size_kib} KiB")
        # Too many for one answer is said, not cut.
        answer = server.plain.get(f"/v1/data/core/LARGE?from=2000-01-01&token={token}")
        self.assertIn(answer.status, (200, 400))
        if answer.status == 200:
            self.assertEqual(len(answer.json()), 10_000)


class OwnDataTest(Case):
    def test_my_own_data_in_four_commands(self):
        server = self.start()
        folder = self.folder()
        (folder / "prices.csv").write_text(
            "symbol,date,price\nACME,2024-01-02,10.5\nACME,2024-01-03,11\nXYZ,2024-01-03,7\n")
        ca, port = server.ready["ca_file"], server.data_plane.address[1]
        script = f"""
set -euo pipefail
export LATCHKEY_DATA={server.data}
latchkey() {{ {BINARY} "$@"; }}
latchkey plan create free --monthly-core-credits 100000
latchkey account create acme --plan free | tee tokens.txt
latchkey dataset import prices.csv --dataset core/PRICES --key symbol --date date
TOKEN=$(grep -oE '\\bpk_[0-9A-Za-z]{{36}}' tokens.txt)
echo ANSWER
curl -sS --cacert {ca} "https://localhost:{port}/v1/data/core/PRICES/ACME?last=3&token=$TOKEN"
"""
        done = subprocess.run(["bash", "-c", script], cwd=folder, text=True, timeout=seconds(60),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=clean_environment())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        records = json.loads(done.stdout.split("ANSWER\n")[1])
        self.assertEqual([r["price"] for r in records], [11, 10.5])
        tokens = (folder / "tokens.txt").read_text()
        self.assertTrue(re.search(r"\bsk_[0-9A-Za-z]{36}", tokens), "the secret is shown this once")


if __name__ == "__main__":
    unittest.main()

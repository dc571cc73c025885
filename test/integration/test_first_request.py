"""What a newcomer meets: the demo, its ready file, the three printed lines, the first answers."""

import csv
import datetime
import io
import json
import re
import stat
import subprocess
import time
import unittest

from harness import ROOT, ServerCase, clean_environment, run, seconds, wait_until

COST_HEADERS = ("iexcloud-messages-used", "iexcloud-credits-used",
                "iexcloud-premium-messages-used", "iexcloud-premium-credits-used")


def demo_stocks():
    """{symbol: [(ISO date, price)]}, newest first, from the file that the demo is made of."""
    found = {}
    with open(ROOT / "demo" / "data" / "stocks.csv", newline="") as file:
        for row in csv.DictReader(file):
            date = datetime.datetime.strptime(row["date"], "%b %d %Y").date().isoformat()
            found.setdefault(row["symbol"], []).append((date, float(row["price"])))
    for rows in found.values():
        rows.sort(reverse=True)
    return found


def day(record):
    """The ISO date of a record's date in milliseconds."""
    at = datetime.datetime.fromtimestamp(record["date"] / 1000, datetime.timezone.utc)
    return at.date().isoformat()


class DemoCase(ServerCase):
    def get(self, target, token=None, headers=()):
        token = token or self.server.publishable
        joint = "&" if "?" in target else "?"
        return self.server.data_plane.get(f"{target}{joint}token={token}", headers)


class ReadyFileTest(DemoCase):
    def test_it_names_what_stands_and_nothing_else(self):
        ready = self.server.ready
        self.assertLessEqual({"pid", "url", "http_url", "manage_url", "internal_url", "ca_file",
                              "operator_token_file", "account", "publishable_token",
                              "secret_token"}, set(ready))
        self.assertNotIn("console_url", ready)
        self.assertEqual(ready["pid"], self.server.process.pid)
        self.assertEqual(ready["account"], "demo")
        for key, scheme in (("url", "https"), ("http_url", "http"), ("manage_url", "https"),
                            ("internal_url", "http")):
            self.assertRegex(ready[key], rf"^{scheme}://127\.0\.0\.1:\d+$")
        self.assertTrue(ready["publishable_token"].startswith("pk_"))
        self.assertTrue(ready["secret_token"].startswith("sk_"))

    def test_it_and_the_folder_are_for_their_owner_alone(self):
        self.assertEqual(stat.S_IMODE(self.server.ready_file.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.server.data.stat().st_mode), 0o700)
        for path in self.server.data.rglob("*"):
            wanted = 0o700 if path.is_dir() else 0o600
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), wanted, path)

    def test_run_json_tells_commands_where_the_server_is(self):
        run = json.loads((self.server.data / "run.json").read_text())
        for key in ("pid", "url", "manage_url", "internal_url"):
            self.assertEqual(run[key], self.server.ready[key])
        done = self.server.cli("account", "list", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("demo", done.stdout)

    def test_demo_json_keeps_what_the_ready_file_says(self):
        kept = json.loads((self.server.data / "demo.json").read_text())
        self.assertEqual(kept["publishable_token"], self.server.publishable)
        self.assertEqual(kept["secret_token"], self.server.secret)


class BannerTest(DemoCase):
    def lines(self):
        text = self.server.output() + self.server.log()
        found = [line.strip().lstrip("$ ") for line in text.splitlines()
                 if re.match(r"^[\s$]*curl ", line)]
        if len(found) < 3:  # logged as JSON
            found = []
            for entry in self.server.log_objects():
                for value in entry.values():
                    if isinstance(value, str):
                        found += [line.strip() for line in value.splitlines()
                                  if line.strip().startswith("curl ")]
        return found

    def test_it_prints_three_curl_lines_that_work_as_they_stand(self):
        # They may come a moment after the ready file.
        wait_until("three curl lines", lambda: len(self.lines()) >= 3)
        lines = self.lines()
        self.assertEqual(len(lines), 3, self.server.output() + self.server.log())
        bodies = []
        for line in lines:
            self.assertIn("--cacert", line)
            self.assertNotIn("-k ", line)
            done = subprocess.run(["bash", "-c", line], cwd=self.server.folder, text=True,
                                  env=clean_environment(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=seconds(20))
            self.assertEqual(done.returncode, 0, f"{line}\n{done.stderr}")
            bodies.append(done.stdout)
        price = json.loads(bodies[0])
        self.assertEqual([record["key"] for record in price], ["AAPL"])
        self.assertIn("token is required", bodies[1])
        self.assertEqual(len(list(csv.DictReader(io.StringIO(bodies[2])))), 3)

    def test_the_log_says_that_the_certificate_is_for_development(self):
        self.assertRegex((self.server.log() + self.server.output()).lower(), "development")


class AnswersTest(DemoCase):
    def test_the_newest_record_comes_with_the_system_fields_last(self):
        answer = self.get("/v1/data/core/STOCKS/AAPL")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("Content-Type"), "application/json; charset=utf-8")
        records = json.loads(answer.body, object_pairs_hook=list)
        self.assertEqual(len(records), 1)
        names = [name for name, _ in records[0]]
        self.assertEqual(names[-5:], ["id", "key", "subkey", "date", "updated"])
        self.assertEqual(len(names), len(set(names)), "a name stands twice")
        record = answer.json()[0]
        date, price = demo_stocks()["AAPL"][0]
        self.assertEqual((record["id"], record["key"], day(record), record["price"]),
                         ("STOCKS", "AAPL", date, price))
        self.assertIsInstance(record["date"], int)
        self.assertLess(abs(record["updated"] / 1000 - time.time()), seconds(600))

    def test_every_key_of_the_demo_is_there_with_all_its_records(self):
        stocks = demo_stocks()
        self.assertEqual(sorted(stocks), ["AAPL", "AMZN", "GOOG", "IBM", "MSFT"])
        for symbol, rows in stocks.items():
            records = self.get(f"/v1/data/core/STOCKS/{symbol}?last=10000").json()
            self.assertEqual([(day(r), r["price"]) for r in records], rows)

    def test_costs_are_weight_times_records_in_four_headers(self):
        for target, wanted in ((("/v1/data/core/STOCKS/AAPL"), ("1", "1", "0", "0")),
                               (("/v1/data/core/STOCKS/AAPL?last=7"), ("7", "7", "0", "0")),
                               (("/v1/data/core/STOCKS/NOBODY"), ("0", "0", "0", "0"))):
            answer = self.get(target)
            self.assertEqual(tuple(answer.header(h) for h in COST_HEADERS), wanted, target)

    def test_a_head_costs_nothing(self):
        answer = self.server.data_plane.request(
            "HEAD", f"/v1/data/core/STOCKS/AAPL?token={self.server.publishable}")
        self.assertEqual(answer.status, 200)
        self.assertEqual(tuple(answer.header(h) for h in COST_HEADERS), ("0", "0", "0", "0"))

    def test_premium_is_read_by_the_secret_token_at_weight_ten(self):
        name = self.server.first_dataset("premium")
        answer = self.get(f"/v1/data/premium/{name}?last=3", self.server.secret)
        self.assertEqual(answer.status, 200)
        self.assertEqual(len(answer.json()), 3)
        self.assertEqual(tuple(answer.header(h) for h in COST_HEADERS), ("0", "0", "30", "30"))
        self.assertLessEqual({"id", "key", "subkey", "date", "updated"}, set(answer.json()[0]))

    def test_the_accounts_own_dataset_is_read_by_the_secret_token_without_system_fields(self):
        name = self.server.first_dataset("demo")
        answer = self.get(f"/v1/data/demo/{name}?last=2", self.server.secret)
        self.assertEqual(answer.status, 200)
        self.assertEqual(len(answer.json()), 2)
        self.assertNotIn("updated", answer.json()[0])
        self.assertNotIn("id", answer.json()[0])
        refused = self.get(f"/v1/data/demo/{name}")
        self.assertRefused(refused, 401, "data_restricted")

    def test_csv_has_a_header_and_the_same_records(self):
        for target, headers in (("/v1/data/core/STOCKS/IBM?last=5&format=csv", {}),
                                ("/v1/data/core/STOCKS/IBM?last=5", {"Accept": "text/csv"})):
            with self.subTest(target):
                answer = self.get(target, headers=headers)
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.header("Content-Type"), "text/csv; charset=utf-8")
                rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
                wanted = self.get("/v1/data/core/STOCKS/IBM?last=5").json()
                self.assertEqual([float(r["price"]) for r in rows], [r["price"] for r in wanted])
                self.assertEqual(list(rows[0]), list(wanted[0]))
                self.assertEqual(answer.header("iexcloud-credits-used"), "5")

    def test_format_wins_over_accept(self):
        answer = self.get("/v1/data/core/STOCKS/IBM?format=json", headers={"Accept": "text/csv"})
        self.assertEqual(answer.header("Content-Type"), "application/json; charset=utf-8")

    def test_the_other_roots_are_the_same_api(self):
        wanted = self.get("/v1/data/core/STOCKS/IBM").body
        for root in ("stable", "latest", "beta"):
            answer = self.get(f"/{root}/data/core/STOCKS/IBM")
            self.assertEqual((answer.status, answer.body), (200, wanted), root)

    def test_names_compare_without_case_and_come_back_as_they_were_made(self):
        wanted = self.get("/v1/data/core/STOCKS/AAPL").body
        for target in ("/v1/data/CORE/stocks/aapl", "/v1/data/Core/Stocks/aApL"):
            self.assertEqual(self.get(target).body, wanted)

    def test_a_nonce_and_a_trailing_slash_are_harmless(self):
        wanted = self.get("/v1/data/core/STOCKS/AAPL").body
        self.assertEqual(self.get("/v1/data/core/STOCKS/AAPL/?nonce=17").body, wanted)

    def test_an_answer_to_a_token_in_the_url_is_not_stored(self):
        answer = self.get("/v1/data/core/STOCKS/AAPL")
        self.assertEqual(answer.header("Cache-Control"), "no-store")
        self.assertEqual(answer.header("X-Content-Type-Options"), "nosniff")
        self.assertEqual(answer.header("Content-Security-Policy"), "default-src 'none'; sandbox")
        self.assertEqual(answer.header("Access-Control-Allow-Origin"), "*")
        self.assertTrue(answer.request_id)

    def test_the_plain_listener_serves_exactly_the_data_plane(self):
        target = f"/v1/data/core/STOCKS/AAPL?token={self.server.publishable}"
        self.assertEqual(self.server.plain.get(target).body, self.server.data_plane.get(target).body)
        for target in ("/manage/v1/tokens", "/operator/v1/accounts", "/metrics", "/healthz"):
            self.assertEqual(self.server.plain.get(target).status, 404, target)
            self.assertEqual(self.server.data_plane.get(target).status, 404, target)


class CatalogueTest(DemoCase):
    FIELDS = {"id", "workspace", "title", "class", "key", "subkey", "date", "weight", "records",
              "updated"}

    def names(self, target, token):
        answer = self.get(target, token)
        self.assertEqual(answer.status, 200)
        self.assertEqual({answer.header(h) for h in COST_HEADERS}, {"0"}, "it is free")
        for entry in answer.json():
            self.assertEqual(set(entry), self.FIELDS)
        return {f"{e['workspace']}/{e['id']}": e for e in answer.json()}

    def test_it_shows_what_the_token_may_read(self):
        public = self.names("/v1/data", self.server.publishable)
        self.assertEqual({e["workspace"] for e in public.values()}, {"core"})
        everything = self.names("/v1/data", self.server.secret)
        self.assertEqual({e["workspace"] for e in everything.values()}, {"core", "premium", "demo"})
        self.assertEqual(set(self.names("/v1/data/core", self.server.secret)), set(public))
        self.assertLessEqual({"core/STOCKS", "core/SP500"}, set(public))

    def test_its_entries_tell_the_definition(self):
        stocks = self.names("/v1/data/core", self.server.publishable)["core/STOCKS"]
        self.assertEqual((stocks["class"], stocks["key"], stocks["subkey"], stocks["date"],
                          stocks["weight"], stocks["records"]),
                         ("core", "symbol", None, "date", 1,
                          sum(len(rows) for rows in demo_stocks().values())))
        premium = self.names("/v1/data/premium", self.server.secret)
        self.assertTrue(all(e["weight"] == 10 and e["class"] == "premium"
                            for e in premium.values()))


class QueryTest(DemoCase):
    """limit, last, first, from, to, on."""

    def rows(self, parameters, key="MSFT"):
        answer = self.get(f"/v1/data/core/STOCKS/{key}?{parameters}")
        self.assertEqual(answer.status, 200, repr(answer))
        return [(day(r), r["price"]) for r in answer.json()]

    def test_each_parameter_takes_what_it_says(self):
        all_rows = demo_stocks()["MSFT"]
        oldest = all_rows[::-1]
        between = [r for r in all_rows if "2005-01-01" <= r[0] <= "2005-06-01"]
        for parameters, wanted in {
                "": all_rows[:1],
                "limit=3": all_rows[:3],
                "limit=10000": all_rows,
                "last=1": all_rows[:1],
                "last=12": all_rows[:12],
                "first=1": oldest[:1],
                "first=12": oldest[:12],
                "last=12&limit=5": all_rows[:5],
                "first=12&limit=5": oldest[:5],
                "from=2009-06-01": [r for r in all_rows if r[0] >= "2009-06-01"],
                "from=2009-06-02": [r for r in all_rows if r[0] >= "2009-06-02"],
                "to=2000-06-01": [r for r in all_rows if r[0] <= "2000-06-01"],
                "to=2000-05-31": [r for r in all_rows if r[0] <= "2000-05-31"],
                "from=2005-01-01&to=2005-06-01": between,
                "to=2005-06-01&from=2005-01-01": between,
                "from=2005-01-01&to=2005-06-01&limit=2": between[:2],
                "from=2005-01-01&to=2005-06-01&last=2": between[:2],
                "from=2005-01-01&to=2005-06-01&first=2": between[::-1][:2],
                "on=2005-03-01": [r for r in all_rows if r[0] == "2005-03-01"],
                "on=2005-03-02": [],
                "from=2050-01-01": [],
                "to=1970-01-01": [],
                "from=0001-01-01&to=9999-12-31": all_rows,
        }.items():
            with self.subTest(parameters):
                self.assertEqual(self.rows(parameters), wanted)

    def test_without_a_key_the_whole_dataset_counts_as_one(self):
        newest = self.get("/v1/data/core/STOCKS").json()
        self.assertEqual(len(newest), 1)
        self.assertEqual(day(newest[0]), "2010-03-01")
        on = self.get("/v1/data/core/STOCKS?on=2010-03-01").json()
        self.assertEqual(sorted(r["key"] for r in on), ["AAPL", "AMZN", "GOOG", "IBM", "MSFT"])
        dates = [r["date"] for r in self.get("/v1/data/core/STOCKS?last=300").json()]
        self.assertEqual(dates, sorted(dates, reverse=True))
        dates = [r["date"] for r in self.get("/v1/data/core/STOCKS?first=300").json()]
        self.assertEqual(dates, sorted(dates))

    def test_a_dataset_without_a_key_has_one_record_a_day(self):
        records = self.get("/v1/data/core/SP500?last=3").json()
        self.assertEqual(len(records), 3)
        self.assertEqual(len({r["date"] for r in records}), 3)

    def test_an_unknown_key_gives_an_empty_array(self):
        for target in ("/v1/data/core/STOCKS/NOBODY", "/v1/data/core/STOCKS/NOBODY?last=5",
                       "/v1/data/core/STOCKS/AAPL/subkey", "/v1/data/core/STOCKS/%20",
                       "/v1/data/core/STOCKS/%F0%9F%92%B0"):
            answer = self.get(target)
            self.assertEqual((answer.status, answer.body), (200, b"[]"), target)

    def test_a_value_that_is_not_allowed_is_400_and_named(self):
        cases = [f"{name}={value}" for name in ("limit", "last", "first")
                 for value in ("0", "-1", "1.5", "abc", "", "+1", "%201", "1e3", "0x1", "10001",
                               "99999999999999999999999")]
        cases += [f"{name}={value}" for name in ("from", "to", "on")
                  for value in ("", "yesterday", "2005-02-30", "2005-13-01", "2005-1-1",
                                "20050101", "01/01/2005", "2005-01-01T00:00:00Z", "1e9")]
        cases += ["format=xml", "format=", "format=JSONP"]
        for case in cases:
            with self.subTest(case):
                answer = self.get(f"/v1/data/core/STOCKS/AAPL?{case}")
                self.assertRefused(answer, 400, "invalid_values",
                                   "You have supplied invalid values for this request")
                self.assertIn(case.split("=")[0], answer.text)

    def test_parameters_that_exclude_each_other_are_400(self):
        for case in ("last=2&first=2", "on=2005-03-01&from=2005-01-01", "on=2005-03-01&to=2005-04-01",
                     "limit=1&limit=2", "from=2005-01-01&from=2005-01-02", "limit=1&limit=1"):
            with self.subTest(case):
                self.assertRefused(self.get(f"/v1/data/core/STOCKS/AAPL?{case}"), 400,
                                   "invalid_values")

    def test_any_other_parameter_is_400_and_named(self):
        for name in ("colour", "callback", "Token", "LIMIT", "limi", "limits", "f%6fo"):
            with self.subTest(name):
                answer = self.get(f"/v1/data/core/STOCKS/AAPL?{name}=1")
                self.assertRefused(answer, 400, "invalid_values",
                                   "You have supplied invalid values for this request")
                self.assertIn(name.replace("%6f", "o"), answer.text)

    def test_a_reflected_name_carries_no_markup_and_no_line_break(self):
        answer = self.get("/v1/data/core/STOCKS/AAPL?%3Cscript%3E%0d%0aX-Injected:%201=1")
        self.assertRefused(answer, 400, "invalid_values")
        self.assertIsNone(answer.header("X-Injected"))
        self.assertNotIn("\n", answer.text.strip())

    def test_lists_answer_datasets_times_keys_in_their_order(self):
        answer = self.get("/v1/data/core/STOCKS,SP500/AAPL,%20,MSFT?filter=id,key")
        self.assertEqual(answer.status, 200, repr(answer))
        rows = [(row["id"], row["key"]) for row in answer.json()]
        self.assertEqual(rows, [("STOCKS", "AAPL"), ("STOCKS", "MSFT")])

    def test_parameters_may_be_encoded(self):
        wanted = self.get("/v1/data/core/STOCKS/AAPL?last=3").body
        self.assertEqual(self.get("/v1/data/core/STOCKS/AAPL?l%61st=%33").body, wanted)


class StatusTest(DemoCase):
    def test_health_readiness_and_metrics_stand_on_the_internal_plane(self):
        self.assertEqual(self.server.internal.get("/healthz").status, 200)
        self.assertEqual(self.server.internal.get("/readyz").status, 200)
        answer = self.server.internal.get("/metrics")
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.header("Content-Type").startswith("text/plain"))
        self.assertTrue(self.server.metrics())

    def test_metrics_count_requests_by_reason_with_bounded_labels(self):
        self.get("/v1/data/core/STOCKS/AAPL", token="pk_nonsense")
        metrics = self.server.metrics()
        values = {value for (_, labels) in metrics for name, value in labels if name == "reason"}
        self.assertIn("token_invalid", values)
        self.assertLess(len(metrics), 2000)
        text = self.server.internal.get("/metrics").text
        self.assertNotIn("nonsense", text)
        self.assertNotIn(self.server.publishable, text)
        self.assertNotIn("AAPL", text)


class CommandLineTest(DemoCase):
    def test_help_teaches_by_example(self):
        for arguments in ((), ("serve",), ("token",), ("token", "create"), ("account", "create"),
                          ("plan", "create"), ("dataset", "import"), ("backup",), ("restore",),
                          ("doctor",), ("config", "check"), ("master-key", "rotate")):
            with self.subTest(arguments):
                done = run(*arguments, "--help")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("latchkey", done.stdout)

    def test_version_says_its_version(self):
        done = run("version")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\d+\.\d+\.\d+")

    def test_doctor_is_content_with_the_demo(self):
        done = self.server.cli("doctor")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()

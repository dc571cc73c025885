"""Which datasets the old forms stand over: `latchkey legacy` and /operator/v1/legacy-maps."""

import json
import unittest

from harness import Case, ServerCase, run

CSV = "symbol,day,price,volume\nAAPL,2024-01-31,1.5,10\nAAPL,2024-02-29,2.5,20\nMSFT,2024-02-29,3,30\n"


class DemoTest(ServerCase):
    def test_the_demo_maps_its_prices_to_both_forms(self):
        answer, page = self.server.operate("GET", "/legacy-maps")
        self.assertEqual(answer.status, 200)
        self.assertEqual([(m["kind"], m["dataset"]) for m in page["items"]],
                         [("quote", "core/STOCKS"), ("chart", "core/STOCKS")])
        listed = self.server.cli("legacy", "list")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertEqual(listed.stdout.count("core/STOCKS"), 2, listed.stdout)


class CommandTest(ServerCase):
    demo = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.import_csv("core/PRICES", CSV, key="symbol", date="day")
        cls.server.import_csv("core/UNDATED", "symbol,price\nAAPL,1\n", key="symbol")
        cls.server.import_csv("premium/RATES", "country,rate\nCH,1\n", key="country")

    def run_ok(self, *arguments):
        done = self.server.cli("legacy", *arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_map_list_rename_and_unmap(self):
        shown = json.loads(self.run_ok("map", "quote", "core/prices", "--rename",
                                       "latestPrice=price", "--rename", "latestVolume=volume",
                                       "--json"))
        self.assertEqual((shown["kind"], shown["dataset"], shown["renames"]),
                         ("quote", "core/PRICES",
                          {"latestPrice": "price", "latestVolume": "volume"}))
        self.assertIn("latestPrice", self.run_ok("list"))
        # Mapped anew: what was renamed before is forgotten.
        self.run_ok("map", "quote", "core/PRICES")
        listed = json.loads(self.run_ok("list", "--json"))
        self.assertEqual([m["renames"] for m in listed["items"]], [{}])
        self.run_ok("unmap", "quote")
        self.assertEqual(json.loads(self.run_ok("list", "--json"))["items"], [])

    def test_what_cant_hold_is_refused_with_the_field_named(self):
        cases = [
            (["quote", "core/NONE"], "no such dataset"),
            (["quote", "premium/RATES"], "core"),
            (["chart", "core/UNDATED"], "date"),
            (["quote", "core/PRICES", "--rename", "a=Price"], "Price"),
            (["quote", "core/PRICES", "--rename", "day=price"], "day"),
            (["company", "core/PRICES"], "quote and chart"),
        ]
        for arguments, word in cases:
            with self.subTest(arguments):
                done = self.server.cli("legacy", "map", *arguments)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(word, done.stderr)
        done = self.server.cli("legacy", "map", "quote", "core/PRICES", "--rename", "price")
        self.assertEqual(done.returncode, 2)
        self.assertIn("NAME=FIELD", done.stderr)
        self.assertEqual(self.server.cli("legacy", "unmap", "chart").returncode, 1)

    def test_help_teaches_by_example(self):
        for command in ([], ["map"], ["list"], ["unmap"]):
            done = run("legacy", *command, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn("Examples:", done.stdout)
            self.assertIn("latchkey legacy ", done.stdout)

    def test_problems_are_machine_readable(self):
        answer, problem = self.server.operate("PUT", "/legacy-maps/quote",
                                              {"dataset": "core/PRICES", "renames": {"x": "y"}})
        self.assertEqual((answer.status, problem["reason"]), (400, "invalid_values"))
        self.assertEqual([e["field"] for e in problem["errors"]], ["renames.x"])


class AnswerTest(ServerCase):
    demo = False

    def test_a_change_holds_from_the_next_request_on(self):
        self.server.make_plan("free")
        token = self.server.make_account("acme", "free")["publishable_token"]["token"]
        self.server.import_csv("core/PRICES", CSV, key="symbol", date="day")
        self.server.import_csv("core/OTHER", "symbol,day,close\nAAPL,2024-03-01,9\n",
                               key="symbol", date="day")

        def quote(path=""):
            return self.server.data_plane.get(f"/stable/stock/aapl/quote{path}?token={token}")

        self.assertEqual(quote().status, 404)
        self.server.cli("legacy", "map", "quote", "core/PRICES", "--rename", "latestPrice=price")
        answer = quote()
        self.assertEqual((answer.status, answer.header("Content-Type")),
                         (200, "application/json; charset=utf-8"))
        self.assertEqual((answer.json()["latestPrice"], answer.json()["volume"]), (2.5, 20))
        self.assertNotIn("price", answer.json())
        self.assertEqual(quote("/latestPrice").text, "2.5")
        # A field of that name, added later, gives way: no name stands twice in one object.
        self.server.cli("dataset", "change", "core/PRICES", "--add-fields", "latestPrice:number")
        self.assertEqual(quote().text.count('"latestPrice"'), 1)
        self.assertEqual(quote("/latestPrice").text, "2.5")
        self.server.cli("legacy", "map", "quote", "core/OTHER")
        self.assertEqual(quote("/close").text, "9")
        # By its id: the map goes with the dataset to its new name.
        self.server.cli("dataset", "rename", "core/OTHER", "RENAMED")
        self.assertEqual(quote("/close").text, "9")
        self.server.cli("legacy", "unmap", "quote")
        self.assertEqual(quote().status, 404)


class RestartTest(Case):
    def test_a_map_survives_a_kill(self):
        server = self.start()
        server.import_csv("core/PRICES", CSV, key="symbol", date="day")
        done = server.cli("legacy", "map", "chart", "core/PRICES", "--rename", "close=price")
        self.assertEqual(done.returncode, 0, done.stderr)
        server.kill()
        server.start()
        answer, found = server.operate("GET", "/legacy-maps/chart")
        self.assertEqual(answer.status, 200)
        self.assertEqual((found["dataset"], found["renames"]),
                         ("core/PRICES", {"close": "price"}))
        # A removed dataset leaves the map, which then names nothing.
        self.assertEqual(server.operate("DELETE", "/datasets/core/PRICES")[0].status, 204)
        self.assertIsNone(server.operate("GET", "/legacy-maps/chart")[1]["dataset"])


if __name__ == "__main__":
    unittest.main()

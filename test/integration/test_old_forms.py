"""The forms of the older API over the core datasets that the operator maps."""

import datetime
import json
import unittest

from data_case import JSON_TYPE, DataCase, costs

DAY = datetime.timedelta(days=1)


class OldFormsCase(DataCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.today = datetime.datetime.now(datetime.timezone.utc).date()
        quotes = "symbol,latestPrice,name\nAAPL,1.5,Apple\nMSFT,20,\"Micro, soft\"\nBRK.B,7,Berk\n"
        cls.server.import_csv("core/QUOTES", quotes, "--weight", "2", key="symbol")
        bars = "symbol,date,close\n" + "".join(
            f"{s},{cls.today - i * DAY},{i}\n" for s in ("AAPL", "MSFT") for i in range(400))
        cls.server.import_csv("core/BARS", bars, key="symbol", date="date")
        cls.map("quote", "core/QUOTES")
        cls.map("chart", "core/BARS")

    @classmethod
    def map(cls, kind, dataset, *more):
        done = cls.server.cli("legacy", "map", kind, dataset, *more)
        if done.returncode != 0:
            raise AssertionError(f"legacy map ended with {done.returncode}: {done.stderr}")

    def get(self, target, token=None, **options):
        return self.acme.get(target, token or self.acme.publishable, **options)

    def json_of(self, target):
        answer = self.assertOk(self.get(target))
        self.assertEqual(answer.header("Content-Type"), JSON_TYPE)
        return answer.json()


class QuoteTest(OldFormsCase):
    def test_a_quote_is_one_object(self):
        for target in ("/stable/stock/AAPL/quote", "/v1/stock/aapl/quote", "/latest/stock/Aapl/quote",
                       "/beta/stock/AAPL/quote/", "/stable/stock/AAPL/quote?nonce=3"):
            quote = self.json_of(target)
            self.assertEqual((quote["symbol"], quote["latestPrice"], quote["name"]),
                             ("AAPL", 1.5, "Apple"), target)

    def test_a_field_is_its_bare_value(self):
        for field, text in (("latestPrice", b"1.5"), ("name", b'"Apple"'), ("symbol", b'"AAPL"')):
            answer = self.assertOk(self.get(f"/stable/stock/aapl/quote/{field}"))
            self.assertEqual((answer.header("Content-Type"), answer.body), (JSON_TYPE, text))
        self.assertEqual(self.json_of("/stable/stock/BRK.B/quote/name"), "Berk")
        answer = self.get("/stable/stock/aapl/quote/nothing")
        self.assertIn((answer.status, answer.reason), ((404, "not_found"), (400, "invalid_values")))

    def test_an_unknown_symbol_is_told_with_the_known_text(self):
        for target in ("/stable/stock/NOBODY/quote", "/stable/stock/NOBODY/quote/latestPrice",
                       "/stable/stock/NOBODY/chart/1m"):
            answer = self.get(target)
            self.assertRefused(answer, 404, "not_found", "Unknown symbol")
            self.assertEqual(answer.header("Content-Type"), "text/plain; charset=utf-8")

    def test_it_costs_the_weight(self):
        self.assertEqual(costs(self.get("/stable/stock/AAPL/quote")), (2, 0))
        self.assertEqual(costs(self.get("/stable/stock/AAPL/quote/latestPrice")), (2, 0))
        self.assertEqual(costs(self.get("/stable/stock/AAPL/chart/5d")), (6, 0))

    def test_rights_hold_as_for_the_dataset(self):
        token, _ = self.server.make_token(self.acme.secret, core_data_access=False)
        for symbol in ("AAPL", "NOBODY"):
            self.assertRefused(self.get(f"/stable/stock/{symbol}/quote", token["token"]), 401,
                               "data_restricted")
        self.assertRefused(self.server.plain.get("/stable/stock/AAPL/quote"), 401, "token_required")

    def test_a_filter_chooses_fields_and_unknown_parameters_are_refused(self):
        self.assertEqual(self.json_of("/stable/stock/AAPL/quote?filter=name,latestPrice"),
                         {"name": "Apple", "latestPrice": 1.5})
        self.assertInvalid(self.get("/stable/stock/AAPL/quote?unknown=1"), "unknown")


class ChartTest(OldFormsCase):
    def days(self, target):
        return [r["close"] for r in self.json_of(target)]

    def test_ranges(self):
        back = self.today

        def since(start):
            return set(range((self.today - start).days + 1))
        ytd = since(back.replace(month=1, day=1))
        self.assertEqual(set(self.days("/stable/stock/AAPL/chart/5d")), {0, 1, 2, 3, 4, 5})
        self.assertEqual(set(self.days("/stable/stock/AAPL/chart/ytd")), ytd)
        self.assertEqual(set(self.days("/stable/stock/AAPL/chart/max")), set(range(400)))
        self.assertEqual(set(self.days("/stable/stock/AAPL/chart/5y")), set(range(400)))
        for name, low, high in (("1m", 28, 31), ("3m", 88, 92), ("6m", 180, 184), ("1y", 365, 366)):
            got = self.days(f"/stable/stock/AAPL/chart/{name}")
            self.assertTrue(low <= max(got) <= high, (name, max(got)))
            self.assertEqual(set(got), set(range(max(got) + 1)))

    def test_the_order_is_by_date(self):
        got = self.days("/stable/stock/AAPL/chart/5d")
        self.assertIn(got, (sorted(got), sorted(got, reverse=True)))

    def test_what_is_no_range_is_refused(self):
        self.assertInvalid(self.get("/stable/stock/AAPL/chart/7x"))


class BatchTest(OldFormsCase):
    def test_objects_by_symbol_and_type(self):
        batch = self.json_of("/stable/stock/market/batch?symbols=aapl,msft,NOBODY&types=quote,chart"
                             "&range=5d&last=10")
        self.assertEqual({s: set(t) for s, t in batch.items() if s.upper() != "NOBODY"},
                         {"AAPL": {"quote", "chart"}, "MSFT": {"quote", "chart"}})
        self.assertEqual(batch["MSFT"]["quote"]["name"], "Micro, soft")
        self.assertEqual({r["close"] for r in batch["AAPL"]["chart"]}, {0, 1, 2, 3, 4, 5})
        self.assertEqual(batch.get("NOBODY", {}), {})
        encoded = self.json_of("/stable/stock/market/batch?symbols=AAPL%2CMSFT&types=quote%2Cchart"
                               "&range=5d&last=10")
        self.assertEqual(encoded["AAPL"], batch["AAPL"])

    def test_its_cost_is_that_of_its_parts(self):
        answer = self.get("/stable/stock/market/batch?symbols=AAPL,MSFT&types=quote,chart&range=5d")
        self.assertEqual(costs(answer), (2 * 2 + 2 * 6, 0))

    def test_one_symbol_by_its_path(self):
        batch = self.json_of("/stable/stock/aapl/batch?types=quote,chart&range=5d&last=1")
        self.assertEqual(set(batch), {"quote", "chart"})
        self.assertEqual(batch["quote"]["latestPrice"], 1.5)
        self.assertRefused(self.get("/stable/stock/NOBODY/batch?types=quote"), 404, "not_found",
                           "Unknown symbol")

    def test_refusals(self):
        self.assertRefused(self.get("/stable/stock/market/batch?symbols=AAPL"), 400, "type_required")
        self.assertInvalid(self.get("/stable/stock/market/batch?types=quote"), "symbols")
        self.assertInvalid(self.get("/stable/stock/market/batch?symbols=AAPL&types=nothing"), "types")
        many = ",".join(f"S{i}" for i in range(100))
        self.assertOk(self.get(f"/stable/stock/market/batch?symbols={many}&types=quote"))
        self.assertInvalid(self.get(f"/stable/stock/market/batch?symbols={many},X&types=quote"),
                           "symbols")


class MapsTest(OldFormsCase):
    def test_renames_give_fields_their_old_names(self):
        self.map("quote", "core/QUOTES", "--rename", "companyName=name")
        try:
            quote = self.json_of("/stable/stock/AAPL/quote")
            self.assertEqual(quote["companyName"], "Apple")
            self.assertNotIn("name", quote)
            self.assertEqual(self.json_of("/stable/stock/AAPL/quote/companyName"), "Apple")
        finally:
            self.map("quote", "core/QUOTES")
        self.assertIn("name", self.json_of("/stable/stock/AAPL/quote"))

    def test_without_a_map_there_is_no_such_path(self):
        self.assertEqual(self.server.cli("legacy", "unmap", "chart").returncode, 0)
        try:
            self.assertEqual(self.get("/stable/stock/AAPL/chart/1m").status, 404)
            self.assertOk(self.get("/stable/stock/AAPL/quote"))
        finally:
            self.map("chart", "core/BARS")
        listed = self.server.cli("legacy", "list", "--json")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertIn("BARS", listed.stdout)

    def test_a_hot_quote_follows_its_dataset(self):
        for number in range(5):
            self.server.import_csv("core/MOVING", f"symbol,latestPrice\nAAPL,{number}\n", key="symbol")
            if number == 0:
                self.map("quote", "core/MOVING")
            for _ in range(3):
                self.assertEqual(self.json_of("/stable/stock/AAPL/quote/latestPrice"), number)
        self.map("quote", "core/QUOTES")

    def test_only_core_can_be_mapped(self):
        self.acme.wrote("OWN", [{"key": "A"}])
        for dataset in ("acme/OWN", "core/NO_SUCH"):
            self.assertEqual(self.server.cli("legacy", "map", "quote", dataset).returncode, 1)
        self.assertOk(self.get("/stable/stock/AAPL/quote"))


class BodyTokenTest(OldFormsCase):
    """`token` in the JSON body of old POSTs."""

    def post(self, body, target="/stable/datasets/acme"):
        return self.server.plain.request("POST", target, {"Content-Type": "application/json"},
                                         json.dumps(body).encode())

    def body(self, name, **more):
        return {**more, "dataset": {"datasetId": name, "schema": {"type": "object", "properties": {
            "key": {"type": "string"}}}, "columnMapping": {"key": "key"}}}

    def test_it_counts_under_stable(self):
        answer = self.post(self.body("BODY", token=self.acme.secret))
        self.assertEqual(answer.status, 200, repr(answer))
        answer = self.post(self.body("QUERY"), f"/stable/datasets/acme?token={self.acme.secret}")
        self.assertEqual(answer.status, 200, repr(answer))

    def test_two_tokens_that_differ_are_refused_and_the_same_twice_is_one(self):
        both = f"/stable/datasets/acme?token={self.acme.secret}"
        self.assertEqual(self.post(self.body("BOTH", token=self.acme.secret), both).status, 200)
        self.assertInvalid(self.post(self.body("TWO", token=self.rival.secret), both))
        self.assertRefused(self.acme.get("/v1/data/acme/TWO"), 404, "not_found")

    def test_elsewhere_it_is_no_token(self):
        self.assertRefused(self.post(self.body("V1", token=self.acme.secret), "/v1/datasets/acme"),
                           401, "token_required")

    def test_a_wrong_one_is_refused(self):
        self.assertRefused(self.post(self.body("WRONG", token="sk_" + "0" * 36)), 403,
                           "token_invalid")
        self.assertRefused(self.post(self.body("NONE")), 401, "token_required")


if __name__ == "__main__":
    unittest.main()

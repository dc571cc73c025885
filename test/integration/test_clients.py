"""Clients that were published for IEX Cloud work with only their base URL changed."""

import csv
import io
import unittest

from clients import ClientError, client_of
from harness import ServerCase
from test_first_request import day, demo_stocks


class ClientCase(ServerCase):
    demo = True
    kind = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clients = {}

    @classmethod
    def tearDownClass(cls):
        for client in cls.clients.values():
            client.close()
        super().tearDownClass()

    def client(self, token=None):
        token = token or self.server.secret
        if token not in self.clients:
            self.clients[token] = client_of(self.server, self.kind, token)
        return self.clients[token]

    def assertThrows(self, text, *steps, token=None):
        with self.assertRaises(ClientError) as caught:
            self.client(token).call(*steps)
        self.assertIn(text, str(caught.exception))
        return str(caught.exception)


class ApperateCase(ClientCase):
    kind = "iexjs"

    def apperate(self, method, _token=None, **options):
        return self.client(_token).call("apperate", [method, options])

    def query(self, dataset, key=None, _token=None, **options):
        workspace, name = dataset.split("/")
        if key is not None:
            options["key"] = key
        return self.apperate("queryData", _token, workspace=workspace, id=name, **options)


class QueryTest(ApperateCase):
    """@apperate/iexjs: queryData and what is around it."""

    def test_the_newest_record_of_a_key(self):
        date, price = demo_stocks()["AAPL"][0]
        for workspace in ("CORE", "core"):
            records = self.query(f"{workspace}/STOCKS", "AAPL")
            self.assertEqual([(r["id"], r["key"], day(r), r["price"]) for r in records],
                             [("STOCKS", "AAPL", date, price)])

    def test_a_publishable_token_reads_core_too(self):
        records = self.query("CORE/STOCKS", "AAPL", self.server.publishable)
        self.assertEqual(len(records), 1)

    def test_each_parameter_that_it_may_send(self):
        rows = demo_stocks()["IBM"]
        oldest_first = rows[::-1]
        for options, wanted in (
                ({"last": 3}, rows[:3]),
                ({"first": 3}, oldest_first[:3]),
                ({"limit": 4, "offset": 2}, rows[2:6]),
                ({"last": 5, "interval": 2}, rows[0:10:2]),
                ({"from": "2005-01-01", "to": "2005-12-31"},
                 [r for r in rows if r[0].startswith("2005")]),
                ({"on": "2008-03-01"}, [r for r in rows if r[0] == "2008-03-01"]),
                ({"range": "Q22004"}, [r for r in rows if "2004-04" <= r[0] < "2004-07"]),
                ({"range": "2003", "sort": "asc"},
                 [r for r in oldest_first if r[0].startswith("2003")]),
                ({"range": "2003", "sort": "ASC"},
                 [r for r in oldest_first if r[0].startswith("2003")])):
            with self.subTest(options):
                records = self.query("CORE/STOCKS", "IBM", **options)
                self.assertEqual([(day(r), r["price"]) for r in records], wanted)

    def test_several_datasets_and_keys_come_in_their_order(self):
        records = self.query("CORE/STOCKS", "MSFT,NOBODY,AAPL")
        self.assertEqual([r["key"] for r in records], ["MSFT", "AAPL"])
        records = self.query("CORE/SP500,STOCKS")
        self.assertEqual([r["id"] for r in records], ["SP500", "STOCKS"])

    def test_filter_and_schema_and_csv(self):
        records = self.query("CORE/STOCKS", "AAPL", filter="price,symbol")
        self.assertEqual([list(r) for r in records], [["price", "symbol"]])
        schemas = self.query("CORE/STOCKS", schema=True)
        self.assertEqual([s["datasetId"] for s in schemas], ["STOCKS"])
        text = self.query("CORE/STOCKS", "AAPL", last=2, format="csv")
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual([float(r["price"]) for r in rows],
                         [price for _, price in demo_stocks()["AAPL"][:2]])

    def test_the_catalogue(self):
        found = self.apperate("queryDatasets")
        self.assertEqual({d["workspace"] for d in found}, {"core", "premium", "demo"})
        found = self.apperate("queryDatasets", workspace="CORE")
        self.assertLessEqual({"STOCKS", "SP500"}, {d["id"] for d in found})

    def test_refusals_come_as_plain_sentences(self):
        wrong = "sk_" + "0" * 30 + "000000"
        error = self.assertThrows("Response 403 - The API key provided is not valid.", "apperate",
                                  ["queryData", {"workspace": "CORE", "id": "STOCKS"}], token=wrong)
        self.assertNotIn("{", error)
        error = self.assertThrows("Response 400 - You have supplied invalid values", "apperate",
                                  ["queryData", {"workspace": "CORE", "id": "STOCKS",
                                                 "subattribute": "x"}])
        self.assertIn("subattribute", error)
        self.assertThrows("Response 404 - Not Found", "apperate",
                          ["queryData", {"workspace": "CORE", "id": "NO_SUCH"}])


DEFINITION = {"datasetId": "QUOTES", "title": "Quotes of mine", "source": "a test",
              "schema": {"type": "object",
                         "properties": {"symbol": {"type": "string"}, "day": {"type": "date"},
                                        "price": {"type": "number"}},
                         "required": ["symbol"]},
              "columnMapping": {"key": "symbol", "date": "day"}}


class OldFormsTest(ClientCase):
    """@apperate/iexjs: quote, chart and batch of the older API."""

    kind = "iexjs"

    def test_a_quote_is_one_object(self):
        quote = self.client().call(["quote", {"symbol": "aapl"}])
        self.assertEqual((quote["symbol"], quote["price"]), ("AAPL", demo_stocks()["AAPL"][0][1]))

    def test_a_quote_takes_a_filter(self):
        quote = self.client().call(["quote", {"symbol": "AAPL"}, {"filter": "price"}])
        self.assertEqual(quote, {"price": demo_stocks()["AAPL"][0][1]})

    def test_an_unknown_symbol_is_told_as_ever(self):
        self.assertThrows("Response 404 - Unknown symbol", ["quote", {"symbol": "NOBODY"}])

    def test_a_chart_is_an_array(self):
        chart = self.client().call(["chart", {"symbol": "AAPL", "range": "max"}])
        rows = [(r["date"], r["price"]) for r in chart]
        self.assertIn(rows, (demo_stocks()["AAPL"], demo_stocks()["AAPL"][::-1]))
        self.assertEqual(self.client().call(["chart", {"symbol": "AAPL", "range": "1m"}]), [])

    def test_batches_give_each_symbol_its_types(self):
        batch = self.client().call(["batch", {"symbols": ["AAPL", "MSFT"],
                                              "fields": ["quote", "chart"], "range": "max"}])
        self.assertEqual(set(batch), {"AAPL", "MSFT"})
        for symbol, types in batch.items():
            self.assertEqual(set(types), {"quote", "chart"})
            self.assertEqual(types["quote"]["price"], demo_stocks()[symbol][0][1])
            self.assertEqual(len(types["chart"]), len(demo_stocks()[symbol]))

    def test_a_batch_of_one_symbol_gives_its_types(self):
        batch = self.client().call(["batch", {"symbols": ["AAPL"]}])
        self.assertEqual(set(batch), {"quote"})
        self.assertEqual(batch["quote"]["symbol"], "AAPL")

    def test_the_status_needs_nothing(self):
        self.assertEqual(self.client().call(["status"])["status"], "up")


class NodeIexCloudTest(ClientCase):
    """node-iex-cloud: believes an answer only if its content type is the one it knows."""

    kind = "node-iex-cloud"

    def client(self, token=None):
        return super().client(token or self.server.publishable)

    def test_a_quote_and_a_field_of_it(self):
        price = demo_stocks()["AAPL"][0][1]
        quote = self.client().call(["symbol", "aapl"], ["quote"])
        self.assertEqual((quote["symbol"], quote["price"]), ("AAPL", price))
        self.assertEqual(self.client().call(["symbol", "aapl"], ["quote", "price"]), price)

    def test_a_chart(self):
        chart = self.client().call(["symbol", "ibm"], ["chart", "max"])
        self.assertEqual(len(chart), len(demo_stocks()["IBM"]))

    def test_batches(self):
        batch = self.client().call(["batchSymbols", "aapl", "msft"], ["quote"])
        self.assertEqual({s: list(types) for s, types in batch.items()},
                         {"AAPL": ["quote"], "MSFT": ["quote"]})
        batch = self.client().call(["batchSymbols", "aapl", "msft"], ["chart", "max"])
        self.assertEqual(len(batch["AAPL"]["chart"]), len(demo_stocks()["AAPL"]))
        batch = self.client().call(["symbol", "aapl"], ["batch"], ["quote"], ["chart"],
                                   ["range", "max", 5])
        self.assertEqual(set(batch), {"quote", "chart"})

    def test_refusals_are_its_errors(self):
        self.assertThrows("Unknown symbol", ["symbol", "nobody"], ["quote"])
        self.assertThrows("The API key provided is not valid.", ["symbol", "aapl"], ["quote"],
                          token="pk_" + "0" * 30 + "000000")


if __name__ == "__main__":
    unittest.main()

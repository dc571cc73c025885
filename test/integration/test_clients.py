"""Clients that were published for IEX Cloud work with only their base URL changed."""

import csv
import io
import json
import unittest

from clients import ClientError, client_of
from harness import ServerCase, wait_until
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


class WriteTest(ApperateCase):
    """@apperate/iexjs: write, loadData, getDataJob, deleteData."""

    def write(self, name, data, **options):
        return self.apperate("write", workspace="DEMO", id=name, data=data, **options)

    def test_write_makes_the_dataset_on_demand_and_the_query_gives_it_back(self):
        answer = self.write("WRITTEN", [{"key": "A", "date": "2024-01-01", "v": 1},
                                        {"key": "A", "date": "2024-01-02", "v": 2.5},
                                        {"key": "B", "date": "2024-01-01", "v": None}])
        self.assertEqual(answer, {"success": True, "message": "wrote 3 messages"})
        self.assertEqual(self.query("DEMO/WRITTEN", "A", last=5),
                         [{"key": "A", "date": "2024-01-02", "v": 2.5},
                          {"key": "A", "date": "2024-01-01", "v": 1}])

    def test_duplicates_are_replaced_or_ignored(self):
        first = {"key": "A", "date": "2024-01-01", "v": 1}
        self.write("DUPLICATES", [first])
        answer = self.write("DUPLICATES", [{**first, "v": 2}, {**first, "key": "B"}],
                            duplicateKeyHandling="ignore")
        self.assertEqual(answer["message"], "wrote 1 messages")
        self.assertEqual(self.query("DEMO/DUPLICATES", "A")[0]["v"], 1)
        self.write("DUPLICATES", [{**first, "v": 3}], wait=True)
        self.assertEqual(self.query("DEMO/DUPLICATES", "A")[0]["v"], 3)

    def test_one_object_is_one_record(self):
        answer = self.write("ONE", {"key": "A", "date": "2024-01-01", "v": 1})
        self.assertEqual(answer, {"success": True, "message": "wrote 1 messages"})

    def test_without_creation_on_demand_an_absent_dataset_is_refused(self):
        self.assertThrows("Response 404", "apperate",
                          ["write", {"workspace": "DEMO", "id": "ABSENT", "data": [{"key": "A"}],
                                     "createDatasetOnDemand": False}])

    def load(self, name, text, **options):
        begun = self.apperate("loadData", workspace="DEMO", id=name, data=text, **options)
        self.assertTrue(begun["success"], begun)
        self.assertEqual(begun["jobUrl"].lower(), f"/v1/jobs/demo/ingest/{begun['jobId']}".lower())

        def ended():
            job = self.apperate("getDataJob", workspace="DEMO", type="ingest", id=begun["jobId"])
            self.assertIn(job["status"], ("VALIDATING", "VALIDATED", "INGESTING", "INGESTED",
                                          "FAILED"))
            return job if job["status"] in ("INGESTED", "FAILED") else None
        return wait_until("the job to end", ended)

    def test_load_takes_csv_json_and_json_lines_whatever_the_content_type_says(self):
        rows = [{"key": "A", "date": "2024-01-01", "v": 1}, {"key": "B", "date": "2024-01-01", "v": 2}]
        forms = {"CSV": "key,date,v\nA,2024-01-01,1\nB,2024-01-01,2\n",
                 "TAB": "key\tdate\tv\nA\t2024-01-01\t1\nB\t2024-01-01\t2\n",
                 "PIPE": "key|date|v\nA|2024-01-01|1\nB|2024-01-01|2\n",
                 "JSON": json.dumps(rows),
                 "LINES": "".join(json.dumps(r) + "\n" for r in rows)}
        for name, text in forms.items():
            with self.subTest(name):
                job = self.load(f"LOADED_{name}", text, contentType="text/plain",
                                duplicateKeyHandling="replace")
                self.assertEqual(job["status"], "INGESTED", job)
                self.assertEqual(self.query(f"DEMO/LOADED_{name}", "A,B"), rows)

    def test_load_overwrites(self):
        self.load("OVERWRITTEN", "key,v\nA,1\n")
        self.load("OVERWRITTEN", "key,v\nB,2\n", overwrite=True)
        self.assertEqual(self.query("DEMO/OVERWRITTEN", limit=10), [{"key": "B", "v": 2}])

    def test_delete(self):
        self.write("DELETED", [{"key": k, "date": f"2024-01-0{d}", "v": d}
                               for k in "AB" for d in range(1, 5)])
        answer = self.apperate("deleteData", workspace="DEMO", id="DELETED", key="A")
        self.assertEqual(answer, {"success": True, "message": "deleted 4 records"})
        self.assertEqual(self.query("DEMO/DELETED", "A", last=9), [])
        self.assertEqual(len(self.query("DEMO/DELETED", "B", last=9)), 4)


DEFINITION = {"datasetId": "QUOTES", "title": "Quotes of mine", "source": "a test",
              "schema": {"type": "object",
                         "properties": {"symbol": {"type": "string"}, "day": {"type": "date"},
                                        "price": {"type": "number"}},
                         "required": ["symbol"]},
              "columnMapping": {"key": "symbol", "date": "day"}}


class DatasetsTest(ApperateCase):
    """@apperate/iexjs: datasets made, listed, changed, renamed and removed."""

    def test_the_life_of_a_dataset(self):
        made = self.apperate("registerDataset", workspace="DEMO",
                             data=json.dumps({"dataset": DEFINITION}))
        self.assertEqual(made, {"success": True, "message": "Dataset has been created",
                                "datasetId": "QUOTES"})
        self.apperate("write", workspace="DEMO", id="QUOTES",
                      data=[{"symbol": "A", "day": "2024-05-06", "price": 1.25}])
        names = [d["datasetId"] for d in self.apperate("listDatasets", workspace="DEMO")]
        self.assertIn("QUOTES", names)
        got = self.apperate("getDataset", workspace="DEMO", id="QUOTES")
        self.assertEqual((got["datasetId"], got["title"]), ("QUOTES", "Quotes of mine"))
        self.assertEqual(got["schema"]["properties"]["price"]["type"], "number")

        wider = json.loads(json.dumps(DEFINITION))
        wider["schema"]["properties"]["note"] = {"type": "string"}
        wider["title"] = "Quotes and notes"
        changed = self.apperate("updateDataset", workspace="DEMO", id="QUOTES",
                                data=json.dumps({"dataset": wider}))
        self.assertTrue(changed["success"])
        changed = self.apperate("patchDataset", workspace="DEMO", id="QUOTES",
                                data=json.dumps({"dataset": {"title": "Patched"}}))
        self.assertTrue(changed["success"])
        got = self.apperate("getDataset", workspace="DEMO", id="QUOTES")
        self.assertEqual(got["title"], "Patched")
        self.assertIn("note", got["schema"]["properties"])

        renamed = self.apperate("renameDataset", workspace="DEMO", id="QUOTES",
                                newDatasetId="PRICES")
        self.assertTrue(renamed["success"])
        self.assertEqual(self.query("DEMO/PRICES", "A")[0]["price"], 1.25)
        self.assertThrows("Response 404", "apperate",
                          ["queryData", {"workspace": "DEMO", "id": "QUOTES"}])
        gone = self.apperate("deleteDataset", workspace="DEMO", id="PRICES")
        self.assertTrue(gone["success"])
        self.assertThrows("Response 404", "apperate",
                          ["queryData", {"workspace": "DEMO", "id": "PRICES"}])


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

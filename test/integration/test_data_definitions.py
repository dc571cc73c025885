"""Datasets made, shown, changed, renamed and removed by their owner."""

import copy
import threading
import unittest

from data_case import DataCase

DEFINITION = {"datasetId": "Prices", "title": "Prices of mine", "source": "a test",
              "schema": {"type": "object",
                         "properties": {"symbol": {"type": "string"}, "venue": {"type": "string"},
                                        "day": {"type": "date"}, "price": {"type": "integer"},
                                        "extra": {"type": "object"}},
                         "required": ["symbol"]},
              "columnMapping": {"key": "symbol", "subkey": "venue", "date": "day"}}


def definition(name, **changes):
    made = copy.deepcopy(DEFINITION)
    made["datasetId"] = name
    made.update(changes)
    return made


class DefinitionsTest(DataCase):
    def post(self, made, target="/v1/datasets/acme"):
        return self.acme.call("POST", target, {"dataset": made}, {"Content-Type": "application/json"})

    def make(self, name, **changes):
        answer = self.post(definition(name, **changes))
        self.assertEqual((answer.status, answer.json()),
                         (200, {"success": True, "message": "Dataset has been created",
                                "datasetId": name}), repr(answer))

    def change(self, name, method="PATCH", **changes):
        return self.acme.call(method, f"/v1/datasets/acme/{name}", {"dataset": changes},
                              {"Content-Type": "application/json"})

    def shown(self, name):
        answer = self.assertOk(self.acme.get(f"/v1/datasets/acme/{name}"))
        self.assertEqual(answer.header("Content-Type"), "application/json; charset=utf-8")
        return answer.json()

    def test_it_is_shown_as_it_was_made(self):
        self.make("Shown")
        shown = self.shown("shown")
        wanted = definition("Shown")
        self.assertEqual({k: shown[k] for k in ("datasetId", "title", "source")},
                         {k: wanted[k] for k in ("datasetId", "title", "source")})
        self.assertEqual({n: p["type"] for n, p in shown["schema"]["properties"].items()},
                         {n: p["type"] for n, p in wanted["schema"]["properties"].items()})
        self.assertEqual(list(shown["schema"]["properties"]), list(wanted["schema"]["properties"]))
        self.assertEqual(shown["schema"]["required"], ["symbol"])
        self.assertEqual(shown["columnMapping"], wanted["columnMapping"])
        self.assertEqual(self.acme.get("/v1/data/acme/SHOWN?schema=true").json(), [shown])
        listed = self.assertOk(self.acme.get("/v1/datasets/ACME")).json()
        self.assertIn(shown, listed)
        self.assertEqual(self.acme.records("Shown"), [])

    def test_what_was_shown_can_be_sent_back(self):
        self.make("Back")
        shown = self.shown("Back")
        for method in ("PUT", "PATCH", "POST"):
            answer = self.acme.call(method, "/v1/datasets/acme/Back", {"dataset": shown},
                                    {"Content-Type": "application/json"})
            self.assertEqual(answer.status, 200, repr(answer))
        self.assertEqual(self.shown("Back"), shown)

    def test_a_name_is_taken_once_whatever_its_case(self):
        self.make("Taken")
        self.assertRefused(self.post(definition("TAKEN")), 409, "conflict")

    def test_what_does_not_hold_is_refused_by_name(self):
        schema = DEFINITION["schema"]

        def with_field(name, type):
            return {**schema, "properties": {**schema["properties"], name: {"type": type}}}
        for changes, name in (
                ({"datasetId": ""}, "name"), ({"datasetId": "a b"}, "name"),
                ({"datasetId": "a/b"}, "name"), ({"datasetId": "x" * 300}, "name"),
                ({"datasetId": 7}, "datasetId"), ({"datasetId": None}, "datasetId"),
                ({"schema": None}, "schema"), ({"schema": with_field("z", "float")}, "z"),
                ({"schema": with_field("_systemId", "string")}, "_systemId"),
                ({"schema": with_field("", "string")}, ""),
                ({"schema": {**schema, "required": ["none"]}}, "none"),
                ({"schema": {**schema, "properties": {}}}, ""),
                ({"columnMapping": {"key": "none"}}, "none"),
                ({"columnMapping": {"key": "symbol", "date": "price"}}, "date"),
                ({"columnMapping": {"key": "symbol", "subkey": "symbol"}}, "subkey"),
                ({"columnMapping": {"key": "extra"}}, "extra"),
                ({"columnMapping": {}}, ""), ({"title": "x" * 10_000}, "title"),
                ({"weight": 3}, "weight"), ({"unknown": 3}, "unknown")):
            with self.subTest(changes):
                self.assertInvalid(self.post(definition("Invalid", **changes)), name)
                self.assertRefused(self.acme.get("/v1/datasets/acme/Invalid"), 404, "not_found")

    def test_bodies_that_are_no_definition_are_refused(self):
        for body in ("", "[]", "7", "{", "{}", '{"dataset":[]}', '{"dataset":{}}',
                     "[object Object]", '{"dataset":{"datasetId":"x"},"dataset":{}}'):
            with self.subTest(body):
                self.assertInvalid(self.acme.call("POST", "/v1/datasets/acme", body))
        self.assertInvalid(self.acme.call("POST", "/v1/datasets/acme?weight=1",
                                          {"dataset": definition("Query")}), "weight")

    def test_title_and_source_and_added_fields_change(self):
        self.make("Changed")
        self.acme.wrote("Changed", [{"symbol": "A", "day": "2024-01-01", "price": 1}])
        self.assertOk(self.change("Changed", title="New", source="elsewhere"))
        shown = self.shown("Changed")
        self.assertEqual((shown["title"], shown["source"]), ("New", "elsewhere"))
        schema = copy.deepcopy(shown["schema"])
        schema["properties"]["note"] = {"type": "string"}
        schema["properties"]["price"] = {"type": "number"}
        self.assertOk(self.change("Changed", schema=schema))
        self.acme.wrote("Changed", [{"symbol": "B", "day": "2024-01-02", "price": 2.5, "note": "n"}])
        self.assertEqual([(r["symbol"], r["price"], r.get("note"))
                          for r in self.acme.records("Changed")],
                         [("B", 2.5, "n"), ("A", 1, None)])

    def test_what_standing_records_rest_on_does_not_change(self):
        self.make("Rests")
        self.acme.wrote("Rests", [{"symbol": "A", "day": "2024-01-01", "price": 1}])
        schema = self.shown("Rests")["schema"]

        def but(**fields):
            changed = copy.deepcopy(schema)
            for name, type in fields.items():
                if type is None:
                    del changed["properties"][name]
                else:
                    changed["properties"][name] = {"type": type}
            return changed
        required = copy.deepcopy(schema)
        required["properties"]["must"] = {"type": "string"}
        required["required"].append("must")
        for changes, name in (({"schema": but(price=None)}, "price"),
                              ({"schema": but(price="string")}, "price"),
                              ({"schema": but(symbol="integer")}, "symbol"),
                              ({"schema": required}, "must"),
                              ({"columnMapping": {"key": "venue"}}, "key"),
                              ({"columnMapping": {"key": "symbol", "date": "price"}}, "date")):
            with self.subTest(changes):
                answer = self.change("Rests", "PUT", **definition("Rests", **changes))
                self.assertInvalid(answer, name)
        self.assertEqual(self.shown("Rests")["schema"], schema)

    def test_a_rename_moves_the_name(self):
        self.make("Old")
        self.acme.wrote("Old", [{"symbol": "A", "day": "2024-01-01", "price": 1}])
        self.make("Other")
        self.assertRefused(self.acme.call("PUT", "/v1/datasets/acme/Old/Other"), 409, "conflict")
        answer = self.acme.call("PUT", "/v1/datasets/acme/Old/New", None,
                                {"Content-Type": "undefined"})
        self.assertEqual((answer.status, answer.json()["success"], answer.json()["datasetId"]),
                         (200, True, "New"))
        self.assertRefused(self.acme.get("/v1/data/acme/Old"), 404, "not_found")
        self.assertRefused(self.acme.get("/v1/datasets/acme/Old"), 404, "not_found")
        self.assertEqual(len(self.acme.records("New/A")), 1)
        self.make("Old")  # the name is free again
        self.assertEqual(self.acme.records("Old"), [])
        self.assertOk(self.acme.call("PUT", "/v1/datasets/acme/New/NEW"))  # its case alone
        self.assertEqual(self.shown("new")["datasetId"], "NEW")

    def test_a_removed_dataset_is_gone_with_its_records(self):
        self.make("Gone")
        self.acme.wrote("Gone", [{"symbol": "A", "day": "2024-01-01", "price": 1}])
        answer = self.acme.call("DELETE", "/v1/datasets/acme/Gone", None,
                                {"Content-Type": "undefined"})
        self.assertEqual((answer.status, answer.json()["success"]), (200, True))
        self.assertRefused(self.acme.get("/v1/data/acme/Gone"), 404, "not_found")
        self.assertRefused(self.acme.call("DELETE", "/v1/datasets/acme/Gone"), 404, "not_found")
        self.make("Gone")
        self.assertEqual(self.acme.records("Gone"), [])

    def test_a_hot_answer_does_not_outlive_a_rename_or_a_removal(self):
        for round in range(3):
            self.acme.wrote("Hot", [{"key": "A", "n": round}])
            for _ in range(5):
                self.assertEqual(self.acme.records("Hot/A", "")[0]["n"], round)
            self.assertOk(self.acme.call("DELETE", "/v1/datasets/acme/Hot"))
            self.assertRefused(self.acme.get("/v1/data/acme/Hot/A"), 404, "not_found")

    def test_writes_beside_a_removal_are_stored_or_refused(self):
        stop, answers = threading.Event(), []

        def write():
            number = 0
            while not stop.is_set():
                number += 1
                answers.append(self.acme.write("Contested", [{"key": f"K{number}", "n": 1}]))
        writers = [threading.Thread(target=write) for _ in range(2)]
        for writer in writers:
            writer.start()
        for _ in range(20):
            answer = self.acme.call("DELETE", "/v1/datasets/acme/Contested")
            self.assertIn(answer.status, (200, 404), repr(answer))
        stop.set()
        for writer in writers:
            writer.join()
        for answer in answers:
            self.assertIn(answer.status, (200, 404, 409), repr(answer))
        self.assertIn(200, [a.status for a in answers])

    def test_everything_stands_after_a_restart(self):
        self.make("Stands")
        self.acme.wrote("Stands", [{"symbol": "A", "day": "2024-01-01", "price": 1}])
        self.assertOk(self.change("Stands", title="After"))
        before = (self.shown("Stands"), self.acme.records("Stands"))
        self.server.restart()
        self.assertEqual((self.shown("Stands"), self.acme.records("Stands")), before)


if __name__ == "__main__":
    unittest.main()

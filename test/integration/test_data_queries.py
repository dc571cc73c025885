"""Every parameter of a query, alone and in pairs, against a plain reading of the contract."""

import csv
import datetime
import io
import json
import random
import os
import unittest

from data_case import CSV_TYPE, JSON_TYPE, DataCase, costs

DAY = datetime.timedelta(days=1)
SYSTEM = ("id", "key", "subkey", "date", "updated")


def utc_today():
    return datetime.datetime.now(datetime.timezone.utc).date()


def months_back(date, months):
    """The same day so many months before, or that month's last day."""
    index = date.year * 12 + date.month - 1 - months
    year, month = divmod(index, 12)
    for last in (date.day, 30, 29, 28):
        try:
            return datetime.date(year, month + 1, min(date.day, last))
        except ValueError:
            continue
    raise AssertionError(date)


def range_of(text, today):
    """(first day, last day) of a range's name."""
    text = text.lower()
    if text == "today":
        return today, today
    if text == "yesterday":
        return today - DAY, today - DAY
    if text == "ytd":
        return today.replace(month=1, day=1), today
    if text == "last-week":
        monday = today - DAY * today.weekday()
        return monday - 7 * DAY, monday - DAY
    if text == "last-month":
        end = today.replace(day=1) - DAY
        return end.replace(day=1), end
    if text == "last-quarter":
        this = datetime.date(today.year, (today.month - 1) // 3 * 3 + 1, 1)
        end = this - DAY
        return datetime.date(end.year, end.month - 2, 1), end
    if text[0] in "qh":
        span = 3 if text[0] == "q" else 6
        number, year = int(text[1]), int(text[2:])
        start = datetime.date(year, (number - 1) * span + 1, 1)
        end_month = number * span
        end = (datetime.date(year + 1, 1, 1) if end_month == 12
               else datetime.date(year, end_month + 1, 1)) - DAY
        return start, end
    if text.isdigit():
        return datetime.date(int(text), 1, 1), datetime.date(int(text), 12, 31)
    count, unit = int(text[:-1]), text[-1]
    start = {"d": lambda: today - count * DAY, "w": lambda: today - 7 * count * DAY,
             "m": lambda: months_back(today, count), "q": lambda: months_back(today, 3 * count),
             "y": lambda: months_back(today, 12 * count)}[unit]()
    return start, today


def answer_of(records, today, range=None, first=None, last=None, next=None, limit=None, offset=0,
              interval=1, sort=None, on=None, date="day", **ends):
    """What the contract says these parameters choose from one key's records (with a date)."""
    from_day, to_day = ends.get("from"), ends.get("to")
    asked_for_more = any(v is not None for v in (range, first, last, next, limit, on, from_day,
                                                 to_day))
    if range is not None:
        from_day, to_day = (d.isoformat() for d in range_of(range, today))
    if on is not None:
        from_day = to_day = on
    if next is not None:
        # A day begins at midnight, so today lies behind.
        from_day = max(from_day or "", (today + DAY).isoformat())
    rows = [r for r in records if (from_day is None or r[date] >= from_day) and
            (to_day is None or r[date] <= to_day)]
    counted = [n for n in (first, last, next) if n is not None]
    newest_first = first is None and next is None
    if asked_for_more and not counted and sort is not None:
        newest_first = sort.lower() == "desc"
    rows.sort(key=lambda r: r[date], reverse=newest_first)
    rows = rows[::interval][offset:]
    bounds = counted + ([limit] if limit is not None else [])
    if bounds:
        rows = rows[:min(bounds)]
    elif not asked_for_more:
        rows = rows[:1]
    if counted and sort is not None and (sort.lower() == "desc") != newest_first:
        rows.reverse()
    return rows


class QueryCase(DataCase):
    """core/Q holds the keys A, B and C with one record a day, in patches; core/R the same names
    with other fields and weight 3; premium/P the weight 10."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.operate("PATCH", "/plans/basic", {"premium_data": True}, {"If-Match": "*"})
        cls.today = utc_today()
        days = set()
        # Around today: two years back, a month ahead; and the year around a leap day, 2024.
        for back in range(-31, 800):
            if back % 3 == 0 or -3 < back < 40:
                days.add(cls.today - back * DAY)
        for ahead in range(-70, 70, 2):
            days.add(datetime.date(2024, 2, 29) + ahead * DAY)
        days |= {datetime.date(2020, 1, 1), datetime.date(2020, 12, 31),
                 datetime.date(2020, 6, 30), datetime.date(2020, 7, 1),
                 datetime.date(2020, 3, 31), datetime.date(2020, 4, 1)}
        chance = random.Random(4)
        cls.rows = []
        for key in "ABC":
            for number, day in enumerate(sorted(days)):
                if key == "A" or chance.random() < 0.7:
                    cls.rows.append({"symbol": key, "day": day.isoformat(), "n": number,
                                     "due": (day + 400 * DAY).isoformat(),
                                     "text": f"{key}{number}"})
        text = "symbol,day,n,due,text\n" + "".join(
            ",".join(str(v) for v in r.values()) + "\n" for r in cls.rows)
        cls.server.import_csv("core/Q", text, key="symbol", date="day")
        cls.server.import_csv("core/R", "symbol,day,extra\nA,2020-01-01,x\nC,2020-01-02,y\n",
                              "--weight", "3", key="symbol", date="day")
        cls.server.import_csv("premium/P", "symbol,day,v\nA,2020-01-01,1\nA,2020-01-02,2\n",
                              "--weight", "10", key="symbol", date="day")
        cls.server.import_csv("acme/OWN", "symbol,day,v\nA,2020-01-01,1\nA,2020-01-02,2\n",
                              key="symbol", date="day")

    def of(self, key):
        return [r for r in self.rows if r["symbol"] == key]

    def get(self, target, **options):
        return self.acme.get(target, **options)

    def plain_records(self, answer):
        """Records of core without their system fields."""
        return [{k: v for k, v in r.items() if k not in SYSTEM} for r in answer.json()]

    def check(self, key, **parameters):
        """The answer is what answer_of says, unless a day ended meanwhile."""
        query = "&".join(f"{k}={v}" for k, v in parameters.items())
        for _ in range(2):
            before = utc_today()
            answer = self.assertOk(self.get(f"/v1/data/core/Q/{key}?{query}"))
            after = utc_today()
            if before == after:
                break
        wanted = []
        for each in key.split(","):
            wanted += answer_of(self.of(each.upper()), after, **parameters)
        self.assertEqual(self.plain_records(answer), wanted, query)
        self.assertEqual(costs(answer), (len(wanted), 0))


class ParametersTest(QueryCase):
    ALONE = [{}, *({"range": r} for r in (
        "today", "yesterday", "ytd", "last-week", "last-month", "last-quarter", "1d", "10d",
        "1w", "3w", "1m", "7m", "1q", "5q", "1y", "2y", "Q12024", "q22024", "Q42020", "H12024",
        "h22020", "H12020", "2020", "2024", "1999", "YTD", "Last-Month", "1M")),
        *({"last": n} for n in (1, 2, 17, 10000)), *({"first": n} for n in (1, 3, 10000)),
        *({"next": n} for n in (1, 2, 50)), *({"limit": n} for n in (1, 5, 10000)),
        {"offset": 0}, {"offset": 3}, {"offset": 100000}, {"interval": 1}, {"interval": 4},
        {"sort": "ASC"}, {"sort": "DESC"}, {"sort": "asc"},
        {"on": "2024-02-29"}, {"on": "2024-03-01"}, {"from": "2024-02-29"}, {"to": "2020-06-30"},
        {"from": "2024-02-01", "to": "2024-02-29"}, {"from": "2024-03-01", "to": "2024-03-01"}]

    def test_each_alone_chooses_what_the_contract_says(self):
        for parameters in self.ALONE:
            with self.subTest(parameters):
                self.check("A", **parameters)

    def test_pairs_choose_what_the_contract_says(self):
        spans = [{"range": "2024"}, {"range": "1y"}, {"range": "q12024"}, {"from": "2024-01-15"},
                 {"to": "2024-03-15"}, {"on": "2024-02-29"}, {}]
        counts = [{"last": 7}, {"first": 7}, {"next": 5}, {"limit": 6}, {}]
        steps = [{"offset": 2}, {"interval": 3}, {"sort": "ASC"}, {"sort": "desc"},
                 {"interval": 2, "offset": 1}, {"limit": 3}, {}]
        for span in spans:
            for count in counts:
                for step in steps:
                    if "limit" in count and "limit" in step:
                        continue
                    parameters = {**span, **count, **step}
                    with self.subTest(parameters):
                        self.check("B", **parameters)

    def test_random_queries_choose_what_the_contract_says(self):
        seed = int(os.environ.get("LATCHKEY_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"LATCHKEY_TEST_SEED={seed}", flush=True)
        chance = random.Random(seed)
        days = sorted({r["day"] for r in self.rows})
        for _ in range(300):
            parameters = {}
            span = chance.choice(["", "range", "ends", "on"])
            if span == "range":
                parameters["range"] = chance.choice(
                    ["today", "yesterday", "ytd", "last-week", "last-month", "last-quarter",
                     f"{chance.randint(1, 60)}{chance.choice('dwmqy')}",
                     f"Q{chance.randint(1, 4)}{chance.choice([2020, 2023, 2024])}",
                     f"H{chance.randint(1, 2)}{chance.choice([2020, 2023, 2024])}", "2024"])
            elif span == "ends":
                if chance.random() < 0.7:
                    parameters["from"] = chance.choice(days)
                if chance.random() < 0.7:
                    parameters["to"] = max(chance.choice(days), parameters.get("from", ""))
            elif span == "on":
                parameters["on"] = chance.choice(days)
            count = chance.choice(["", "last", "first", "next"])
            if count:
                parameters[count] = chance.randint(1, 40)
            if chance.random() < 0.3:
                parameters["limit"] = chance.randint(1, 40)
            if chance.random() < 0.3:
                parameters["offset"] = chance.randint(0, 20)
            if chance.random() < 0.3:
                parameters["interval"] = chance.randint(1, 7)
            if chance.random() < 0.3:
                parameters["sort"] = chance.choice(["ASC", "DESC", "asc", "desc"])
            with self.subTest(parameters, seed=seed):
                self.check(chance.choice(["A", "b", "C,A", "B,A,C"]), **parameters)

    def test_date_field_takes_the_place_of_the_date(self):
        for parameters in ({"dateField": "due", "from": "2025-03-01", "to": "2025-04-30"},
                           {"dateField": "due", "last": 4}, {"dateField": "due", "first": 4},
                           {"dateField": "due", "on": "2025-04-04"},
                           {"dateField": "due", "range": "1y", "sort": "ASC"},
                           {"dateField": "due", "next": 3}, {"dateField": "day", "last": 3}):
            with self.subTest(parameters):
                answer = self.assertOk(self.get("/v1/data/core/Q/A?" + "&".join(
                    f"{k}={v}" for k, v in parameters.items())))
                rest = {k: v for k, v in parameters.items() if k != "dateField"}
                wanted = answer_of(self.of("A"), utc_today(), date=parameters["dateField"], **rest)
                self.assertEqual(self.plain_records(answer), wanted)
                self.assertTrue(wanted)

    def test_values_that_are_not_allowed_are_refused_by_name(self):
        for query, name in (
                ("unknown=1", "unknown"), ("Last=1", "Last"), ("subattribute=x", "subattribute"),
                ("last=0", "last"), ("last=-1", "last"), ("last=1.5", "last"), ("last=", "last"),
                ("last=10001", "last"), ("last=+1", "last"), ("last=1&last=1", "last"),
                ("first=x", "first"), ("next=0", "next"), ("limit=0", "limit"),
                ("limit=99999999999999999999", "limit"), ("offset=-1", "offset"),
                ("interval=0", "interval"), ("sort=up", "sort"), ("sort=", "sort"),
                ("on=2023-02-29", "on"), ("on=20230101", "on"), ("from=yesterday", "from"),
                ("to=2024-13-01", "to"), ("range=", "range"), ("range=tomorrow", "range"),
                ("range=0d", "range"), ("range=-1d", "range"), ("range=Q52024", "range"),
                ("range=H32024", "range"), ("range=99999999999d", "range"), ("range=d", "range"),
                ("format=xml", "format"), ("schema=yes", "schema"), ("filter=", "filter"),
                ("filter=nothing", "nothing"), ("filter=Text", "Text"),
                ("dateField=text", "dateField"), ("dateField=none", "dateField"),
                ("includeSystemRecordProperties=1", "includeSystemRecordProperties"),
                ("duplicateKeyHandling=replace", "duplicateKeyHandling")):
            with self.subTest(query):
                self.assertInvalid(self.get(f"/v1/data/core/Q/A?{query}"), name)

    def test_parameters_that_contradict_each_other_are_refused(self):
        for query in ("last=1&first=1", "last=1&next=1", "first=1&next=1", "range=1d&on=2024-01-01",
                      "range=1d&from=2024-01-01", "range=1d&to=2024-01-01",
                      "on=2024-01-01&from=2024-01-01", "on=2024-01-01&to=2024-01-01",
                      "from=2024-03-01&to=2024-02-29", "schema=true&format=csv"):
            with self.subTest(query):
                self.assertInvalid(self.get(f"/v1/data/core/Q/A?{query}"))

    def test_a_nonce_is_passed_over_and_a_percent_sign_decodes(self):
        wanted = self.get("/v1/data/core/Q/A?last=2").body
        self.assertEqual(self.get("/v1/data/core/Q/A?nonce=1&%6Cast=%32").body, wanted)


class ListsTest(QueryCase):
    """Several datasets and keys."""

    def order(self, target):
        answer = self.assertOk(self.get(target))
        return [(r["id"], r["key"]) for r in answer.json()]

    def test_datasets_times_keys_come_in_that_order_and_nothing_for_a_miss(self):
        self.assertEqual(self.order("/v1/data/core/R,Q/C,B,NOBODY,A"),
                         [("R", "C"), ("R", "A"), ("Q", "C"), ("Q", "B"), ("Q", "A")])
        self.assertEqual(self.order("/v1/data/core/Q,R"), [("Q", self.order("/v1/data/core/Q")[0][1]),
                                                           ("R", "C")])

    def test_an_encoded_comma_is_a_comma(self):
        self.assertEqual(self.order("/v1/data/core/R%2CQ/C%2cA"),
                         [("R", "C"), ("R", "A"), ("Q", "C"), ("Q", "A")])

    def test_each_combination_counts_for_itself(self):
        answer = self.assertOk(self.get("/v1/data/core/Q/A,B?last=3"))
        self.assertEqual([r["symbol"] for r in answer.json()], ["A"] * 3 + ["B"] * 3)
        self.assertEqual(costs(answer), (6, 0))

    def test_a_key_named_twice_counts_once(self):
        self.assertEqual(self.order("/v1/data/core/Q/A,a,B,A"), [("Q", "A"), ("Q", "B")])

    def test_weights_of_several_datasets_add_up(self):
        self.assertEqual(costs(self.get("/v1/data/core/Q,R/A,C")), (2 * 1 + 2 * 3, 0))
        self.assertEqual(costs(self.get("/v1/data/premium/P/A?last=2")), (0, 20))

    def test_more_than_2000_combinations_are_refused(self):
        keys = ",".join(f"K{i}" for i in range(1000))
        self.assertOk(self.get(f"/v1/data/core/Q,R/{keys}"))
        self.assertInvalid(self.get(f"/v1/data/core/Q,R/{keys},ONE"))

    def test_every_dataset_must_be_readable(self):
        self.assertRefused(self.get("/v1/data/core/Q,NO_SUCH/A"), 404, "not_found", "Not Found")

    def test_the_answer_as_a_whole_is_bounded(self):
        # Each of the keys may have 10,000; together the answer holds no more than that.
        count = len(self.of("A")) + len(self.of("B")) + len(self.of("C"))
        answer = self.assertOk(self.get("/v1/data/core/Q/A,B,C?last=10000"))
        self.assertEqual(len(answer.json()), count)
        text = "key,day,n\n" + "".join(
            f"{key},{datetime.date(2000, 1, 1) + i * DAY},{i}\n"
            for key in "AB" for i in range(5001))
        self.server.import_csv("core/MANY", text, key="key", date="day")
        for query, keys in (("from=2000-01-01", "A,B"), ("last=10000", "A,B"), ("first=5001", "A,B")):
            with self.subTest(query):
                self.assertInvalid(self.get(f"/v1/data/core/MANY/{keys}?{query}"))
        self.assertInvalid(self.get("/v1/data/core/MANY?from=2000-01-01"))
        answer = self.assertOk(self.get("/v1/data/core/MANY/A?from=2000-01-01"))
        self.assertEqual(len(answer.json()), 5001)
        answer = self.assertOk(self.get("/v1/data/core/MANY?from=2000-01-01&limit=10000"))
        self.assertEqual(len(answer.json()), 10000)


class ShapesTest(QueryCase):
    """filter, schema, system properties, JSON and CSV."""

    def test_filter_gives_the_fields_in_the_order_asked(self):
        answer = self.assertOk(self.get("/v1/data/core/Q/A?filter=text,symbol&last=2"))
        self.assertEqual([list(r) for r in answer.json()], [["text", "symbol"]] * 2)
        answer = self.assertOk(self.get("/v1/data/core/Q/A?filter=n%2Ckey%2Cdate"))
        self.assertEqual(list(answer.json()[0]), ["n", "key", "date"])
        self.assertEqual(answer.json()[0]["key"], "A")
        self.assertIsInstance(answer.json()[0]["date"], int)

    def test_a_field_of_one_of_several_datasets_may_be_filtered(self):
        answer = self.assertOk(self.get("/v1/data/core/Q,R/A?filter=symbol,extra"))
        records = answer.json()
        self.assertEqual([r["symbol"] for r in records], ["A", "A"])
        self.assertEqual(records[1]["extra"], "x")
        self.assertIn(records[0].get("extra"), (None,))

    def test_schema_gives_the_definitions_for_nothing(self):
        answer = self.assertOk(self.get("/v1/data/core/Q,R?schema=true"))
        self.assertEqual(answer.header("Content-Type"), JSON_TYPE)
        self.assertEqual(costs(answer), (0, 0))
        first, second = answer.json()
        self.assertEqual((first["datasetId"], second["datasetId"]), ("Q", "R"))
        self.assertEqual({n: p["type"] for n, p in first["schema"]["properties"].items()},
                         {"symbol": "string", "day": "date", "n": "integer", "due": "date",
                          "text": "string"})
        self.assertEqual({k: v for k, v in first["columnMapping"].items() if v is not None},
                         {"key": "symbol", "date": "day"})
        self.assertEqual(first["schema"]["type"], "object")
        self.assertEqual(self.get("/v1/data/core/Q?schema=false").json(),
                         self.get("/v1/data/core/Q").json())

    def test_own_records_have_system_properties_on_request(self):
        self.assertEqual(self.acme.records("OWN/A", ""), [{"symbol": "A", "day": "2020-01-02", "v": 2}])
        record = self.acme.records("OWN/A", "includeSystemRecordProperties=true")[0]
        system = record.pop("_systemRecordProperties")
        self.assertEqual(record, {"symbol": "A", "day": "2020-01-02", "v": 2})
        self.assertEqual((system["id"], system["key"], system["date"]),
                         ("OWN", "A", 1577923200000))
        self.assertLessEqual({"id", "key", "subkey", "date", "updated"}, set(system))
        self.assertEqual(self.acme.records("OWN/A", "includeSystemRecordProperties=false"),
                         self.acme.records("OWN/A", ""))

    def test_a_core_field_of_a_system_name_gives_way(self):
        self.server.import_csv("core/NAMES", "symbol,id,key,updated,v\nA,mine,other,never,1\n",
                               key="symbol")
        answer = self.assertOk(self.get("/v1/data/core/NAMES/A"))
        pairs = json.loads(answer.body, object_pairs_hook=list)[0]
        names = [n for n, _ in pairs]
        self.assertEqual(len(names), len(set(names)), names)
        self.assertEqual(names[-5:], list(SYSTEM))
        record = dict(pairs)
        self.assertEqual((record["id"], record["key"], record["v"]), ("NAMES", "A", 1))

    def test_csv_quotes_what_it_must_and_leaves_formulas_alone(self):
        values = ["plain", "a,b", 'say "hi"', "two\nlines", "cr\r\nlf", " spaced ", "=1+2", "+1",
                  "-1", "@cmd", "\ttab", "ü💰", ""]
        self.assertEqual(self.acme.wrote("CELLS", [
            {"key": f"K{i:02}", "text": v, "tail": "t"} for i, v in enumerate(values)]), len(values))
        answer = self.assertOk(self.get("/v1/data/acme/CELLS?limit=100&format=csv&sort=ASC"))
        self.assertEqual(answer.header("Content-Type"), CSV_TYPE)
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        self.assertEqual({r["key"]: r["text"] for r in rows},
                         {f"K{i:02}": v for i, v in enumerate(values)})
        self.assertTrue(all(list(r) == ["key", "text", "tail"] for r in rows))
        self.assertIn("=1+2,", answer.text)
        self.assertNotIn("'=1+2", answer.text)

    def test_csv_of_several_datasets_has_the_columns_of_all(self):
        answer = self.assertOk(self.get("/v1/data/core/Q,R/A?format=csv"))
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        self.assertEqual([r["id"] for r in rows], ["Q", "R"])
        self.assertEqual((rows[0]["extra"], rows[1]["extra"]), ("", "x"))
        self.assertEqual(rows[1]["text"], "")

    def test_csv_without_a_record_is_its_header(self):
        answer = self.assertOk(self.get("/v1/data/core/Q/NOBODY?format=csv"))
        self.assertEqual(answer.text.split("\r\n")[0].split(",")[:5],
                         ["symbol", "day", "n", "due", "text"])

    def test_csv_and_filter_go_together(self):
        answer = self.assertOk(self.get("/v1/data/core/Q/A?format=csv&filter=text,n&first=1"))
        lines = answer.text.split("\r\n")
        self.assertEqual(lines[0], "text,n")
        self.assertEqual(lines[1], "A0,0")

    def test_format_wins_over_accept_and_accept_counts_without_it(self):
        for query, accept, wanted in (("", "text/csv", CSV_TYPE), ("", "*/*", JSON_TYPE),
                                      ("format=json", "text/csv", JSON_TYPE),
                                      ("format=csv", "application/json", CSV_TYPE)):
            answer = self.get(f"/v1/data/core/Q/A?{query}", headers={"Accept": accept})
            self.assertEqual(answer.header("Content-Type"), wanted, (query, accept))

    def test_values_of_every_type_come_back_as_they_went_in(self):
        record = {"key": "K", "int": 12345678901234567890, "num": 0.1, "text": "x\u0000\u2028ü\"\\",
                  "yes": True, "no": False, "nothing": None, "list": [1, "a", [None]],
                  "thing": {"b": 1, "a": {"c": []}}, "date": "2024-02-29T12:34:56Z"}
        raw = json.dumps([record])
        self.assertEqual(self.acme.wrote("VALUES", raw), 1)
        answer = self.assertOk(self.get("/v1/data/acme/VALUES/K"))
        self.assertIn(b"12345678901234567890", answer.body)
        got = answer.json()[0]
        got.setdefault("nothing", None)
        self.assertEqual(got, record)


class RoutesTest(QueryCase):
    def test_other_methods_are_told_what_stands(self):
        for method, target, allowed in (("PUT", "/v1/data/core/Q/A", {"GET", "HEAD", "DELETE"}),
                                        ("PATCH", "/v1/record/acme/OWN", {"POST"}),
                                        ("GET", "/v1/record/acme/OWN", {"POST"}),
                                        ("POST", "/v1/stock/A/quote", {"GET", "HEAD"})):
            answer = self.acme.call(method, target)
            self.assertRefused(answer, 405, "method_not_allowed")
            names = {n.strip() for n in answer.header("Allow").split(",")}
            self.assertLessEqual(allowed, names, target)

    def test_a_preflight_needs_no_token(self):
        for target in ("/v1/data/core/Q/A", "/v1/record/acme/OWN", "/v1/datasets/acme"):
            answer = self.server.plain.request("OPTIONS", target, {
                "Origin": "https://www.example.com", "Access-Control-Request-Method": "POST"})
            self.assertEqual(answer.status, 204, repr(answer))
            self.assertEqual(answer.header("Access-Control-Allow-Origin"), "*")

    def test_a_head_is_a_get_without_the_body_and_the_cost(self):
        answer = self.acme.call("HEAD", "/v1/data/core/Q/A?last=3")
        self.assertEqual((answer.status, answer.body, costs(answer)), (200, b"", (0, 0)))

    def test_hot_answers_show_a_write_at_once(self):
        for number in range(30):
            self.acme.wrote("HOT", [{"key": "K", "n": number}])
            for query in ("", "last=1", "filter=n"):
                for _ in range(3):
                    self.assertEqual(self.acme.records("HOT/K", query)[0]["n"], number)


if __name__ == "__main__":
    unittest.main()

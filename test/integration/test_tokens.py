"""The life of a token over the management API: what is answered, and that it holds at once."""

import concurrent.futures
import datetime
import json
import re
import threading
import time
import unittest

from harness import SECRET_TEXT, ServerCase, run, seconds

STOCK = "/v1/data/core/STOCKS/AAPL"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


def later(**delta):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**delta)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class TokensCase(ServerCase):
    def call(self, method, target, body=None, headers=(), secret=None):
        return self.server.manage.call(method, f"/manage/v1{target}", secret or self.server.secret,
                                       body, headers)

    def use(self, text):
        return self.server.data_plane.get(f"{STOCK}?token={text}")

    def assertProblem(self, answer, status, reason):
        self.assertEqual((answer.status, answer.reason), (status, reason), repr(answer))


class CreateTest(TokensCase):
    def test_a_publishable_token_is_answered_whole_with_etag_and_location_and_works_at_once(self):
        answer, token = self.call("POST", "/tokens", {
            "kind": "publishable", "nickname": "Website", "labels": {"project": "p1", "app": "a1"},
            "end_user": "user-17"})
        self.assertEqual(answer.status, 201, repr(answer))
        self.assertTrue(answer.header("ETag"))
        self.assertTrue(answer.header("Location").endswith(f"/manage/v1/tokens/{token['id']}"))
        self.assertTrue(answer.header("Content-Type").startswith("application/json"))
        self.assertRegex(token["id"], r"^tok_[0-9A-Za-z]+$")
        self.assertRegex(token["token"], r"^pk_[0-9A-Za-z]{36}$")
        self.assertEqual((token["kind"], token["environment"], token["nickname"], token["labels"],
                          token["end_user"], token["enabled"], token["expires_at"],
                          token["core_data_access"]),
                         ("publishable", "live", "Website", {"project": "p1", "app": "a1"},
                          "user-17", True, None, True))
        self.assertRegex(token["created_at"], f"^{TIME}$")
        self.assertRegex(token["created_by"], r"^tok_")
        self.assertEqual(self.use(token["token"]).status, 200)
        got, again = self.call("GET", f"/tokens/{token['id']}")
        self.assertEqual(again, token)
        self.assertEqual(got.header("ETag"), answer.header("ETag"))

    def test_a_secret_is_whole_only_in_the_answer_that_makes_it(self):
        _, token = self.call("POST", "/tokens", {"kind": "secret", "nickname": "Server"})
        text = token["token"]
        self.assertRegex(text, r"^sk_[0-9A-Za-z]{36}$")
        self.assertEqual(self.use(text).status, 200)
        shown = f"sk_…{text[-4:]}"
        self.assertEqual(self.call("GET", f"/tokens/{token['id']}")[1]["token"], shown)
        answer, items = self.call("GET", "/tokens?page_size=500")
        self.assertIn(shown, [t["token"] for t in items["items"]])
        self.assertIsNone(SECRET_TEXT.search(answer.text))
        answer, _ = self.call("PATCH", f"/tokens/{token['id']}", {"nickname": "x"},
                              {"If-Match": "*"})
        self.assertIsNone(SECRET_TEXT.search(answer.text))
        for verb in ("disable", "enable"):
            answer, _ = self.call("POST", f"/tokens/{token['id']}:{verb}")
            self.assertEqual(answer.status, 200, repr(answer))
            self.assertIsNone(SECRET_TEXT.search(answer.text))

    def test_test_tokens_have_their_own_prefix(self):
        for kind, prefix in (("publishable", "Tpk_"), ("secret", "Tsk_")):
            token, _ = self.server.make_token(kind=kind, environment="test")
            self.assertTrue(token["token"].startswith(prefix))
            self.assertEqual(self.use(token["token"]).status, 200)

    def test_a_token_made_disabled_does_not_work_until_it_is_enabled(self):
        token, _ = self.server.make_token(enabled=False)
        self.assertRefused(self.use(token["token"]), 403, "token_disabled")
        self.call("POST", f"/tokens/{token['id']}:enable")
        self.assertEqual(self.use(token["token"]).status, 200)

    def test_a_new_secret_token_may_manage(self):
        token, _ = self.server.make_token(kind="secret")
        answer, _ = self.call("GET", "/tokens", secret=token["token"])
        self.assertEqual(answer.status, 200)

    def test_an_idempotency_key_makes_one_token(self):
        headers = {"Idempotency-Key": "once-and-only-once"}
        body = {"kind": "secret", "nickname": "idempotent"}
        first, token = self.call("POST", "/tokens", body, headers)
        second, again = self.call("POST", "/tokens", body, headers)
        self.assertEqual((first.status, second.status), (201, 201))
        self.assertEqual(token, again)
        other, _ = self.call("POST", "/tokens", {**body, "nickname": "another"}, headers)
        self.assertProblem(other, 409, "conflict")
        # Another caller's key is another key.
        third, foreign = self.call("POST", "/tokens", body, headers, secret=token["token"])
        self.assertEqual(third.status, 201)
        self.assertNotEqual(foreign["id"], token["id"])


class ListTest(TokensCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.make_plan("lists")
        cls.account = cls.server.make_account("lists", "lists")
        cls.list_secret = cls.account["secret_token"]["token"]
        cls.made = [cls.server.make_token(cls.list_secret, nickname=f"n{i:02}",
                                          labels={"app": f"app-{i % 3}"},
                                          end_user=f"user-{i:02}")[0]
                    for i in range(23)]

    def list(self, query=""):
        answer, page = self.call("GET", f"/tokens{query}", secret=self.list_secret)
        self.assertEqual(answer.status, 200, repr(answer))
        self.assertEqual(set(page), {"items", "next_page_token"})
        return page

    def test_it_is_oldest_first_and_whole(self):
        page = self.list()
        self.assertIsNone(page["next_page_token"])
        self.assertEqual([t["id"] for t in page["items"]][2:], [t["id"] for t in self.made])
        self.assertEqual({t["kind"] for t in page["items"][:2]}, {"secret", "publishable"})

    def test_pages_follow_each_other_without_gap_or_repetition(self):
        for size in (1, 7, 25, 26, 500):
            seen, token = [], None
            while True:
                page = self.list(f"?page_size={size}" + (f"&page_token={token}" if token else ""))
                self.assertLessEqual(len(page["items"]), size)
                seen += [t["id"] for t in page["items"]]
                token = page["next_page_token"]
                if token is None:
                    break
                self.assertEqual(len(page["items"]), size)
            self.assertEqual(len(seen), 25)
            self.assertEqual(seen[2:], [t["id"] for t in self.made])

    def test_a_page_stands_when_tokens_before_it_go(self):
        first = self.list("?page_size=5")
        victim, _ = self.server.make_token(self.list_secret)
        self.call("DELETE", f"/tokens/{victim['id']}", headers={"If-Match": "*"},
                  secret=self.list_secret)
        second = self.list(f"?page_size=5&page_token={first['next_page_token']}")
        self.assertEqual([t["id"] for t in second["items"]], [t["id"] for t in self.made[3:8]])

    def test_it_can_be_searched(self):
        self.assertEqual([t["nickname"] for t in self.list("?q=N07")["items"]], ["n07"])
        self.assertEqual([t["nickname"] for t in self.list("?q=user-11")["items"]], ["n11"])
        self.assertEqual(len(self.list("?q=app-1&page_size=500")["items"]), 8)
        self.assertEqual(self.list("?q=nothing-like-it")["items"], [])
        self.assertEqual(self.list("?q=%25")["items"], [])
        self.assertEqual(self.list("?q=n_7")["items"], [])

    def test_bad_pages_are_400_and_named(self):
        for name, value in (("page_size", "0"), ("page_size", "501"), ("page_size", "x"),
                            ("page_size", "-1"), ("page_token", "nonsense"), ("page_token", "AAAA"),
                            ("colour", "red")):
            with self.subTest(name, value=value):
                answer, body = self.call("GET", f"/tokens?{name}={value}", secret=self.list_secret)
                self.assertProblem(answer, 400, "invalid_values")
                self.assertIn(name, json.dumps(body))

    def test_another_accounts_tokens_are_not_there(self):
        foreign = self.server.make_token()[0]["id"]
        absent = "tok_" + "0" * (len(foreign) - 4)
        answers = []
        for token in (foreign, absent):
            for method, target, headers, body in (
                    ("GET", f"/tokens/{token}", {}, None),
                    ("PATCH", f"/tokens/{token}", {"If-Match": "*"}, {"nickname": "x"}),
                    ("POST", f"/tokens/{token}:disable", {}, None),
                    ("DELETE", f"/tokens/{token}", {"If-Match": "*"}, None)):
                answer, _ = self.call(method, target, body, headers, secret=self.list_secret)
                self.assertProblem(answer, 404, "not_found")
                answers.append((method, target.replace(token, "ID"),
                                answer.text.replace(answer.request_id, "").replace(token, "ID")))
        self.assertEqual(answers[:4], answers[4:])
        self.assertEqual(self.call("GET", f"/tokens/{foreign}")[0].status, 200)


class PatchTest(TokensCase):
    def test_the_if_match_matrix(self):
        token, etag = self.server.make_token()
        path = f"/tokens/{token['id']}"
        answer, _ = self.call("PATCH", path, {"nickname": "a"})
        self.assertProblem(answer, 428, "precondition_required")
        for stale in ('"0"', '"nonsense"', '""', f"W/{etag}"):
            answer, _ = self.call("PATCH", path, {"nickname": "a"}, {"If-Match": stale})
            self.assertIn((answer.status, answer.reason),
                          ((412, "precondition_failed"), (400, "invalid_values")))
        self.assertEqual(self.call("GET", path)[1]["nickname"], token["nickname"])
        answer, patched = self.call("PATCH", path, {"nickname": "b"}, {"If-Match": etag})
        self.assertEqual((answer.status, patched["nickname"]), (200, "b"))
        self.assertNotEqual(answer.header("ETag"), etag)
        again, _ = self.call("PATCH", path, {"nickname": "c"}, {"If-Match": etag})
        self.assertProblem(again, 412, "precondition_failed")
        listed, _ = self.call("PATCH", path, {"nickname": "d"},
                              {"If-Match": f'"x", {answer.header("ETag")}'})
        self.assertEqual(listed.status, 200, repr(listed))
        anything, _ = self.call("PATCH", path, {"nickname": "e"}, {"If-Match": "*"})
        self.assertEqual(anything.status, 200)

    def test_two_changes_with_one_version_let_one_win(self):
        token, etag = self.server.make_token()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(
                lambda i: self.call("PATCH", f"/tokens/{token['id']}", {"nickname": f"w{i}"},
                                    {"If-Match": etag})[0].status, range(8)))
        self.assertEqual(sorted(statuses), [200] + [412] * 7)

    def test_each_setting_changes_and_null_clears(self):
        token, _ = self.server.make_token(nickname="n", labels={"a": "1", "b": "2"}, end_user="e",
                                          expires_at=later(hours=1))
        path, star = f"/tokens/{token['id']}", {"If-Match": "*"}
        for patch, field, wanted in (({"nickname": "new ü"}, "nickname", "new ü"),
                                     ({"labels": {"a": "9"}}, "labels", {"a": "9", "b": "2"}),
                                     ({"labels": {"b": None}}, "labels", {"a": "9"}),
                                     ({"labels": None}, "labels", {}),
                                     ({"end_user": "other"}, "end_user", "other"),
                                     ({"end_user": None}, "end_user", None),
                                     ({"expires_at": None}, "expires_at", None),
                                     ({"core_data_access": False}, "core_data_access", False),
                                     ({"enabled": False}, "enabled", False)):
            with self.subTest(patch):
                answer, patched = self.call("PATCH", path, patch, star)
                self.assertEqual(answer.status, 200, repr(answer))
                self.assertEqual(patched[field], wanted)
                self.assertEqual(self.call("GET", path)[1], patched)

    def test_unknown_and_read_only_fields_are_400_and_change_nothing(self):
        token, etag = self.server.make_token()
        for field, value in (("id", "tok_x"), ("kind", "secret"), ("environment", "test"),
                             ("token", "pk_x"), ("created_at", later()), ("created_by", "me"),
                             ("colour", "red"), ("nickname", 5), ("enabled", None),
                             ("expires_at", "2001-01-01T00:00:00Z")):
            with self.subTest(field):
                answer, body = self.call("PATCH", f"/tokens/{token['id']}",
                                         {"labels": {"x": "y"}, field: value}, {"If-Match": etag})
                self.assertProblem(answer, 400, "invalid_values")
                self.assertIn(field, [e["field"] for e in body["errors"]])
        got, now = self.call("GET", f"/tokens/{token['id']}")
        self.assertEqual((now, got.header("ETag")), (token, etag))

    def test_a_change_holds_on_the_very_next_request(self):
        token, _ = self.server.make_token()
        path, star = f"/tokens/{token['id']}", {"If-Match": "*"}
        with self.server.data_plane.connect() as connection:
            def status():
                return connection.request("GET", f"{STOCK}?token={token['token']}").status
            for _ in range(25):
                self.assertEqual(status(), 200)
                self.call("PATCH", path, {"core_data_access": False}, star)
                self.assertEqual(status(), 401)
                self.call("PATCH", path, {"core_data_access": True}, star)
                self.assertEqual(status(), 200)
                self.call("PATCH", path, {"enabled": False}, star)
                self.assertEqual(status(), 403)
                self.call("PATCH", path, {"enabled": True}, star)

    def test_verbs_answer_the_token_and_may_be_repeated(self):
        token, _ = self.server.make_token()
        for verb, enabled in (("disable", False), ("disable", False), ("enable", True),
                              ("enable", True)):
            answer, now = self.call("POST", f"/tokens/{token['id']}:{verb}")
            self.assertEqual((answer.status, now["enabled"]), (200, enabled))
            self.assertTrue(answer.header("ETag"))
            self.assertEqual(self.use(token["token"]).status, 200 if enabled else 403)
        answer, _ = self.call("POST", f"/tokens/{token['id']}:explode")
        self.assertIn(answer.status, (404, 405))


class RemoveTest(TokensCase):
    def test_a_removed_token_is_gone_from_the_list_and_refused(self):
        token, etag = self.server.make_token()
        answer, _ = self.call("DELETE", f"/tokens/{token['id']}", headers={"If-Match": etag})
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertIsNone(answer.header("Transfer-Encoding"))
        self.assertRefused(self.use(token["token"]), 403, "token_invalid",
                           "The API key provided is not valid.")
        self.assertProblem(self.call("GET", f"/tokens/{token['id']}")[0], 404, "not_found")
        self.assertProblem(self.call("DELETE", f"/tokens/{token['id']}",
                                     headers={"If-Match": "*"})[0], 404, "not_found")
        ids = [t["id"] for t in self.call("GET", "/tokens?page_size=500")[1]["items"]]
        self.assertNotIn(token["id"], ids)

    def test_a_stale_version_removes_nothing(self):
        token, etag = self.server.make_token()
        self.call("PATCH", f"/tokens/{token['id']}", {"nickname": "x"}, {"If-Match": etag})
        answer, _ = self.call("DELETE", f"/tokens/{token['id']}", headers={"If-Match": etag})
        self.assertProblem(answer, 412, "precondition_failed")
        self.assertEqual(self.use(token["token"]).status, 200)

    def test_a_secret_may_remove_itself_and_ends_at_once(self):
        token, _ = self.server.make_token(kind="secret")
        answer, _ = self.call("DELETE", f"/tokens/{token['id']}", headers={"If-Match": "*"},
                              secret=token["token"])
        self.assertEqual(answer.status, 204)
        self.assertProblem(self.call("GET", "/tokens", secret=token["token"])[0], 403,
                           "token_invalid")
        self.assertEqual(self.use(token["token"]).status, 403)

    def test_suspending_and_resuming_an_account_holds_at_once_for_all_its_tokens(self):
        self.server.make_plan("suspended")
        account = self.server.make_account("suspended", "suspended")
        pk = account["publishable_token"]["token"]
        sk = account["secret_token"]["token"]
        for _ in range(5):
            self.assertEqual((self.use(pk).status, self.use(sk).status), (200, 200))
            answer, body = self.server.operate("POST", "/accounts/suspended:suspend")
            self.assertEqual((answer.status, body["state"]), (200, "suspended"))
            self.assertRefused(self.use(pk), 403, "account_inactive")
            self.assertRefused(self.use(sk), 403, "account_inactive")
            self.assertProblem(self.call("GET", "/tokens", secret=sk)[0], 403, "account_inactive")
            self.assertEqual(self.server.operate("POST", "/accounts/suspended:resume")[0].status,
                             200)


class UnderLoadTest(TokensCase):
    """Threads hammer kept-alive connections with a token while it is taken away: no request that
    begins after the answer is served."""

    def hammer(self, endpoint, shared, results, ready):
        """Requests with shared["token"] until shared["stop"]; (token, begin, status) each."""
        with endpoint.connect() as connection:
            ready.wait()
            while not shared["stop"]:
                token = shared["token"]
                data = (f"GET {STOCK}?token={token} HTTP/1.1\r\nHost: localhost\r\n\r\n").encode()
                begin = time.monotonic()
                connection.send(data)
                status = connection.read_answer().status
                results.append((token, begin, status))

    def run_rounds(self, take_away, rounds):
        first, _ = self.server.make_token()
        shared = {"token": first["token"], "stop": False}
        results = [[] for _ in range(6)]
        ready = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(len(results)) as pool:
            endpoints = [self.server.plain, self.server.data_plane] * 3
            running = [pool.submit(self.hammer, e, shared, r, ready)
                       for e, r in zip(endpoints, results)]
            ready.set()
            ended = {}
            try:
                token = first
                for _ in range(rounds):
                    seen = [len(r) for r in results]
                    end = time.monotonic() + seconds(10)
                    while any(len(r) < n + 3 for r, n in zip(results, seen)):
                        if time.monotonic() > end or any(f.done() for f in running):
                            break
                        time.sleep(0.001)
                    take_away(token["id"])
                    ended[token["token"]] = time.monotonic()
                    # They go on with the dead token for a while, then with a new one.
                    seen = [len(r) for r in results]
                    end = time.monotonic() + seconds(10)
                    while any(len(r) < n + 3 for r, n in zip(results, seen)):
                        if time.monotonic() > end or any(f.done() for f in running):
                            break
                        time.sleep(0.001)
                    token, _ = self.server.make_token()
                    shared["token"] = token["token"]
            finally:
                shared["stop"] = True
            for future in running:
                future.result()
        served = refused = 0
        for token, begin, status in (r for rs in results for r in rs):
            if token in ended and begin > ended[token]:
                refused += 1
                self.assertEqual(status, 403, "served after it was taken away")
            else:
                self.assertIn(status, (200, 403))
                served += status == 200
        self.assertGreater(served, rounds)
        self.assertGreater(refused, rounds)

    def test_removal_under_load(self):
        def remove(token):
            answer, _ = self.call("DELETE", f"/tokens/{token}", headers={"If-Match": "*"})
            self.assertEqual(answer.status, 204)
        self.run_rounds(remove, 25)

    def test_disabling_under_load(self):
        def disable(token):
            answer, _ = self.call("POST", f"/tokens/{token}:disable")
            self.assertEqual(answer.status, 200)
        self.run_rounds(disable, 25)

    def test_many_tokens_made_and_removed_at_once_all_behave(self):
        def life(number):
            token, _ = self.server.make_token(nickname=f"life-{number}")
            first = self.use(token["token"]).status
            answer, _ = self.call("DELETE", f"/tokens/{token['id']}", headers={"If-Match": "*"})
            return first, answer.status, self.use(token["token"]).status
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(set(pool.map(life, range(80))), {(200, 204, 403)})


class OperatorDoorTest(TokensCase):
    def test_the_same_handlers_stand_at_the_operators_door(self):
        answer, token = self.server.operate("POST", "/accounts/demo/tokens",
                                            {"kind": "publishable", "nickname": "by operator"})
        self.assertEqual(answer.status, 201, repr(answer))
        self.assertEqual(token["created_by"], "operator")
        self.assertEqual(self.use(token["token"]).status, 200)
        path = f"/accounts/demo/tokens/{token['id']}"
        self.assertEqual(self.server.operate("GET", path)[1], token)
        self.assertEqual(self.server.operate("PATCH", path, {"nickname": "x"})[0].status, 428)
        self.assertEqual(self.server.operate("PATCH", path, {"nickname": "x"},
                                             {"If-Match": answer.header("ETag")})[0].status, 200)
        self.assertEqual(self.server.operate("POST", f"{path}:disable")[0].status, 200)
        self.assertEqual(self.use(token["token"]).status, 403)
        self.assertEqual(self.server.operate("DELETE", path, headers={"If-Match": "*"})[0].status,
                         204)
        self.assertEqual(self.server.operate("GET", path)[0].status, 404)
        self.assertEqual(self.server.operate("GET", "/accounts/no-such/tokens")[0].status, 404)

    def test_an_account_can_be_named_by_its_id(self):
        _, account = self.server.operate("GET", "/accounts/demo")
        answer, _ = self.server.operate("GET", f"/accounts/{account['id']}/tokens")
        self.assertEqual(answer.status, 200)


class SecretsTest(TokensCase):
    def test_no_secret_stands_in_any_file_or_log(self):
        self.server.make_plan("quiet")
        account = self.server.make_account("quiet", "quiet")
        texts = [account["secret_token"]["token"], self.server.operator, self.server.secret]
        texts += [self.server.make_token(kind="secret", nickname=f"s{i}",
                                         environment=("live", "test")[i % 2])[0]["token"]
                  for i in range(2)]
        _, idempotent = self.call("POST", "/tokens", {"kind": "secret"},
                                  {"Idempotency-Key": "sealed"})
        texts.append(idempotent["token"])
        for text in texts:
            self.use(text)
            self.call("GET", "/tokens", secret=text)
            self.server.plain.get(f"/{text}")
            self.server.plain.get(f"/v1/data/{text}?token={text}")
            with self.server.plain.connect() as connection:
                connection.try_send(f"{text} {text} {text}\r\n\r\n".encode())
                connection.rest()
        known = {"operator.token": self.server.operator, "demo.json": self.server.secret}
        files = [p for p in self.server.data.rglob("*") if p.is_file()]
        self.assertTrue(any(p.name.endswith("-wal") for p in files), "the log of writes is missing")
        for path in files + [self.server.log_file]:
            content = path.read_bytes()
            for text in texts:
                if known.get(path.name) == text:
                    continue
                self.assertNotIn(text.encode(), content, path)
                self.assertNotIn(text[4:].encode(), content, path)
        # The banner shows the demo's own, nobody else's.
        shown = self.server.output()
        for text in texts:
            if text != self.server.secret:
                self.assertNotIn(text, shown)


class CommandLineTest(TokensCase):
    """`latchkey token …` does what the management API does."""

    def tokens(self, *arguments, code=0):
        done = self.server.cli("token", *arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_a_tokens_whole_life_by_commands(self):
        made = json.loads(self.tokens("create", "--account", "demo", "--kind", "publishable",
                                      "--nickname", "by command", "--json").stdout)
        self.assertEqual(self.use(made["token"]).status, 200)
        listed = json.loads(self.tokens("list", "--account", "demo", "--json").stdout)
        items = listed["items"] if isinstance(listed, dict) else listed
        self.assertIn(made["id"], [t["id"] for t in items])
        self.assertIn("by command", self.tokens("get", made["id"], "--account", "demo").stdout)
        self.tokens("disable", made["id"], "--account", "demo")
        self.assertEqual(self.use(made["token"]).status, 403)
        self.tokens("enable", made["id"], "--account", "demo")
        self.assertEqual(self.use(made["token"]).status, 200)
        self.tokens("delete", made["id"], "--account", "demo")
        self.assertRefused(self.use(made["token"]), 403, "token_invalid")
        self.tokens("get", made["id"], "--account", "demo", code=1)

    def test_a_secret_is_shown_when_it_is_made_and_not_again(self):
        done = self.tokens("create", "--account", "demo", "--kind", "secret", "--nickname", "shown")
        text = SECRET_TEXT.search(done.stdout)[0]
        self.assertEqual(self.use(text).status, 200)
        self.assertIsNone(SECRET_TEXT.search(self.tokens("list", "--account", "demo").stdout))

    def test_a_secret_token_in_the_environment_says_which_account(self):
        env = {"LATCHKEY_URL": self.server.ready["manage_url"],
               "LATCHKEY_TOKEN": self.server.secret,
               "LATCHKEY_CA_FILE": self.server.ready["ca_file"]}
        done = run("token", "list", "--json", env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(re.search(r"tok_", done.stdout))


if __name__ == "__main__":
    unittest.main()

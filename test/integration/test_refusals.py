"""Every reason for which the data plane refuses: status, reason, first sentence, headers, both body
forms; and what a refusal must not tell."""

import datetime
import functools
import re
import unittest

from harness import ServerCase, TOKEN_TEXT, basic, wait_until

STOCK = "/v1/data/core/STOCKS/AAPL"
UNKNOWN = "pk_" + "0" * 30 + "3KzPDL"
COST_HEADERS = ("iexcloud-messages-used", "iexcloud-credits-used",
                "iexcloud-premium-messages-used", "iexcloud-premium-credits-used")


def soon(delay):
    """An RFC 3339 time that many seconds from now."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=delay)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class RefusalCase(ServerCase):
    """The demo, a second account without premium, and a core dataset that is not marked test."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.make_plan("small", premium_data=False)
        cls.other = cls.server.make_account("other", "small")
        cls.server.import_csv("core/REAL", "key,value\nA,1\n", key="key")
        cls.server.import_csv("other/HIDDEN", "key,value\nA,1\n", key="key")
        cls.premium = cls.server.first_dataset("premium")

    def get(self, target, headers=()):
        return self.server.data_plane.get(target, headers)


class EveryReasonTest(RefusalCase):
    @functools.cached_property
    def cases(self):
        """{name: (status, reason, first sentence or None, target, headers)}"""
        server = self.server
        disabled, _ = server.make_token()
        self.assertEqual(server.manage.call(
            "POST", f"/manage/v1/tokens/{disabled['id']}:disable", server.secret)[0].status, 200)
        removed, _ = server.make_token()
        self.assertEqual(server.manage.call(
            "DELETE", f"/manage/v1/tokens/{removed['id']}", server.secret,
            headers={"If-Match": "*"})[0].status, 204)
        expired, _ = server.make_token(expires_at=soon(1))
        wait_until("the token to expire", lambda: self.get(
            f"{STOCK}?token={expired['token']}").status != 200)
        test, _ = server.make_token(environment="test")
        closed, _ = server.make_token(core_data_access=False)
        workspace = f"gone-{self._testMethodName.count('_')}"
        gone = server.make_account(workspace, "small")
        self.assertEqual(server.operate("POST", f"/accounts/{workspace}:suspend")[0].status, 200)
        pk, sk = server.publishable, server.secret
        invalid = "The API key provided is not valid."
        values = "You have supplied invalid values for this request"
        return {
            "no token": (401, "token_required", None, STOCK, {}),
            "an empty token": (401, "token_required", None, f"{STOCK}?token=", {}),
            "an unknown token": (403, "token_invalid", invalid, f"{STOCK}?token={UNKNOWN}", {}),
            "a wrong checksum": (403, "token_invalid", invalid,
                                 f"{STOCK}?token={pk[:-1]}{'0' if pk[-1] != '0' else '1'}", {}),
            "a token cut short": (403, "token_invalid", invalid, f"{STOCK}?token={pk[:-1]}", {}),
            "no token's shape": (403, "token_invalid", invalid, f"{STOCK}?token=hello", {}),
            "a token in another case": (403, "token_invalid", invalid,
                                        f"{STOCK}?token={pk.swapcase()}", {}),
            "a removed token": (403, "token_invalid", invalid,
                                f"{STOCK}?token={removed['token']}", {}),
            "a disabled token": (403, "token_disabled", None,
                                 f"{STOCK}?token={disabled['token']}", {}),
            "an expired token": (403, "token_expired", None, f"{STOCK}?token={expired['token']}",
                                 {}),
            "a suspended account": (403, "account_inactive", None,
                                    f"{STOCK}?token={gone['publishable_token']['token']}", {}),
            "a test token on live data": (403, "token_wrong_environment", None,
                                          f"/v1/data/core/REAL?token={test['token']}", {}),
            "a secret token with Origin": (403, "secret_token_in_browser", None,
                                           f"{STOCK}?token={sk}", {"Origin": "https://a.example"}),
            "a secret token with Origin null": (403, "secret_token_in_browser", None,
                                                f"{STOCK}?token={sk}", {"Origin": "null"}),
            "a secret token with an empty Origin": (403, "secret_token_in_browser", None,
                                                    f"{STOCK}?token={sk}", {"Origin": ""}),
            "a secret token with Sec-Fetch-Site": (403, "secret_token_in_browser", None,
                                                   f"{STOCK}?token={sk}",
                                                   {"Sec-Fetch-Site": "none"}),
            "core access taken": (401, "data_restricted", None,
                                  f"{STOCK}?token={closed['token']}", {}),
            "a publishable token in the workspace": (401, "data_restricted", None,
                                                     f"/v1/data/demo/WEATHER?token={pk}", {}),
            "a publishable token on premium": (401, "data_restricted", None,
                                               f"/v1/data/premium/{self.premium}?token={pk}", {}),
            "no premium subscription": (
                402, "premium_required", None,
                f"/v1/data/premium/{self.premium}?token={self.other['secret_token']['token']}", {}),
            "an unknown dataset": (404, "not_found", "Not Found", f"/v1/data/core/NONE?token={pk}",
                                   {}),
            "an unknown path": (404, "not_found", "Not Found", f"/v1/nothing?token={pk}", {}),
            "an unknown root": (404, "not_found", "Not Found", "/nothing", {}),
            "an unknown parameter": (400, "invalid_values", values, f"{STOCK}?token={pk}&colour=red",
                                     {}),
            "two different tokens": (400, "invalid_values", values, f"{STOCK}?token={pk}",
                                     {"Authorization": f"Bearer {sk}"}),
            "a method that is not served": (405, "method_not_allowed", None,
                                            f"{STOCK}?token={pk}", {"": "PATCH"}),
        }

    def ask(self, target, headers, accept=None):
        fields = dict(headers)
        method = fields.pop("", "GET")
        if accept is not None:
            fields["Accept"] = accept
        return self.server.data_plane.request(method, target, fields)

    def test_each_reason_has_its_status_sentence_headers_and_both_forms(self):
        for name, (status, reason, sentence, target, headers) in self.cases.items():
            with self.subTest(name):
                text = self.ask(target, headers)
                self.assertRefused(text, status, reason, sentence)
                self.assertEqual(text.header("Content-Type"), "text/plain; charset=utf-8")
                self.assertTrue(text.text.strip())

                problem = self.ask(target, headers, "application/problem+json")
                self.assertRefused(problem, status, reason)
                self.assertEqual(problem.header("Content-Type").split(";")[0],
                                 "application/problem+json")
                body = problem.json()
                self.assertLessEqual({"type", "title", "status", "detail", "reason", "request_id"},
                                     set(body))
                self.assertEqual((body["status"], body["reason"]), (status, reason))
                self.assertEqual(body["request_id"], problem.request_id)
                self.assertNotEqual(text.request_id, problem.request_id)

                for answer in (text, problem):
                    self.assertEqual(answer.header("Access-Control-Allow-Origin"), "*")
                    self.assertEqual(answer.header("X-Content-Type-Options"), "nosniff")
                    self.assertEqual(answer.header("Content-Security-Policy"),
                                     "default-src 'none'; sandbox")
                    self.assertIsNone(answer.header("Strict-Transport-Security"))
                    if "token=" in target:
                        self.assertEqual(answer.header("Cache-Control"), "no-store")
                    for cost in COST_HEADERS:
                        self.assertIsNone(answer.header(cost), f"{cost} on a refusal")
                    challenge = answer.header("WWW-Authenticate")
                    if reason == "token_required":
                        self.assertRegex(challenge, r"^Bearer\b")
                    if challenge is not None:
                        self.assertNotIn("basic", challenge.lower())
                    if status == 405:
                        self.assertIn("GET", answer.header("Allow"))

    def test_the_first_sentence_is_the_whole_text_or_followed_by_one_more(self):
        for name, (status, reason, sentence, target, headers) in self.cases.items():
            with self.subTest(name):
                text = self.ask(target, headers).text.strip()
                sentences = [s for s in re.split(r"(?<=[.!?])\s+", text) if s]
                self.assertLessEqual(len(sentences), 2, text)
                if sentence is not None:
                    self.assertTrue(text.startswith(sentence))


class FormsTest(RefusalCase):
    def test_problem_json_comes_only_when_it_is_named(self):
        text = "text/plain; charset=utf-8"
        problem = "application/problem+json"
        for accept, wanted in {
                "*/*": text, "application/*": text, "application/json": text, "text/plain": text,
                "application/problem+json;q=0": text, "application/problem+json; q=0.000": text,
                "application/problem+xml": text, "": text,
                "application/problem+json": problem, "APPLICATION/Problem+JSON": problem,
                "application/problem+json;q=0.001": problem,
                "application/json, application/problem+json": problem,
                "text/html;q=0.9 , application/problem+json ; q=0.5, */*;q=0.1": problem,
        }.items():
            with self.subTest(accept):
                answer = self.get(STOCK, {"Accept": accept})
                self.assertEqual(answer.header("Content-Type").split(";")[0], wanted.split(";")[0])
                self.assertEqual(answer.status, 401)

    def test_a_token_is_taken_from_query_bearer_and_basic(self):
        pk = self.server.publishable
        for headers, target in (({}, f"{STOCK}?token={pk}"),
                                ({"Authorization": f"Bearer {pk}"}, STOCK),
                                ({"Authorization": f"bearer {pk}"}, STOCK),
                                ({"Authorization": basic(pk)}, STOCK),
                                # The same token twice is one token.
                                ({"Authorization": f"Bearer {pk}"}, f"{STOCK}?token={pk}")):
            with self.subTest(headers=sorted(headers)):
                self.assertEqual(self.get(target, headers).status, 200)

    def test_malformed_credentials_are_refused_and_never_echoed(self):
        for value in ("Bearer", "Bearer ", "Basic", "Basic !!!", "Basic ====", "Bearer a b",
                      basic("", self.server.publishable), "Digest username=x",
                      f"Bearer {self.server.publishable}x", "Bearer " + "a" * 5000):
            with self.subTest(value[:20]):
                answer = self.get(STOCK, {"Authorization": value})
                self.assertIn(answer.status, (400, 401, 403), repr(answer))
                self.assertIsNone(TOKEN_TEXT.search(answer.text))

    def test_referer_and_sec_fetch_mode_do_not_make_a_browser(self):
        for headers in ({"Referer": "https://a.example/"}, {"Sec-Fetch-Mode": "cors"}):
            with self.subTest(headers):
                answer = self.get(f"{STOCK}?token={self.server.secret}", headers)
                self.assertEqual(answer.status, 200, repr(answer))

    def test_a_publishable_token_may_come_from_a_browser(self):
        answer = self.get(f"{STOCK}?token={self.server.publishable}",
                          {"Origin": "https://a.example", "Sec-Fetch-Site": "cross-site"})
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("Access-Control-Allow-Origin"), "*")

    def test_request_ids_differ_and_a_client_cannot_set_them(self):
        ids = {self.get(STOCK, {"Latchkey-Request-Id": "mine", "X-Request-Id": "mine"}).request_id
               for _ in range(5)}
        self.assertEqual(len(ids), 5)
        self.assertNotIn("mine", ids)

    def test_no_answer_holds_the_text_of_a_token_wherever_it_stood(self):
        pk, sk = self.server.publishable, self.server.secret
        for target, headers in ((f"/v1/data/core/{pk}?token={pk}", {}),
                                (f"/v1/data/{sk}/STOCKS", {}),
                                (f"/{sk}", {}),
                                (f"{STOCK}?token={pk}&{sk}=1", {}),
                                (f"{STOCK}?token={pk}&limit={sk}", {}),
                                (f"{STOCK}?token={pk}&on={sk}", {}),
                                (f"{STOCK}?token={pk}&format={sk}", {}),
                                (f"{STOCK}?token={sk}&token={pk}", {}),
                                (STOCK, {"Authorization": f"Bearer {sk} {pk}"}),
                                (STOCK, {"Authorization": f"Token {sk}"})):
            for accept in ("*/*", "application/problem+json"):
                with self.subTest(target[:20], accept=accept):
                    answer = self.get(target, {**headers, "Accept": accept})
                    self.assertGreaterEqual(answer.status, 400)
                    everything = answer.raw_head.decode() + answer.text
                    self.assertNotIn(pk, everything)
                    self.assertNotIn(sk, everything)


class CorsTest(RefusalCase):
    def preflight(self, target, method="GET", fields="authorization"):
        return self.server.data_plane.request("OPTIONS", target, {
            "Origin": "https://page.example", "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": fields})

    def test_a_preflight_needs_no_token(self):
        for target in (STOCK, "/v1/data", "/v1/data/demo/WEATHER", "/stable/data/core/STOCKS"):
            with self.subTest(target):
                answer = self.preflight(target)
                self.assertIn(answer.status, (200, 204))
                self.assertEqual(answer.header("Access-Control-Allow-Origin"), "*")
                methods = {m.strip() for m in answer.header("Access-Control-Allow-Methods").split(",")}
                self.assertEqual(methods, {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
                allowed = {h.strip().lower()
                           for h in answer.header("Access-Control-Allow-Headers").split(",")}
                self.assertEqual(allowed, {"authorization", "content-type", "accept",
                                           "x-requested-with", "request-source", "x-iex-date",
                                           "signature", "signature-input", "content-digest"})
                self.assertEqual(answer.header("Access-Control-Max-Age"), "7200")
                self.assertIsNone(answer.header("Access-Control-Allow-Credentials"))

    def test_answers_expose_costs_rates_reason_and_request_id(self):
        wanted = {*COST_HEADERS, "ratelimit", "ratelimit-policy", "latchkey-reason",
                  "latchkey-request-id", "retry-after"}
        for target in (f"{STOCK}?token={self.server.publishable}", STOCK):
            answer = self.get(target, {"Origin": "https://page.example"})
            exposed = {h.strip().lower()
                       for h in answer.header("Access-Control-Expose-Headers").split(",")}
            self.assertEqual(exposed, wanted)

    def test_the_management_plane_has_no_cors(self):
        for method, token in (("GET", self.server.secret), ("GET", None), ("OPTIONS", None)):
            answer = self.server.manage.request(method, "/manage/v1/tokens", {
                "Origin": "https://page.example", "Access-Control-Request-Method": "GET",
                **({"Authorization": f"Bearer {token}"} if token else {})})
            for name, _ in answer.headers:
                self.assertFalse(name.lower().startswith("access-control-"), name)


class ExistenceTest(RefusalCase):
    """A name that the caller has no right to gets the same bytes whether it exists or not."""

    def alike(self, targets, headers=()):
        seen = []
        for target, name in targets:
            answer = self.get(target, headers)
            head = "\n".join(f"{n}: {v}" for n, v in answer.headers
                             if n.lower() not in ("date", "latchkey-request-id"))
            text = answer.text.replace(answer.request_id, "ID").replace(name, "NAME")
            seen.append((answer.status, head, text))
        self.assertEqual(seen[0], seen[1])
        return seen[0][0]

    def test_foreign_and_absent_datasets_are_alike_for_both_kinds_of_token(self):
        for token in (self.server.publishable, self.server.secret):
            for accept in ("*/*", "application/problem+json"):
                with self.subTest(token[:3], accept=accept):
                    headers = {"Accept": accept}
                    self.assertEqual(self.alike(
                        [(f"/v1/data/other/HIDDEN?token={token}", "HIDDEN"),
                         (f"/v1/data/other/ABSENT?token={token}", "ABSENT")], headers), 401)
                    self.assertEqual(self.alike(
                        [(f"/v1/data/other/HIDDEN?token={token}", "other"),
                         (f"/v1/data/noone/HIDDEN?token={token}", "noone")], headers), 401)
                    self.assertEqual(self.alike(
                        [(f"/v1/data/other/HIDDEN/A?token={token}&limit=2", "HIDDEN"),
                         (f"/v1/data/other/ABSENT/A?token={token}&limit=2", "ABSENT")], headers),
                        401)

    def test_unknown_parameters_do_not_tell_them_apart(self):
        token = self.server.secret
        self.alike([(f"/v1/data/other/HIDDEN?token={token}&colour=red", "HIDDEN"),
                    (f"/v1/data/other/ABSENT?token={token}&colour=red", "ABSENT")])

    def test_catalogues_of_foreign_and_absent_workspaces_are_alike(self):
        for token in (self.server.publishable, self.server.secret):
            self.alike([(f"/v1/data/other?token={token}", "other"),
                        (f"/v1/data/noone?token={token}", "noone")])

    def test_core_is_alike_without_core_access(self):
        closed, _ = self.server.make_token(core_data_access=False)
        self.assertEqual(self.alike([(f"/v1/data/core/STOCKS?token={closed['token']}", "STOCKS"),
                                     (f"/v1/data/core/NOTHIN?token={closed['token']}", "NOTHIN")]),
                         401)

    def test_premium_is_alike_without_access_and_without_subscription(self):
        absent = "Z" * len(self.premium)
        for token, status in ((self.server.publishable, 401),
                              (self.other["secret_token"]["token"], 402)):
            self.assertEqual(self.alike(
                [(f"/v1/data/premium/{self.premium}?token={token}", self.premium),
                 (f"/v1/data/premium/{absent}?token={token}", absent)]), status)

    def test_404_comes_where_the_caller_may_see_the_catalogue(self):
        for target in (f"/v1/data/core/ABSENT?token={self.server.publishable}",
                       f"/v1/data/core/ABSENT?token={self.server.secret}",
                       f"/v1/data/premium/ABSENT?token={self.server.secret}",
                       f"/v1/data/demo/ABSENT?token={self.server.secret}"):
            with self.subTest(target[:24]):
                self.assertRefused(self.get(target), 404, "not_found", "Not Found")


class ManagementRefusalsTest(RefusalCase):
    """Refusals of the management and the internal plane are problem+json always."""

    def assertProblem(self, answer, status, reason):
        self.assertEqual((answer.status, answer.reason), (status, reason), repr(answer))
        self.assertEqual(answer.header("Content-Type").split(";")[0], "application/problem+json")
        body = answer.json()
        self.assertEqual((body["status"], body["reason"]), (status, reason))
        self.assertEqual(body["request_id"], answer.request_id)
        self.assertIsNone(TOKEN_TEXT.search(answer.text))
        return body

    def call(self, method, target, token=None, body=None, headers=()):
        return self.server.manage.call(method, target, token, body, headers)[0]

    def test_no_or_bad_credentials(self):
        sk = self.server.secret
        self.assertProblem(self.call("GET", "/manage/v1/tokens"), 401, "sign_in_required")
        self.assertProblem(self.call("GET", "/manage/v1/tokens", UNKNOWN.replace("pk", "sk")), 403,
                           "token_invalid")
        self.assertProblem(self.call("GET", "/manage/v1/tokens", sk[:-1]), 403, "token_invalid")
        self.assertProblem(self.call("GET", "/manage/v1/tokens", self.server.publishable), 401,
                           "secret_token_required")
        # A token in the URL does not sign in on this plane.
        answer = self.call("GET", f"/manage/v1/tokens?token={sk}")
        self.assertIn(answer.status, (400, 401))
        self.assertNotIn(sk, answer.text)

    def test_a_secret_token_from_a_browser_is_refused(self):
        self.assertProblem(self.call("GET", "/manage/v1/tokens", self.server.secret,
                                     headers={"Origin": "https://a.example"}), 403,
                           "secret_token_in_browser")

    def test_the_operators_door_takes_only_the_operators_token(self):
        for token in (None, self.server.secret, self.server.publishable,
                      "op_" + "0" * 43, self.server.operator[:-1]):
            answer, _ = self.server.internal.call("GET", "/operator/v1/accounts", token)
            self.assertIn(answer.status, (401, 403), repr(answer))
            self.assertTrue(answer.reason)
        self.assertProblem(self.call("GET", "/manage/v1/tokens", self.server.operator), 403,
                           "token_invalid")
        # And it opens nothing on the data plane.
        self.assertEqual(self.get(f"{STOCK}?token={self.server.operator}").status, 403)

    def test_other_host_names_are_misdirected(self):
        for endpoint in (self.server.manage, self.server.internal):
            for host in ("evil.example", "localhost.evil.example", "evil.example:8444",
                         "127.0.0.1.nip.io"):
                with self.subTest(host, url=endpoint.url):
                    answer = endpoint.request("GET", "/manage/v1/tokens", {
                        "Authorization": f"Bearer {self.server.secret}"}, host=host)
                    self.assertProblem(answer, 421, "misdirected")
        for host in ("localhost", "LOCALHOST:8444", "127.0.0.1:1", "[::1]:8444"):
            answer = self.server.manage.request("GET", "/manage/v1/tokens", {
                "Authorization": f"Bearer {self.server.secret}"}, host=host)
            self.assertEqual(answer.status, 200, host)

    def test_paths_and_methods(self):
        sk = self.server.secret
        self.assertProblem(self.call("GET", "/manage/v1/nothing", sk), 404, "not_found")
        answer = self.call("PUT", "/manage/v1/tokens", sk, {})
        self.assertProblem(answer, 405, "method_not_allowed")
        self.assertIn("POST", answer.header("Allow"))

    def test_bodies(self):
        sk = self.server.secret
        for body in (b"", b"{", b"[]", b'"x"', b"null", b"\xff\xfe", b'{"kind":"publishable"} x',
                     b'{"kind":' * 2000):
            with self.subTest(body[:20]):
                self.assertIn(self.call("POST", "/manage/v1/tokens", sk, body).status, (400,))
        answer = self.server.manage.request(
            "POST", "/manage/v1/tokens",
            {"Authorization": f"Bearer {sk}", "Content-Type": "text/xml"}, b"<a/>")
        self.assertProblem(answer, 415, "unsupported_media_type")

    def test_invalid_values_name_their_fields(self):
        sk = self.server.secret
        for field, value in (("kind", "private"), ("kind", None), ("environment", "prod"),
                             ("nickname", "n" * 129), ("nickname", 5), ("nickname", "a\nb"),
                             ("labels", {str(i): "v" for i in range(9)}), ("labels", "x"),
                             ("labels", {"a": 1}), ("end_user", "e" * 129), ("enabled", "yes"),
                             ("expires_at", "tomorrow"), ("expires_at", "2000-01-01T00:00:00Z"),
                             ("core_data_access", 1), ("colour", "red"), ("id", "tok_1"),
                             ("token", "pk_x"), ("created_at", "2030-01-01T00:00:00Z")):
            with self.subTest(field, value=str(value)[:20]):
                answer = self.call("POST", "/manage/v1/tokens", sk,
                                   {"kind": "publishable", field: value})
                body = self.assertProblem(answer, 400, "invalid_values")
                self.assertTrue(any(e["field"].split(".")[0].split("/")[0] == field
                                    for e in body["errors"]), body)

    def test_every_invalid_field_is_named_at_once(self):
        answer = self.call("POST", "/manage/v1/tokens", self.server.secret,
                           {"kind": "publishable", "enabled": 1, "colour": 1})
        body = self.assertProblem(answer, 400, "invalid_values")
        self.assertLessEqual({"enabled", "colour"}, {e["field"] for e in body["errors"]})

    def test_settings_that_a_secret_token_cannot_have_are_refused(self):
        for field, value in (("core_data_access", False), ("end_user", "u-1")):
            answer = self.call("POST", "/manage/v1/tokens", self.server.secret,
                               {"kind": "secret", field: value})
            self.assertProblem(answer, 400, "invalid_values")

    def test_reserved_taken_and_malformed_workspaces(self):
        for workspace in ("core", "premium", "operator", "a", "a" * 64, "A1", "1ab", "ab-", "a_b",
                          "", "a.b", "ä-b"):
            with self.subTest(workspace):
                answer, _ = self.server.operate("POST", "/accounts",
                                                {"workspace": workspace, "plan": "small"})
                self.assertProblem(answer, 400, "invalid_values")
        answer, _ = self.server.operate("POST", "/accounts", {"workspace": "demo", "plan": "small"})
        self.assertProblem(answer, 409, "conflict")
        answer, _ = self.server.operate("POST", "/plans", {"name": "small"})
        self.assertProblem(answer, 409, "conflict")
        answer, _ = self.server.operate("POST", "/accounts",
                                        {"workspace": "planless", "plan": "none-such"})
        self.assertProblem(answer, 400, "invalid_values")

    def test_the_plans_maximum_of_tokens_is_kept(self):
        self.server.make_plan("tiny", max_tokens=3)
        account = self.server.make_account("tiny-one", "tiny")
        sk = account["secret_token"]["token"]
        self.server.make_token(sk)
        answer = self.call("POST", "/manage/v1/tokens", sk, {"kind": "publishable"})
        self.assertProblem(answer, 403, "plan_limit_reached")

    def test_a_ninth_enabled_secret_is_refused(self):
        account = self.server.make_account("nine", "small")
        sk = account["secret_token"]["token"]
        for _ in range(7):
            self.server.make_token(sk, kind="secret")
        answer = self.call("POST", "/manage/v1/tokens", sk, {"kind": "secret"})
        self.assertProblem(answer, 409, "conflict")


if __name__ == "__main__":
    unittest.main()

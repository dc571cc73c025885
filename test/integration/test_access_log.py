"""The access log: one JSON line per request with what happened, and never a token."""

import json
import re
import signal
import unittest

from harness import Case, SECRET_TEXT, ServerCase, TOKEN_TEXT, wait_until

STOCK = "/v1/data/core/STOCKS/AAPL"


class AccessLogTest(ServerCase):
    def line(self, request_id):
        """The line of that request; it is flushed with the thread's next tick."""
        return wait_until(f"the line of {request_id}", lambda: next(
            (entry for entry in self.server.log_objects() if entry.get("id") == request_id), None))

    def test_a_served_request_has_its_fields(self):
        answer = self.server.data_plane.get(f"{STOCK}?last=3&token={self.server.publishable}")
        line = self.line(answer.request_id)
        self.assertEqual((line["plane"], line["method"], line["path"], line["address"],
                          line["status"], line["records"], line["cost"], line["premium_cost"],
                          line["bytes"]),
                         ("data", "GET", STOCK, "127.0.0.1", 200, 3, 3, 0, len(answer.body)))
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertRegex(line["account"], r"^acc_")
        self.assertRegex(line["token"], r"^tok_")
        self.assertGreaterEqual(line["us"], 0)
        self.assertLess(line["us"], 60_000_000)
        self.assertFalse(line.get("reason"))

    def test_premium_costs_stand_apart(self):
        name = self.server.first_dataset("premium")
        answer = self.server.plain.get(
            f"/v1/data/premium/{name}?last=2&token={self.server.secret}")
        line = self.line(answer.request_id)
        self.assertEqual((line["plane"], line["records"], line["cost"], line["premium_cost"]),
                         ("plain", 2, 0, 20))

    def test_a_refusal_names_its_reason_and_what_is_known_of_the_caller(self):
        answer = self.server.data_plane.get(STOCK)
        line = self.line(answer.request_id)
        self.assertEqual((line["status"], line["reason"]), (401, "token_required"))
        self.assertFalse(line.get("token"))
        answer = self.server.data_plane.get(
            f"/v1/data/demo/WEATHER?token={self.server.publishable}")
        line = self.line(answer.request_id)
        self.assertEqual((line["status"], line["reason"]), (401, "data_restricted"))
        self.assertRegex(line["token"], r"^tok_")

    def test_malformed_requests_have_a_line(self):
        with self.server.plain.connect() as connection:
            connection.send(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
            answer = connection.read_answer()
        line = self.line(answer.request_id)
        self.assertEqual((line["status"], line["reason"], line["plane"]),
                         (400, "bad_request", "plain"))

    def test_the_other_planes_have_lines_too(self):
        for endpoint, target, token, plane in (
                (self.server.manage, "/manage/v1/tokens", self.server.secret, "manage"),
                (self.server.internal, "/operator/v1/accounts", self.server.operator, "internal")):
            answer, _ = endpoint.call("GET", target, token)
            line = self.line(answer.request_id)
            self.assertEqual((line["plane"], line["path"], line["status"]), (plane, target, 200))

    def test_no_line_holds_a_token_wherever_it_stood(self):
        pk, sk, op = self.server.publishable, self.server.secret, self.server.operator
        endpoints = (self.server.data_plane, self.server.plain, self.server.manage,
                     self.server.internal)
        last = None
        for text in (pk, sk, op, pk[:20], "x" + sk, sk + "extra", f"a{pk}b{sk}"):
            raw = [
                f"GET {STOCK}?token={text} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                f"GET /{text} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                f"GET /v1/data/{text}/{text}/{text} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                f"GET /v1/data/%{ord(text[0]):02x}{text[1:]} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                f"GET /?{text}={text} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                f"{text[:40]} / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                f"{text}\r\n\r\n",
                f"GET / {text}\r\nHost: localhost\r\n\r\n",
                f"GET /{text} {text} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                f"GET / HTTP/1.1\r\nHost: {text}\r\n\r\n",
                f"GET / HTTP/1.1\r\nHost: localhost\r\n{text}\r\n\r\n",
                f"GET / HTTP/1.1\r\nHost: localhost\r\nX: {text}\0\r\n\r\n",
                f"GET http://{text}@localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
                f"GET http://{text}/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
                f"GET / HTTP/1.1\r\nHost: localhost\r\nReferer: http://x/?token={text}\r\n\r\n",
                f"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {text}\r\n\r\n",
                f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: {text}\r\n\r\n",
                f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {text}\r\n\r\n",
                f"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {text}\r\n\r\n",
            ]
            for data in raw:
                for endpoint in endpoints:
                    with endpoint.connect() as connection:
                        connection.try_send(data.encode())
                        last = connection.read_answer().request_id or last
        self.line(last)
        for endpoint in endpoints:
            self.line(endpoint.get("/last").request_id)
        log = self.server.log()
        for text in (pk, sk, op):
            for part in (text, text[3:], text[3:23], text[-20:]):
                self.assertNotIn(part, log)
        self.assertIsNone(TOKEN_TEXT.search(log))

    def test_every_line_is_one_json_object_whatever_was_asked_for(self):
        for target in ('/"quote"', "/back%5Cslash", "/new%0Aline", "/tab%09", "/%7F", "/%C3%BC",
                       "/%E2%80%A8", "/" + "long" * 1000, "/%3Cscript%3E", "/%22%7D%7B%22"):
            with self.server.plain.connect() as connection:
                connection.try_send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                self.line(connection.read_answer().request_id)
        for method in ("M" * 100, "!#$%&'*+-.^_`|~"):
            with self.server.plain.connect() as connection:
                connection.try_send(f"{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                self.line(connection.read_answer().request_id)
        for line in self.server.log().splitlines():
            self.assertIsInstance(json.loads(line), dict, line)

    def test_a_query_string_is_never_written(self):
        answer = self.server.data_plane.get(
            f"{STOCK}?token={self.server.publishable}&nonce=findme")
        self.line(answer.request_id)
        self.assertNotIn("findme", self.server.log())

    def test_concurrent_requests_give_whole_lines(self):
        with self.server.plain.connect() as one, self.server.data_plane.connect() as two:
            ids = set()
            for _ in range(200):
                for connection in (one, two):
                    answer = connection.request(
                        "GET", f"{STOCK}?token={self.server.publishable}")
                    ids.add(answer.request_id)
        self.assertEqual(len(ids), 400)
        wait_until("all lines", lambda: ids <= {e.get("id") for e in self.server.log_objects()})


class AccessLogFileTest(Case):
    def test_a_file_of_its_own_is_for_the_owner_alone_and_opened_again_on_sighup(self):
        folder = self.folder()
        file, old = folder / "access.log", folder / "access.log.1"
        server = self.start(demo=True, config=f'[log]\naccess = "{file}"\n')
        first = server.plain.get(STOCK).request_id
        wait_until("the first line", lambda: first in file.read_text())
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertNotIn(first, server.log())
        file.rename(old)
        server.signal(signal.SIGHUP)
        wait_until("the new file", file.exists)

        def written():
            request = server.plain.get(STOCK).request_id
            return wait_until("a line", lambda: request in file.read_text() or
                              request in old.read_text()) and request in file.read_text()
        wait_until("lines in the new file", written)
        server.terminate()
        for line in (old.read_text() + file.read_text()).splitlines():
            self.assertIn("id", json.loads(line))

    def test_off_writes_none(self):
        server = self.start(config='[log]\naccess = "off"\n')
        answer = server.plain.get(STOCK)
        server.terminate()
        self.assertNotIn(answer.request_id, server.log())

    def test_the_last_lines_are_written_when_the_server_ends(self):
        server = self.start()
        ids = [server.plain.get(STOCK).request_id for _ in range(20)]
        self.assertEqual(server.terminate(), 0)
        for request in ids:
            self.assertIn(request, server.log())

    def test_the_log_of_a_whole_demo_start_holds_no_secret(self):
        server = self.start(demo=True)
        server.terminate()
        self.assertIsNone(SECRET_TEXT.search(server.log()), "a secret in the log")
        self.assertIsNone(re.search(r"pk_[0-9A-Za-z]{36}", server.log()))


if __name__ == "__main__":
    unittest.main()

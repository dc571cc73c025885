"""What HTTP/1.1 forbids is refused, what it allows is served, and two readings of one stream of
bytes never become two requests (RFC 9112)."""

import re
import unittest

from harness import REASON_HEADER, ServerCase

CRLF = b"\r\n"


class OdditiesCase(ServerCase):
    """Requests with and without a fault, on the plain data listener unless a test says otherwise."""

    def setUp(self):
        self.target = f"/v1/data/core/STOCKS/AAPL?token={self.server.publishable}".encode()

    def head(self, *lines, line=None, host=b"Host: localhost"):
        """A request head: the good request line and Host unless told otherwise, then `lines`."""
        first = line if line is not None else b"GET " + self.target + b" HTTP/1.1"
        fields = ([host] if host is not None else []) + list(lines)
        return CRLF.join([first, *fields]) + CRLF + CRLF

    def ask(self, data, endpoint=None, method="GET"):
        """(answer, whether the peer closed after it)."""
        with (endpoint or self.server.plain).connect() as connection:
            connection.try_send(data)
            answer = connection.read_answer(method)
            return answer, answer.closes and connection.at_end()

    def answers(self, data, status=rb"\d{3}"):
        """How many answers these bytes hold."""
        return len(re.findall(rb"HTTP/1\.1 " + status + rb" [^\r\n]*\r\n", data))

    def assertRefusedAndClosed(self, data, statuses, endpoint=None):
        statuses = {statuses} if isinstance(statuses, int) else set(statuses)
        answer, closed = self.ask(data, endpoint)
        self.assertIn(answer.status, statuses, repr(answer))
        self.assertTrue(answer.closes, f"no Connection: close in {answer.headers}")
        self.assertTrue(closed, "the connection stays open after a malformed request")
        return answer

    def assertServed(self, data, endpoint=None):
        answer, _ = self.ask(data, endpoint)
        self.assertEqual(answer.status, 200, repr(answer))
        return answer


class MalformedHeadTest(OdditiesCase):
    def table(self):
        """{name: (bytes, statuses)}"""
        target = self.target
        get = b"GET " + target
        return {
            # Message length (RFC 9112 §6).
            "length and coding":
                (self.head(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
            "coding and length":
                (self.head(b"Transfer-Encoding: chunked", b"Content-Length: 0") + b"0\r\n\r\n", 400),
            "two lengths that differ": (self.head(b"Content-Length: 5", b"Content-Length: 6"), 400),
            "two equal lengths": (self.head(b"Content-Length: 0", b"Content-Length: 0"), 400),
            "a list of equal lengths": (self.head(b"Content-Length: 0, 0"), 400),
            "a plus sign": (self.head(b"Content-Length: +0"), 400),
            "a minus sign": (self.head(b"Content-Length: -0"), 400),
            "a blank within": (self.head(b"Content-Length: 1 0"), 400),
            "a hexadecimal length": (self.head(b"Content-Length: 0x0"), 400),
            "an underscore": (self.head(b"Content-Length: 1_0"), 400),
            "an empty length": (self.head(b"Content-Length:"), 400),
            "a word": (self.head(b"Content-Length: none"), 400),
            "a length past 64 bits": (self.head(b"Content-Length: 18446744073709551617"),
                                      {400, 413}),
            "a length of 40 digits": (self.head(b"Content-Length: " + b"9" * 40), {400, 413}),
            "a fraction": (self.head(b"Content-Length: 0.0"), 400),
            "an unknown coding": (self.head(b"Transfer-Encoding: gzip"), {400, 501}),
            "an unknown coding, then chunked": (self.head(b"Transfer-Encoding: gzip, chunked"), 501),
            "chunked is not the last": (self.head(b"Transfer-Encoding: chunked, gzip"), {400, 501}),
            "chunked twice": (self.head(b"Transfer-Encoding: chunked, chunked"), 400),
            "two fields of coding":
                (self.head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400),
            "two fields, one of them identity":
                (self.head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
                 {400, 501}),
            "identity": (self.head(b"Transfer-Encoding: identity"), {400, 501}),
            "almost chunked": (self.head(b"Transfer-Encoding: xchunked"), {400, 501}),
            "chunked behind a vertical tab": (self.head(b"Transfer-Encoding: \x0bchunked"),
                                              {400, 501}),
            "quoted chunked": (self.head(b'Transfer-Encoding: "chunked"'), {400, 501}),
            "an empty coding": (self.head(b"Transfer-Encoding:"), {400, 501}),
            "chunked in HTTP/1.0":
                (self.head(b"Transfer-Encoding: chunked", line=get + b" HTTP/1.0") + b"0\r\n\r\n",
                 400),
            # Fields (§5).
            "a folded line": (self.head(b"X-A: one", b" two"), 400),
            "a folded line with a tab": (self.head(b"X-A: one", b"\ttwo"), 400),
            "a blank before the first field": (get + b" HTTP/1.1\r\n Host: localhost\r\n\r\n", 400),
            "a space before the colon": (self.head(b"X-A : 1"), 400),
            "a tab before the colon": (self.head(b"X-A\t: 1"), 400),
            "a space before the colon of a length": (self.head(b"Content-Length : 0"), 400),
            "no colon": (self.head(b"X-A"), 400),
            "no name": (self.head(b": 1"), 400),
            "a name in brackets": (self.head(b"X(A): 1"), 400),
            "a name beyond ASCII": (self.head("X-Ä: 1".encode()), 400),
            "a NUL in a value": (self.head(b"X-A: a\0b"), 400),
            "a NUL in a name": (self.head(b"X\0A: 1"), 400),
            "a bare CR in a value": (self.head(b"X-A: a\rb"), 400),
            "a bare CR before a field": (self.head(b"X-A: a\rContent-Length: 5"), 400),
            "a control byte in a value": (self.head(b"X-A: a\x01b"), 400),
            "DEL in a value": (self.head(b"X-A: a\x7fb"), 400),
            "a bare LF after a field": (get + b" HTTP/1.1\r\nHost: localhost\nX-A: 1\r\n\r\n", 400),
            "a bare LF after the request line": (get + b" HTTP/1.1\nHost: localhost\r\n\r\n", 400),
            "bare LFs throughout": (get + b" HTTP/1.1\nHost: localhost\n\n", 400),
            "a bare LF at the end": (get + b" HTTP/1.1\r\nHost: localhost\r\n\n", 400),
            "CR CR LF": (get + b" HTTP/1.1\r\r\nHost: localhost\r\n\r\n", 400),
            # Host (§3.2).
            "no Host": (self.head(host=None), 400),
            "two Hosts": (self.head(b"Host: localhost"), 400),
            "two Hosts that differ": (self.head(b"Host: example.com"), 400),
            "a Host with a blank": (self.head(host=b"Host: local host"), 400),
            "a Host with user information": (self.head(host=b"Host: user@localhost"), 400),
            "a Host with a path": (self.head(host=b"Host: localhost/x"), 400),
            "a Host with a list": (self.head(host=b"Host: localhost, example.com"), 400),
            # The request line (§3).
            "no version": (b"GET " + target + CRLF + CRLF, {400, 505}),
            "HTTP/0.9": (self.head(line=get + b" HTTP/0.9"), {400, 505}),
            "HTTP/2.0": (self.head(line=get + b" HTTP/2.0"), 505),
            "HTTP/3.0": (self.head(line=get + b" HTTP/3.0"), 505),
            "the HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            "a version in lower case": (self.head(line=get + b" http/1.1"), 400),
            "a version of two digits": (self.head(line=get + b" HTTP/1.10"), 400),
            "a version without a dot": (self.head(line=get + b" HTTP/11"), 400),
            "another protocol": (self.head(line=get + b" ICY/1.1"), 400),
            "a blank after the version": (self.head(line=get + b" HTTP/1.1 "), 400),
            "two blanks after the method": (self.head(line=b"GET  " + target + b" HTTP/1.1"), 400),
            "two blanks before the version": (self.head(line=get + b"  HTTP/1.1"), 400),
            "a tab for a blank": (self.head(line=b"GET\t" + target + b" HTTP/1.1"), 400),
            "a blank before the method": (self.head(line=b" " + get + b" HTTP/1.1"), 400),
            "a blank in the target": (self.head(line=b"GET /v1/da ta HTTP/1.1"), 400),
            "no target": (self.head(line=b"GET  HTTP/1.1"), 400),
            "a method with a slash": (self.head(line=b"GE/T " + target + b" HTTP/1.1"), 400),
            "a method with a control byte": (self.head(line=b"G\x01T " + target + b" HTTP/1.1"),
                                             400),
            "bytes that are no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
            "a target without a slash": (self.head(line=b"GET v1/data HTTP/1.1"), 400),
            "a fragment": (self.head(line=b"GET /v1/data#x HTTP/1.1"), 400),
            "a byte beyond ASCII in the target": (self.head(line="GET /v1/ä HTTP/1.1".encode()),
                                                  400),
            "a NUL in the target": (self.head(line=b"GET /v1/\0 HTTP/1.1"), 400),
            "a control byte in the target": (self.head(line=b"GET /v1/\x01 HTTP/1.1"), 400),
            "an asterisk without OPTIONS": (self.head(line=b"GET * HTTP/1.1"), 400),
            "the authority form without CONNECT": (self.head(line=b"GET localhost:80 HTTP/1.1"),
                                                   400),
            "CONNECT": (self.head(line=b"CONNECT localhost:80 HTTP/1.1"), {400, 405, 501}),
            "the absolute form of another scheme":
                (self.head(line=b"GET ftp://localhost/v1/data HTTP/1.1"), 400),
            "the absolute form with user information":
                (self.head(line=b"GET http://a@localhost/v1/data HTTP/1.1"), 400),
            "the absolute form without a host":
                (self.head(line=b"GET http:///v1/data HTTP/1.1"), 400),
            # Paths are decoded once, before any decision.
            "an escape cut short": (self.head(line=b"GET /v1/data/%4 HTTP/1.1"), 400),
            "an escape that is not hexadecimal": (self.head(line=b"GET /v1/data/%GG HTTP/1.1"), 400),
            "an encoded NUL": (self.head(line=b"GET /v1/data/%00 HTTP/1.1"), 400),
            "an encoded slash": (self.head(line=b"GET /v1/data/core%2fSTOCKS HTTP/1.1"), 400),
            "an encoded backslash": (self.head(line=b"GET /v1/data/core%5cSTOCKS HTTP/1.1"), 400),
            "ill-formed UTF-8": (self.head(line=b"GET /v1/data/%ff%fe HTTP/1.1"), 400),
            "overlong UTF-8": (self.head(line=b"GET /v1/data/%c0%af HTTP/1.1"), 400),
        }

    def test_what_rfc_9112_forbids_is_refused_as_plain_text_and_closed(self):
        for name, (data, statuses) in self.table().items():
            with self.subTest(name):
                answer = self.assertRefusedAndClosed(data, statuses)
                self.assertEqual(answer.header("Content-Type"), "text/plain; charset=utf-8")
                self.assertTrue(answer.header(REASON_HEADER))
                self.assertTrue(answer.request_id)
                self.assertEqual(answer.header("Access-Control-Allow-Origin"), "*")
                self.assertNotIn(self.server.publishable, answer.text)

    def test_a_refused_head_never_lets_the_next_request_through(self):
        good = self.head()
        for name, (data, _) in self.table().items():
            with self.subTest(name), self.server.plain.connect() as connection:
                connection.try_send(data + good)
                everything = connection.rest()
                self.assertEqual(self.answers(everything, b"200"), 0, everything[:500])
                self.assertEqual(self.answers(everything), 1, everything[:500])

    def test_the_management_and_the_internal_plane_refuse_them_too(self):
        names = ("length and coding", "two equal lengths", "a plus sign", "an unknown coding",
                 "a folded line", "a space before the colon", "a NUL in a value",
                 "a bare LF after a field", "no Host", "two Hosts", "HTTP/2.0",
                 "an asterisk without OPTIONS")
        table = self.table()
        for endpoint in (self.server.manage, self.server.internal, self.server.data_plane):
            for name in names:
                with self.subTest(name, url=endpoint.url):
                    data, statuses = table[name]
                    answer = self.assertRefusedAndClosed(data, statuses, endpoint)
                    if endpoint.url != self.server.data_plane.url:
                        self.assertIsNone(answer.header("Access-Control-Allow-Origin"))


class BoundsTest(OdditiesCase):
    def test_a_url_up_to_its_bound_is_served_and_one_beyond_is_414(self):
        room = 8 * 1024 - len(self.target) - len("&nonce=")
        self.assertServed(self.head(line=b"GET " + self.target + b"&nonce=" + b"n" * room +
                                    b" HTTP/1.1"))
        answer = self.assertRefusedAndClosed(
            self.head(line=b"GET " + self.target + b"&nonce=" + b"n" * (room + 1) + b" HTTP/1.1"),
            414)
        self.assertEqual(answer.reason, "url_too_long")

    def test_a_url_without_an_end_is_refused_before_it_ends(self):
        answer = self.assertRefusedAndClosed(b"GET /" + b"a" * 64 * 1024, {414, 431})
        self.assertIn(answer.reason, ("url_too_long", "head_too_large"))

    def test_a_head_beyond_its_bound_is_431(self):
        self.assertServed(self.head(b"X-A: " + b"a" * (15 * 1024)))
        answer = self.assertRefusedAndClosed(self.head(b"X-A: " + b"a" * (16 * 1024)), 431)
        self.assertEqual(answer.reason, "head_too_large")

    def test_a_head_without_an_end_is_431(self):
        self.assertRefusedAndClosed(
            self.head()[:-2] + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(64)), 431)

    def test_too_many_fields_are_431(self):
        self.assertServed(self.head(*[b"X-%d: 1" % i for i in range(95)]))
        self.assertRefusedAndClosed(self.head(*[b"X-%d: 1" % i for i in range(120)]), 431)

    def test_a_refusal_reaches_a_client_that_is_still_sending(self):
        # The answer must not be lost to a reset because bytes of the request stay unread.
        with self.server.plain.connect() as connection:
            connection.try_send(self.head(b"X-A: " + b"a" * (1024 * 1024)))
            self.assertEqual(connection.read_answer().status, 431)

    def test_a_json_body_beyond_its_bound_is_413(self):
        answer, _ = self.server.manage.call("POST", "/manage/v1/tokens", self.server.secret,
                                            b'{"nickname":"' + b"a" * (2 * 1024 * 1024) + b'"}')
        self.assertEqual((answer.status, answer.reason), (413, "body_too_large"))


class AllowedTest(OdditiesCase):
    def test_what_rfc_9112_allows_is_served(self):
        get = b"GET " + self.target + b" HTTP/1.1"
        served = {
            "empty lines before the request line": b"\r\n" + self.head(),
            "no blank after the colon": self.head(b"X-A:1"),
            "blanks around a value": self.head(b"X-A:   1 \t "),
            "an empty value": self.head(b"X-A:"),
            "a value beyond ASCII": self.head("X-A: ä".encode()),
            "an unknown field twice": self.head(b"X-A: 1", b"X-A: 2"),
            "field names in any case": self.head(host=b"hOST: localhost"),
            "a Host with a port": self.head(host=b"Host: localhost:1"),
            "a Host that is IPv6": self.head(host=b"Host: [::1]:8443"),
            "a length of zero": self.head(b"Content-Length: 0"),
            "leading zeros in a length": self.head(b"Content-Length: 000"),
            "Content-Type: undefined": self.head(b"Content-Type: undefined"),
            "every character a token may have": self.head(b"!#$%&'*+-.^_`|~0aA: 1"),
            "a reserved character in the query": self.head(
                line=b"GET " + self.target + b"&nonce=a:b@c/d?e!$'()*,; HTTP/1.1"),
            "the absolute form": self.head(
                line=b"GET http://localhost" + self.target + b" HTTP/1.1"),
            "a trailing slash": self.head(
                line=get.replace(b"/AAPL?", b"/AAPL/?")),
            "an encoded letter": self.head(line=get.replace(b"/AAPL?", b"/%41APL?")),
            "dot segments": self.head(line=get.replace(b"/core/", b"/x/../core/./")),
            "empty segments": self.head(line=get.replace(b"/core/", b"//core//")),
        }
        for name, data in served.items():
            with self.subTest(name):
                self.assertServed(data)

    def test_dot_segments_never_leave_the_root(self):
        answer, _ = self.ask(self.head(line=b"GET /../../etc/passwd HTTP/1.1"))
        self.assertIn(answer.status, (400, 401, 404))
        answer, _ = self.ask(self.head(line=b"GET /v1/%2e%2e/%2e%2e/etc/passwd HTTP/1.1"))
        self.assertIn(answer.status, (400, 401, 404))

    def test_a_double_encoding_is_decoded_once(self):
        # %2541 is the text %41, not A: a key that nobody has.
        answer, _ = self.ask(self.head(line=(b"GET " + self.target + b" HTTP/1.1").replace(
            b"/AAPL?", b"/%2541APL?")))
        self.assertEqual((answer.status, answer.body), (200, b"[]"))

    def test_options_asterisk_is_answered(self):
        answer, _ = self.ask(self.head(line=b"OPTIONS * HTTP/1.1"), method="OPTIONS")
        self.assertIn(answer.status, (200, 204))

    def test_an_unknown_method_is_405_or_501_with_allow(self):
        for method in (b"BREW", b"get", b"TRACE", b"M" * 30):
            with self.subTest(method):
                answer, _ = self.ask(self.head(line=method + b" " + self.target + b" HTTP/1.1"))
                self.assertIn((answer.status, answer.reason),
                              ((405, "method_not_allowed"), (501, "not_implemented")))
                if answer.status == 405:
                    self.assertIn("GET", answer.header("Allow"))

    def test_trace_reflects_nothing(self):
        answer, _ = self.ask(self.head(b"X-Private: reflect-me",
                                       line=b"TRACE " + self.target + b" HTTP/1.1"))
        self.assertNotIn(b"reflect-me", answer.body)


class HeadAndVersionsTest(OdditiesCase):
    def test_head_answers_as_get_without_a_body_and_keeps_the_connection(self):
        with self.server.plain.connect() as connection:
            connection.send(self.head())
            got = connection.read_answer()
            connection.send(self.head(line=b"HEAD " + self.target + b" HTTP/1.1"))
            head = connection.read_answer("HEAD")
            connection.send(self.head())
            again = connection.read_answer()
        self.assertEqual((got.status, head.status, again.status), (200, 200, 200))
        self.assertEqual(head.header("Content-Type"), got.header("Content-Type"))
        if head.header("Content-Length") is not None:
            self.assertEqual(head.header("Content-Length"), str(len(got.body)))
        self.assertEqual(again.body, got.body)

    def test_head_of_a_refusal_has_no_body(self):
        with self.server.plain.connect() as connection:
            connection.send(self.head(line=b"HEAD /v1/data/core/STOCKS/AAPL HTTP/1.1"))
            self.assertEqual(connection.read_answer("HEAD").status, 401)
            connection.send(self.head())
            self.assertEqual(connection.read_answer().status, 200)

    def test_http_1_0_is_answered_and_closed(self):
        answer, closed = self.ask(self.head(line=b"GET " + self.target + b" HTTP/1.0"))
        self.assertEqual(answer.status, 200)
        self.assertIsNone(answer.header("Transfer-Encoding"))
        self.assertTrue(closed)

    def test_http_1_0_needs_no_host(self):
        answer, closed = self.ask(self.head(line=b"GET " + self.target + b" HTTP/1.0", host=None))
        self.assertEqual((answer.status, closed), (200, True))

    def test_a_long_answer_to_http_1_0_is_not_chunked(self):
        target = self.target.replace(b"/AAPL?", b"?last=500&")
        answer, closed = self.ask(self.head(line=b"GET " + target + b" HTTP/1.0"))
        self.assertEqual((answer.status, closed), (200, True))
        self.assertIsNone(answer.header("Transfer-Encoding"))
        self.assertGreater(len(answer.json()), 100)

    def test_http_1_0_keep_alive_is_either_confirmed_or_closed(self):
        with self.server.plain.connect() as connection:
            connection.send(self.head(b"Connection: keep-alive",
                                      line=b"GET " + self.target + b" HTTP/1.0"))
            answer = connection.read_answer()
            self.assertEqual(answer.status, 200)
            if answer.closes:
                self.assertTrue(connection.at_end())
            else:
                connection.send(self.head())
                self.assertEqual(connection.read_answer().status, 200)

    def test_connection_close_is_honoured(self):
        for value in (b"close", b"Close", b"x, close", b"close, x"):
            with self.subTest(value):
                answer, closed = self.ask(self.head(b"Connection: " + value))
                self.assertEqual((answer.status, closed), (200, True))


class PipelineTest(OdditiesCase):
    def test_a_hundred_pipelined_requests_get_a_hundred_answers_in_order(self):
        for endpoint in (self.server.plain, self.server.data_plane):
            with self.subTest(endpoint.url), endpoint.connect() as connection:
                keys = [("AAPL", "AMZN", "GOOG", "IBM", "MSFT")[i % 5] for i in range(100)]
                connection.send(b"".join(
                    self.head(line=b"GET " + self.target.replace(b"AAPL", key.encode()) +
                              b" HTTP/1.1") for key in keys))
                for key in keys:
                    answer = connection.read_answer()
                    self.assertEqual(answer.status, 200)
                    self.assertEqual(answer.json()[0]["key"], key)

    def test_refusals_and_answers_may_alternate_on_one_connection(self):
        refused = self.head(line=b"GET /v1/data/core/STOCKS/AAPL HTTP/1.1")
        with self.server.plain.connect() as connection:
            connection.send((self.head() + refused) * 20)
            self.assertEqual([connection.read_answer().status for _ in range(40)], [200, 401] * 20)

    def test_a_malformed_request_ends_the_pipeline_after_the_answers_before_it(self):
        with self.server.plain.connect() as connection:
            connection.send(self.head() * 3 + self.head(b"Content-Length: x") + self.head() * 3)
            self.assertEqual([connection.read_answer().status for _ in range(4)],
                             [200, 200, 200, 400])
            self.assertTrue(connection.at_end())

    def test_a_head_may_be_cut_at_every_byte(self):
        data = self.head(b"Accept: application/json", b"X-A: b")
        with self.server.plain.connect() as connection:
            for cut in range(1, len(data)):
                connection.send(data[:cut])
                connection.send(data[cut:])
                self.assertEqual(connection.read_answer().status, 200, f"cut at {cut}")

    def test_a_head_may_come_byte_by_byte(self):
        for endpoint in (self.server.plain, self.server.data_plane):
            with self.subTest(endpoint.url), endpoint.connect() as connection:
                for _ in range(2):
                    for byte in self.head():
                        connection.send(bytes([byte]))
                    self.assertEqual(connection.read_answer().status, 200)

    def test_requests_may_be_cut_anywhere_within_a_pipeline(self):
        one = self.head()
        data = one * 4
        for cut in range(len(one) - 4, len(one) + 5):
            with self.subTest(cut), self.server.plain.connect() as connection:
                connection.send(data[:cut])
                connection.send(data[cut:])
                self.assertEqual([connection.read_answer().status for _ in range(4)], [200] * 4)

    def test_a_client_that_has_said_all_still_gets_its_answers(self):
        with self.server.plain.connect() as connection:
            connection.send(self.head() * 10)
            connection.half_close()
            self.assertEqual([connection.read_answer().status for _ in range(10)], [200] * 10)
            self.assertTrue(connection.at_end())


class BodyTest(OdditiesCase):
    """Bodies: on the internal plane, where a plan is made of one."""

    number = 0

    def plan_body(self):
        BodyTest.number += 1
        name = f"oddity-{BodyTest.number}"
        return name, (b'{"name":"%s","title":"t","monthly_core_credits":1}' % name.encode())

    def post_head(self, *lines, target=b"/operator/v1/plans"):
        return CRLF.join([b"POST " + target + b" HTTP/1.1",
                          b"Host: " + self.server.internal.host.encode(),
                          b"Authorization: Bearer " + self.server.operator.encode(),
                          b"Content-Type: application/json", *lines]) + CRLF + CRLF

    def chunks(self, *pieces, extension=b"", trailer=b""):
        return b"".join(b"%x%s\r\n%s\r\n" % (len(p), extension, p) for p in pieces) + \
            b"0\r\n" + trailer + b"\r\n"

    def test_a_chunked_body_is_read_whatever_its_cuts(self):
        forms = {
            "one chunk": lambda b: self.chunks(b),
            "a chunk per byte": lambda b: self.chunks(*[b[i:i + 1] for i in range(len(b))]),
            "an extension": lambda b: self.chunks(b, extension=b";name=value"),
            "a quoted extension": lambda b: self.chunks(b, extension=b';name="a;b"'),
            "a trailer": lambda b: self.chunks(b, trailer=b"X-Trailer: 1\r\n"),
            "sizes in upper case with zeros": lambda b: b"000%X\r\n%s\r\n0000\r\n\r\n" % (len(b), b),
        }
        for name, form in forms.items():
            with self.subTest(name), self.server.internal.connect() as connection:
                plan, body = self.plan_body()
                connection.send(self.post_head(b"Transfer-Encoding: chunked") + form(body))
                answer = connection.read_answer()
                self.assertEqual(answer.status, 201, repr(answer))
                self.assertEqual(answer.json()["name"], plan)
                # The connection goes on exactly behind the body.
                plan, body = self.plan_body()
                connection.send(self.post_head(b"Content-Length: %d" % len(body)) + body)
                self.assertEqual(connection.read_answer().json()["name"], plan)

    def test_a_chunked_body_may_be_cut_at_every_byte(self):
        plan, body = self.plan_body()
        head = self.post_head(b"Transfer-Encoding: chunked")
        coded = self.chunks(body[:7], body[7:], trailer=b"A: b\r\n")
        with self.server.internal.connect() as connection:
            connection.send(head)
            for byte in coded:
                connection.send(bytes([byte]))
            answer = connection.read_answer()
            self.assertEqual((answer.status, answer.json()["name"]), (201, plan))

    def test_trailers_change_nothing(self):
        plan, body = self.plan_body()
        head = self.post_head(b"Transfer-Encoding: chunked").replace(
            b"Authorization: Bearer " + self.server.operator.encode() + CRLF, b"")
        trailer = b"Authorization: Bearer " + self.server.operator.encode() + CRLF
        with self.server.internal.connect() as connection:
            connection.send(head + self.chunks(body, trailer=trailer))
            self.assertEqual(connection.read_answer().status, 401)

    def test_a_malformed_chunk_is_refused_and_closed(self):
        _, body = self.plan_body()
        size = b"%x" % len(body)
        malformed = {
            "no hexadecimal": b"xyz\r\n" + body + b"\r\n0\r\n\r\n",
            "a sign": b"+" + size + b"\r\n" + body + b"\r\n0\r\n\r\n",
            "a minus": b"-1\r\n" + body + b"\r\n0\r\n\r\n",
            "0x": b"0x" + size + b"\r\n" + body + b"\r\n0\r\n\r\n",
            "a blank before": b" " + size + b"\r\n" + body + b"\r\n0\r\n\r\n",
            "an empty size": b"\r\n" + body + b"\r\n0\r\n\r\n",
            "a size past 64 bits": b"10000000000000001\r\n" + body + b"\r\n0\r\n\r\n",
            "a size past the bound": b"ffffffffffffff\r\n" + body,
            "no CRLF behind the data": size + b"\r\n" + body + b"0\r\n\r\n",
            "too much data": size + b"\r\n" + body + b"xx\r\n0\r\n\r\n",
            "a bare LF": size + b"\n" + body + b"\n0\n\n",
            "a bare LF behind the data": size + b"\r\n" + body + b"\n0\r\n\r\n",
            "a bare CR": size + b"\r" + body + b"\r0\r\r",
            "a NUL in an extension": size + b";a=\0\r\n" + body + b"\r\n0\r\n\r\n",
            "a bare LF in an extension": size + b";a\nb\r\n" + body + b"\r\n0\r\n\r\n",
            "a line without an end": b"1;" + b"a" * 100_000,
            "a trailer without a colon": size + b"\r\n" + body + b"\r\n0\r\nnonsense\r\n\r\n",
        }
        for name, coded in malformed.items():
            with self.subTest(name), self.server.internal.connect() as connection:
                connection.try_send(self.post_head(b"Transfer-Encoding: chunked") + coded)
                answer = connection.read_answer()
                self.assertIn(answer.status, (400, 413), repr(answer))
                self.assertTrue(answer.closes)
                self.assertTrue(connection.at_end())
        names = [p["name"] for p in self.server.operate("GET", "/plans?page_size=500")[1]["items"]]
        self.assertNotIn(f"oddity-{BodyTest.number}", names, "a malformed body made a plan")

    def test_a_body_that_breaks_off_makes_nothing(self):
        plan, body = self.plan_body()
        for coded in (b"Content-Length: %d\r\n\r\n%s" % (len(body) + 1, body),
                      b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(body), body)):
            with self.server.internal.connect() as connection:
                connection.send(self.post_head()[:-2] + coded)
                connection.half_close()
                rest = connection.rest()
                self.assertNotIn(b" 201 ", rest)
        names = [p["name"] for p in self.server.operate("GET", "/plans?page_size=500")[1]["items"]]
        self.assertNotIn(plan, names)

    def test_100_continue_comes_when_the_body_is_wanted(self):
        plan, body = self.plan_body()
        with self.server.internal.connect() as connection:
            connection.send(self.post_head(b"Expect: 100-continue", b"Content-Length: %d" % len(body)))
            self.assertEqual(connection.read_answer().status, 100)
            connection.send(body)
            answer = connection.read_answer()
            self.assertEqual((answer.status, answer.json()["name"]), (201, plan))

    def test_100_continue_may_not_be_waited_for(self):
        plan, body = self.plan_body()
        with self.server.internal.connect() as connection:
            connection.send(self.post_head(b"Expect: 100-continue", b"Content-Length: %d" % len(body)) +
                            body)
            answer = connection.read_answer()
            if answer.status == 100:
                answer = connection.read_answer()
            self.assertEqual((answer.status, answer.json()["name"]), (201, plan))

    def test_a_refused_request_gets_its_refusal_instead_of_100_continue(self):
        with self.server.internal.connect() as connection:
            connection.send(CRLF.join([
                b"POST /operator/v1/plans HTTP/1.1", b"Host: " + self.server.internal.host.encode(),
                b"Expect: 100-continue", b"Content-Length: 100000000"]) + CRLF + CRLF)
            answer = connection.read_answer()
            self.assertEqual(answer.status, 401)
            self.assertTrue(answer.closes, "nobody knows whether the body will follow")

    def test_another_expectation_is_417(self):
        with self.server.internal.connect() as connection:
            connection.send(self.post_head(b"Expect: tea", b"Content-Length: 2") + b"{}")
            self.assertEqual(connection.read_answer().status, 417)


class SmugglingTest(OdditiesCase):
    """A request hidden in another's body or head is never answered as one of its own."""

    def test_a_request_in_a_body_is_not_a_request(self):
        hidden = self.head()
        for method in (b"GET", b"DELETE", b"POST", b"OPTIONS"):
            carriers = {
                "a length": self.head(b"Content-Length: %d" % len(hidden),
                                      line=method + b" " + self.target + b" HTTP/1.1") + hidden,
                "chunks": self.head(b"Transfer-Encoding: chunked",
                                    line=method + b" " + self.target + b" HTTP/1.1") +
                b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden),
            }
            for name, data in carriers.items():
                with self.subTest(name, method=method), self.server.plain.connect() as connection:
                    connection.send(data)
                    connection.half_close()
                    everything = connection.rest()
                    self.assertEqual(self.answers(everything), 1, everything[:1000])

    def test_ambiguous_lengths_give_at_most_one_answer_and_never_serve(self):
        hidden = self.head()
        tail = b"0\r\n\r\n" + hidden
        fields = [
            [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
            [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
            [b"Content-Length: 5", b"Content-Length: %d" % len(tail)],
            [b"Content-Length: %d" % len(tail), b"Content-Length: 5"],
            [b"Content-Length: 5, %d" % len(tail)],
            [b"Content-Length: +5"],
            [b"Content-Length: 5 \x0b"],
            [b"Content-Length : 5"],
            [b" Content-Length: 5"],
            [b"X: y\nContent-Length: 5"],
            [b"X: y\rContent-Length: 5"],
            [b"X: y\r Content-Length: 5"],
            [b"Content-Length:\n 5"],
            [b"Content-\0Length: 5"],
            [b"Transfer-Encoding : chunked"],
            [b"Transfer-Encoding: \x0bchunked"],
            [b"Transfer-Encoding: chunked\0"],
            [b"Transfer-Encoding: xchunked"],
            [b"Transfer-Encoding:\n chunked"],
            [b"Transfer-Encoding: chunked, identity"],
            [b"Transfer-Encoding: identity, chunked"],
            [b"X: y\nTransfer-Encoding: chunked"],
            [b"Transfer-Encoding: chunked", b"Transfer-Encoding: x"],
            [b"Transfer-Encoding: x", b"Transfer-Encoding: chunked"],
            [b"Transfer_Encoding: chunked", b"Content-Length: 5", b"Content-Length: 5"],
        ]
        for lines in fields:
            for endpoint in (self.server.plain, self.server.data_plane):
                with self.subTest(lines, url=endpoint.url), endpoint.connect() as connection:
                    connection.try_send(self.head(*lines) + tail)
                    everything = connection.rest()
                    self.assertEqual(self.answers(everything), 1, everything[:600])
                    self.assertNotIn(b"HTTP/1.1 200", everything)

    def test_a_header_that_only_looks_like_a_length_hides_nothing(self):
        # Underscores are not dashes; the request has no body and the next one is a request.
        with self.server.plain.connect() as connection:
            connection.send(self.head(b"Content_Length: %d" % len(self.head())) + self.head())
            self.assertEqual([connection.read_answer().status for _ in range(2)], [200, 200])

    def test_a_get_with_a_body_is_read_past(self):
        with self.server.plain.connect() as connection:
            connection.send(self.head(b"Content-Length: 5") + b"hello" + self.head())
            first = connection.read_answer()
            self.assertEqual(first.status, 200)
            if first.closes:
                self.assertTrue(connection.at_end())
            else:
                self.assertEqual(connection.read_answer().status, 200)


if __name__ == "__main__":
    unittest.main()

"""Clients that are slow, silent or too many are closed and counted, and disturb nobody."""

import socket
import time
import unittest

from harness import Connection, ConnectionEnded, ServerCase, seconds, wait_until

# Short limits, stretched with everything else for slow builds.
HEAD, BODY, IDLE, WRITE = (seconds(t) for t in (1.0, 1.0, 2.0, 1.5))


def millis(duration):
    return f'"{int(duration * 1000)}ms"'


class SlowCase(ServerCase):
    config = f"""
[limits]
head_timeout = {millis(HEAD)}
body_timeout = {millis(BODY)}
idle_timeout = {millis(IDLE)}
write_timeout = {millis(WRITE)}
"""

    def get_line(self, target="/v1/data/core/STOCKS/AAPL"):
        return (f"GET {target}?token={self.server.publishable} HTTP/1.1\r\n"
                "Host: localhost\r\n\r\n").encode()

    def closed(self, cause):
        return self.server.metric("latchkey_connections_closed_total", cause=cause)

    def until_end(self, connection, limit):
        """Reads to the end of the connection; the seconds that took and what came."""
        begin = time.monotonic()
        data = connection.rest(timeout=limit * 4 + 5)
        return time.monotonic() - begin, data


class SlowSendersTest(SlowCase):
    def test_a_head_that_does_not_end_is_408_closed_and_counted(self):
        for endpoint in (self.server.plain, self.server.data_plane, self.server.internal):
            with self.subTest(endpoint.url):
                before = self.closed("head_timeout")
                with endpoint.connect() as connection:
                    connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
                    took, data = self.until_end(connection, HEAD)
                self.assertIn(b" 408 ", data.split(b"\r\n")[0] + b" ")
                self.assertGreater(took, HEAD * 0.5)
                self.assertLess(took, HEAD * 3 + 2)
                wait_until("the count", lambda b=before: self.closed("head_timeout") > b)

    def test_a_head_that_drips_does_not_win_time(self):
        with self.server.plain.connect() as connection:
            begin = time.monotonic()
            connection.socket.settimeout(0.02)
            connection.try_send(b"GET / HTTP/1.1\r\n")
            while time.monotonic() - begin < HEAD * 5 + 5:
                if not connection.try_send(b"X-A: 1\r\n"):
                    break
                try:
                    if not connection.socket.recv(4096):
                        break
                except (socket.timeout, TimeoutError):
                    continue
                except ConnectionError:
                    break
            self.assertLess(time.monotonic() - begin, HEAD * 3 + 2)

    def test_a_connection_that_says_nothing_is_closed(self):
        with self.server.plain.connect() as connection:
            took, _ = self.until_end(connection, HEAD)
            self.assertLess(took, HEAD * 3 + 2)

    def test_a_tls_handshake_that_does_not_end_is_closed(self):
        for sent in (b"", b"\x16\x03\x01\x02\x00\x01\x00"):
            with Connection(self.server.data_plane.address) as connection:
                connection.send(sent)
                took, _ = self.until_end(connection, HEAD)
                self.assertLess(took, HEAD * 3 + 2)

    def test_a_body_that_stops_is_408_closed_and_counted(self):
        before = self.closed("body_timeout")
        with self.server.internal.connect() as connection:
            connection.send((f"POST /operator/v1/plans HTTP/1.1\r\nHost: {self.server.internal.host}"
                             f"\r\nAuthorization: Bearer {self.server.operator}\r\n"
                             "Content-Type: application/json\r\n"
                             "Content-Length: 100\r\n\r\n{").encode())
            took, data = self.until_end(connection, BODY)
        self.assertIn(b" 408 ", data.split(b"\r\n")[0] + b" ")
        self.assertLess(took, BODY * 3 + 2)
        wait_until("the count", lambda: self.closed("body_timeout") > before)

    def test_an_idle_connection_is_closed_without_a_word_and_counted(self):
        before = self.closed("idle")
        for endpoint in (self.server.plain, self.server.data_plane):
            with self.subTest(endpoint.url), endpoint.connect() as connection:
                connection.send(self.get_line())
                self.assertEqual(connection.read_answer().status, 200)
                took, data = self.until_end(connection, IDLE)
                self.assertEqual(data, b"")
                self.assertGreater(took, IDLE * 0.5)
                self.assertLess(took, IDLE * 3 + 2)
        wait_until("the count", lambda: self.closed("idle") >= before + 2)

    def test_a_connection_in_use_is_not_idle(self):
        with self.server.plain.connect() as connection:
            end = time.monotonic() + IDLE * 2
            while time.monotonic() < end:
                connection.send(self.get_line())
                self.assertEqual(connection.read_answer().status, 200)
                time.sleep(IDLE / 8)  # the test's own rhythm, not a wait for the server

    def test_a_half_open_connection_is_closed(self):
        # The peer has said that it will send nothing more, in the middle of a head.
        with self.server.plain.connect() as connection:
            connection.send(b"GET / HTTP/1.1\r\n")
            connection.half_close()
            took, _ = self.until_end(connection, HEAD)
            self.assertLess(took, HEAD * 3 + 2)
        # And at once without a byte.
        with self.server.plain.connect() as connection:
            connection.half_close()
            self.assertTrue(connection.at_end())


class SlowReadersTest(SlowCase):
    def test_a_peer_that_does_not_read_is_closed_and_counted(self):
        before = self.closed("write_timeout")
        for endpoint in (self.server.plain, self.server.data_plane):
            with self.subTest(endpoint.url), endpoint.connect() as connection:
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                line = self.get_line("/v1/data/core/STOCKS").replace(b"?", b"?last=500&")
                connection.socket.settimeout(seconds(0.2))
                begin = time.monotonic()
                # More answers than any buffer holds.
                for _ in range(2000):
                    try:
                        connection.socket.sendall(line)
                    except OSError:
                        break
                wait_until("the count", lambda b=before: self.closed("write_timeout") > b,
                           WRITE * 4 + 5)
                self.assertLess(time.monotonic() - begin, WRITE * 4 + 5)
                before = self.closed("write_timeout")

    def test_a_peer_that_reads_slowly_but_steadily_gets_everything(self):
        with self.server.plain.connect() as connection:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            # More than any buffer holds, over more than the write timeout.
            wanted = 150
            line = self.get_line("/v1/data/core/STOCKS").replace(b"?", b"?last=500&")
            connection.send(line * wanted)
            for _ in range(wanted):
                self.assertEqual(connection.read_answer().status, 200)
                time.sleep(WRITE * 2 / wanted)  # a slow reader's pace

    def test_others_are_served_meanwhile(self):
        slow = [self.server.plain.connect() for _ in range(50)]
        try:
            for connection in slow:
                connection.send(b"GET / HTTP/1.1\r\nHost: ")
            begin = time.monotonic()
            with self.server.plain.connect() as connection:
                for _ in range(100):
                    connection.send(self.get_line())
                    self.assertEqual(connection.read_answer().status, 200)
            self.assertLess(time.monotonic() - begin, seconds(5))
        finally:
            for connection in slow:
                connection.close()


class ConnectionLimitsTest(ServerCase):
    config = """
[limits]
connections = 40
connections_per_address = 20
"""

    def rejected(self):
        return self.server.metric("latchkey_connections_rejected_total")

    def served(self, connection):
        line = (f"GET /v1/data/core/STOCKS/AAPL?token={self.server.publishable} HTTP/1.1\r\n"
                "Host: localhost\r\n\r\n").encode()
        if not connection.try_send(line):
            return False
        try:
            return connection.read_answer().status == 200
        except (ConnectionEnded, OSError):
            return False

    def connect_from(self, source):
        raw = socket.create_connection(self.server.plain.address, timeout=seconds(10),
                                       source_address=(source, 0))
        connection = Connection.__new__(Connection)
        connection.socket, connection.buffer = raw, b""
        return connection

    def test_one_address_has_at_most_its_share_and_others_go_on(self):
        before = self.rejected()
        held = [self.connect_from("127.0.0.1") for _ in range(35)]
        try:
            served = sum(self.served(c) for c in held)
            self.assertEqual(served, 20)
            other = self.connect_from("127.0.0.2")
            held.append(other)
            self.assertTrue(self.served(other), "another address was shut out")
            wait_until("the count", lambda: self.rejected() >= before + 15)
        finally:
            for connection in held:
                connection.close()
        # What was given back can be taken again.
        wait_until("a free place", lambda: self.try_one("127.0.0.1"))

    def test_all_addresses_together_have_at_most_the_total(self):
        held = []
        try:
            served = 0
            for last in range(10, 16):
                for _ in range(15):
                    connection = self.connect_from(f"127.0.0.{last}")
                    held.append(connection)
                    served += self.served(connection)
            self.assertEqual(served, 40)
        finally:
            for connection in held:
                connection.close()
        wait_until("a free place", lambda: self.try_one("127.0.0.1"))

    def try_one(self, source):
        connection = self.connect_from(source)
        try:
            return self.served(connection)
        finally:
            connection.close()


if __name__ == "__main__":
    unittest.main()

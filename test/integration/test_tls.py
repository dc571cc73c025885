"""Certificates by SNI, protocol versions, resumption, and new certificates without losing anyone."""

import os
import re
import signal
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from harness import (Authority, Case, Connection, Server, ServerCase, clean_environment,
                     openssl, peer_names, seconds, wait_until)


def pair(chain, key):
    return f'[[certificates]]\nchain = "{chain}"\nkey = "{key}"\n'


class CertificatesCase(Case):
    """A server with certificates: one.test (RSA and ECDSA), *.wild.test, localhost as the default."""

    @classmethod
    def setUpClass(cls):
        cls.certificates = tempfile.mkdtemp(prefix="latchkey-test-")
        cls.authority = Authority(cls.certificates)
        cls.default = cls.authority.issue("default", ["localhost", "127.0.0.1"])
        cls.one_rsa = cls.authority.issue("one-rsa", ["one.test"], "rsa")
        cls.one_ec = cls.authority.issue("one-ec", ["one.test"])
        cls.wild = cls.authority.issue("wild", ["*.wild.test"])
        cls.exact = cls.authority.issue("exact", ["exact.wild.test"])
        cls.server = Server(demo=True, config="".join(
            pair(*p) for p in (cls.default, cls.one_rsa, cls.one_ec, cls.wild, cls.exact)))
        try:
            cls.server.start()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.server.destroy()
        shutil.rmtree(cls.certificates, ignore_errors=True)

    def context(self):
        context = ssl.create_default_context(cafile=str(self.authority.file))
        context.set_alpn_protocols(["http/1.1"])
        return context

    def connect(self, name="localhost", context=None, port="data_plane"):
        return Connection(getattr(self.server, port).address, context or self.context(), name)

    def client(self, *arguments, input=b""):
        host, port = self.server.data_plane.address
        return subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", "-CAfile",
                               str(self.authority.file), *arguments], input=input,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=seconds(20), env=clean_environment()).stdout.decode(
                                  errors="replace")


class ServerNamesTest(CertificatesCase):
    def test_the_certificate_is_chosen_by_exact_name_then_wildcard(self):
        for name, wanted in {"one.test": ["one.test"], "ONE.test": ["one.test"],
                             "a.wild.test": ["*.wild.test"],
                             "exact.wild.test": ["exact.wild.test"],
                             "localhost": ["127.0.0.1", "localhost"]}.items():
            for port in ("data_plane", "manage"):
                with self.subTest(name, port=port), self.connect(name, port=port) as connection:
                    self.assertEqual(peer_names(connection), wanted)

    def test_unknown_names_and_none_get_the_default(self):
        context = self.context()
        context.check_hostname = False
        for name in ("unknown.test", "a.b.wild.test", "wild.test", None):
            with self.subTest(name), self.connect(name, context) as connection:
                self.assertEqual(peer_names(connection), ["127.0.0.1", "localhost"])

    def test_rsa_and_ecdsa_stand_side_by_side(self):
        for algorithm, wanted in (("RSA+SHA256:rsa_pss_rsae_sha256", "rsaEncryption"),
                                  ("ECDSA+SHA256", "id-ecPublicKey")):
            for version in ("-tls1_2", "-tls1_3"):
                with self.subTest(algorithm, version=version):
                    output = self.client("-servername", "one.test", "-sigalgs", algorithm, version)
                    pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----",
                                    output, re.S)
                    self.assertIsNotNone(pem, output)
                    text = openssl("x509", "-noout", "-text", input=pem[0].encode()).decode()
                    self.assertIn(f"Public Key Algorithm: {wanted}", text)

    def test_real_certificates_bring_hsts_and_only_over_tls(self):
        target = f"/v1/data/core/STOCKS/AAPL?token={self.server.publishable}"
        with self.connect() as connection:
            answer = connection.request("GET", target)
        self.assertRegex(answer.header("Strict-Transport-Security") or "", r"max-age=\d{5,}")
        self.assertIsNone(self.server.plain.get(target).header("Strict-Transport-Security"))

    def test_days_to_expiry_are_a_metric(self):
        values = [v for (n, _), v in self.server.metrics().items()
                  if "certificate" in n and "expir" in n]
        self.assertTrue(values)


class ProtocolTest(CertificatesCase):
    def test_tls_1_2_and_1_3_are_spoken(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context()
            context.minimum_version = context.maximum_version = version
            with self.connect(context=context) as connection:
                self.assertEqual(connection.socket.version(),
                                 {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name])
                self.assertEqual(connection.request("GET", "/").status, 404)

    def test_tls_1_1_and_older_are_refused(self):
        for version in ("-tls1_1", "-tls1"):
            output = self.client(version, "-cipher", "DEFAULT@SECLEVEL=0")
            self.assertNotRegex(output, r"Verification: OK[\s\S]*Cipher is (?!\(NONE\))")
            self.assertIn("Cipher is (NONE)", output)

    def test_alpn_chooses_http_1_1(self):
        for offered, wanted in ((["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1")):
            context = self.context()
            context.set_alpn_protocols(offered)
            with self.connect(context=context) as connection:
                self.assertEqual(connection.socket.selected_alpn_protocol(), wanted)

    def test_a_client_without_alpn_is_served(self):
        context = ssl.create_default_context(cafile=str(self.authority.file))
        with self.connect(context=context) as connection:
            self.assertEqual(connection.request("GET", "/").status, 404)

    def test_plain_http_on_the_tls_port_harms_nothing(self):
        with Connection(self.server.data_plane.address) as connection:
            connection.try_send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertNotIn(b" 200 ", connection.rest())
        with self.connect() as connection:
            self.assertEqual(connection.request("GET", "/").status, 404)

    def test_sessions_are_resumed(self):
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version):
                session = os.path.join(self.certificates, f"session{version}")
                request = (b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                # -ign_eof: stay until the server closes, so that a TLS 1.3 ticket arrives.
                first = self.client("-servername", "localhost", version, "-ign_eof",
                                    "-sess_out", session, input=request)
                self.assertIn("New, ", first)
                second = self.client("-servername", "localhost", version, "-ign_eof",
                                     "-sess_in", session, input=request)
                self.assertIn("Reused, ", second)


class ReloadTest(Case):
    def setUp(self):
        self.certificates = self.folder()
        self.authority = Authority(self.certificates)
        self.chain, self.key = self.authority.issue("live", ["localhost", "127.0.0.1", "old.test"])
        self.server = self.start(demo=True, config=pair(self.chain, self.key))

    def names(self):
        context = ssl.create_default_context(cafile=str(self.authority.file))
        with Connection(self.server.data_plane.address, context, "localhost") as connection:
            return peer_names(connection)

    def put(self, chain, key):
        """Puts new files in place as certbot does: the names then mean the new ones."""
        for source, target in ((chain, self.chain), (key, self.key)):
            shutil.copy(source, f"{target}.new")
            os.chmod(f"{target}.new", 0o600)
        os.rename(f"{self.key}.new", self.key)
        os.rename(f"{self.chain}.new", self.chain)

    def test_new_files_are_taken_over_under_load_without_one_failed_request(self):
        target = f"/v1/data/core/STOCKS/AAPL?token={self.server.publishable}"
        context = ssl.create_default_context(cafile=str(self.authority.file))
        stop = threading.Event()
        failures, counts = [], []

        def keep_alive():
            count = 0
            try:
                with Connection(self.server.data_plane.address, context, "localhost") as c:
                    while not stop.is_set():
                        answer = c.request("GET", target)
                        if answer.status != 200:
                            raise AssertionError(repr(answer))
                        count += 1
                        time.sleep(0.001)
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)
            counts.append(count)

        def reconnect():
            count = 0
            while not stop.is_set():
                try:
                    with Connection(self.server.data_plane.address, context, "localhost") as c:
                        if c.request("GET", target).status != 200:
                            raise AssertionError("not 200")
                    count += 1
                except Exception as error:  # pylint: disable=broad-except
                    failures.append(error)
            counts.append(count)

        threads = [threading.Thread(target=t) for t in (keep_alive, keep_alive, reconnect, reconnect)]
        for thread in threads:
            thread.start()
        try:
            for round_number in range(3):
                name = f"round-{round_number}.test"
                self.put(*self.authority.issue(f"new-{round_number}",
                                               ["localhost", "127.0.0.1", name]))
                if round_number % 2 == 0:  # else the changed file is noticed without a signal
                    self.server.signal(signal.SIGHUP)
                wait_until(f"the certificate of {name}", lambda n=name: n in self.names(), 30)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertTrue(all(counts), counts)

    def test_a_broken_new_file_keeps_the_old_one_and_says_so(self):
        def failures():
            return sum(v for (n, _), v in self.server.metrics().items()
                       if "certificate" in n and "fail" in n)
        other_key = self.authority.issue("other", ["localhost"])[1]
        good_chain, good_key = self.chain.read_bytes(), self.key.read_bytes()
        broken = self.folder()
        (broken / "nonsense").write_text("this is no certificate")
        (broken / "empty").write_text("")
        (broken / "key").write_bytes(good_key)
        (broken / "chain").write_bytes(good_chain)
        for chain, key in ((broken / "nonsense", broken / "key"), (broken / "empty", broken / "key"),
                           (broken / "chain", other_key), (broken / "chain", broken / "nonsense")):
            with self.subTest(chain=chain.name, key=key.name):
                before, said = failures(), len(self.server.log())
                self.put(chain, key)
                self.server.signal(signal.SIGHUP)
                wait_until("the count", lambda b=before: failures() > b, 20)
                self.assertIn("old.test", self.names())
                self.assertIn(str(self.folder_of_certificates()), self.server.log()[said:])
        # A good pair afterwards is taken.
        self.put(*self.authority.issue("again", ["localhost", "again.test"]))
        self.server.signal(signal.SIGHUP)
        wait_until("the new certificate", lambda: "again.test" in self.names(), 20)

    def folder_of_certificates(self):
        return self.certificates

    def test_a_missing_new_file_keeps_the_old_one(self):
        os.unlink(self.chain)
        self.server.signal(signal.SIGHUP)
        self.assertIn("old.test", self.names())
        self.put(*self.authority.issue("back", ["localhost", "back.test"]))
        self.server.signal(signal.SIGHUP)
        wait_until("the new certificate", lambda: "back.test" in self.names(), 20)


class DevelopmentCertificateTest(ServerCase):
    def test_it_is_valid_for_localhost_and_the_loopback_addresses(self):
        for name in ("localhost", "127.0.0.1"):
            with self.server.data_plane.connect(server_name=name) as connection:
                self.assertEqual(connection.request("GET", "/").status, 404)
                self.assertEqual(peer_names(connection),
                                 sorted(["localhost", "127.0.0.1", "0:0:0:0:0:0:0:1"]))

    def test_it_brings_no_hsts(self):
        target = f"/v1/data/core/STOCKS/AAPL?token={self.server.publishable}"
        for endpoint in (self.server.data_plane, self.server.manage):
            self.assertIsNone(endpoint.get(target).header("Strict-Transport-Security"))

    def test_its_authority_is_constrained_and_its_key_thrown_away(self):
        text = openssl("x509", "-in", self.server.ready["ca_file"], "-noout", "-text").decode()
        self.assertIn("Name Constraints: critical", text)
        self.assertIn("localhost", text)
        keys = [p for p in self.server.data.rglob("*")
                if p.is_file() and b"PRIVATE KEY" in p.read_bytes()]
        self.assertEqual(len(keys), 1, keys)
        authority = openssl("x509", "-in", self.server.ready["ca_file"], "-noout", "-pubkey")
        self.assertNotEqual(authority, openssl("pkey", "-in", keys[0], "-pubout"))

    def test_it_stays_the_same_after_a_restart(self):
        before = open(self.server.ready["ca_file"], "rb").read()
        self.assertEqual(self.server.terminate(), 0)
        self.server.start()
        self.assertEqual(open(self.server.ready["ca_file"], "rb").read(), before)
        self.assertEqual(self.server.data_plane.get("/").status, 404)


if __name__ == "__main__":
    unittest.main()

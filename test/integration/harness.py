"""Starts the real latchkey binary and talks to it, byte by byte where that matters.

Everything goes through what a user has: the command line, the ready file, the listeners, the data
folder. Nothing sleeps for a fixed time: waiting is polling with a deadline, and LATCHKEY_TEST_SLOW
multiplies every deadline (LATCHKEY_SANITIZED, set for sanitizer builds, does so by five).

LATCHKEY_BIN names the binary; the default is build/latchkey of this checkout.
"""

import base64
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("LATCHKEY_BIN", ROOT / "build" / "latchkey")).resolve()
SANITIZED = bool(os.environ.get("LATCHKEY_SANITIZED"))
SLOW = float(os.environ.get("LATCHKEY_TEST_SLOW", "5" if SANITIZED else "1"))

TOKEN_TEXT = re.compile(r"(T?[ps]k_[0-9A-Za-z]{36}|op_[0-9A-Za-z]{43})")
SECRET_TEXT = re.compile(r"(T?sk_[0-9A-Za-z]{36}|op_[0-9A-Za-z]{43})")
REQUEST_ID_HEADER = "Latchkey-Request-Id"
REASON_HEADER = "Latchkey-Reason"
# What a sanitizer or an assertion leaves on stderr.
CRASH_MARKS = ("AddressSanitizer", "ThreadSanitizer", "LeakSanitizer", "runtime error:",
               "Assertion", "terminate called")


def seconds(n):
    """n seconds, stretched for slow builds."""
    return n * SLOW


def wait_until(what, predicate, timeout=10.0, interval=0.01):
    """Polls until predicate() is true and returns its value; fails naming `what`."""
    end = time.monotonic() + seconds(timeout)
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds(timeout):.0f} s in vain for {what}")
        time.sleep(interval)


def clean_environment(extra=None):
    """The environment without anything that would steer latchkey."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("LATCHKEY_")}
    env.pop("http_proxy", None)
    env.pop("https_proxy", None)
    env.pop("HTTP_PROXY", None)
    env.pop("HTTPS_PROXY", None)
    env["TZ"] = "America/New_York"  # whatever the machine's zone is, answers are in UTC
    if extra:
        env.update(extra)
    return env


def run(*arguments, env=None, timeout=60, input=None, cwd=None, preexec_fn=None):
    """Runs the latchkey command to its end."""
    return subprocess.run([str(BINARY), *map(str, arguments)], env=clean_environment(env),
                          timeout=seconds(timeout), input=input, cwd=cwd, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=preexec_fn)


class Answer:
    """One HTTP answer as it came."""

    def __init__(self, status, reason_phrase, version, headers, body, raw_head):
        self.status = status
        self.reason_phrase = reason_phrase
        self.version = version
        self.headers = headers  # [(name, value)]
        self.body = body
        self.raw_head = raw_head

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        if len(values) > 1:
            raise AssertionError(f"{name} came {len(values)} times: {values}")
        return values[0] if values else None

    @property
    def reason(self):
        return self.header(REASON_HEADER)

    @property
    def request_id(self):
        return self.header(REQUEST_ID_HEADER)

    @property
    def text(self):
        return self.body.decode("utf-8")

    def json(self):
        return json.loads(self.body)

    @property
    def closes(self):
        tokens = [t.strip().lower() for v in self.all("Connection") for t in v.split(",")]
        return "close" in tokens or (self.version == "HTTP/1.0" and "keep-alive" not in tokens)

    def __repr__(self):
        return f"<{self.status} {self.reason or ''} {self.body[:200]!r}>"


class ConnectionEnded(AssertionError):
    """The peer closed (or reset) before a whole answer came."""


class Connection:
    """A client connection that sends exactly the bytes it is told to."""

    def __init__(self, address, context=None, server_name=None, timeout=20.0):
        self.socket = socket.create_connection(address, timeout=seconds(timeout))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            try:
                self.socket = context.wrap_socket(self.socket, server_hostname=server_name)
            except BaseException:
                self.socket.close()
                raise
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def try_send(self, data):
        """Sends; false if the peer has already closed."""
        try:
            self.socket.sendall(data)
            return True
        except (ConnectionError, ssl.SSLError, OSError):
            return False

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def _more(self):
        """Reads once; false at the end."""
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return False
        if not data:
            return False
        self.buffer += data
        return True

    def _until(self, mark):
        while mark not in self.buffer:
            if not self._more():
                raise ConnectionEnded(f"the connection ended after {self.buffer[:300]!r}")
        taken, self.buffer = self.buffer.split(mark, 1)
        return taken

    def _exactly(self, count):
        while len(self.buffer) < count:
            if not self._more():
                raise ConnectionEnded(f"the connection ended {count - len(self.buffer)} bytes early")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def read_answer(self, method="GET"):
        """One answer; 1xx answers come as they are, without a body."""
        head = self._until(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        match = re.fullmatch(rb"(HTTP/1\.[01]) (\d{3}) ?([^\r\n]*)", lines[0])
        if not match:
            raise AssertionError(f"not a status line: {lines[0]!r}")
        status = int(match[2])
        headers = []
        for line in lines[1:]:
            if b"\n" in line or b"\r" in line or b"\0" in line:
                raise AssertionError(f"control bytes in a field: {line!r}")
            name, colon, value = line.partition(b":")
            if not colon or not re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
                raise AssertionError(f"not a field: {line!r}")
            headers.append((name.decode("ascii"), value.strip(b" \t").decode("utf-8")))
        answer = Answer(status, match[3].decode(), match[1].decode(), headers, b"", head)
        coding = answer.header("Transfer-Encoding")
        length = answer.header("Content-Length")
        if coding is not None and length is not None:
            raise AssertionError("the answer has both Content-Length and Transfer-Encoding")
        if method == "HEAD" or status < 200 or status in (204, 304):
            return answer
        if coding is not None:
            answer.body = self._chunked()
        elif length is not None:
            answer.body = self._exactly(int(length))
        else:
            while self._more():
                pass
            answer.body, self.buffer = self.buffer, b""
        return answer

    def _chunked(self):
        body = b""
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                while self._until(b"\r\n"):
                    pass
                return body
            body += self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise AssertionError("a chunk without its CRLF")

    def request(self, method, target, headers=(), body=None, host="localhost"):
        self.send(format_request(method, target, headers, body, host))
        return self.read_answer(method)

    def at_end(self, timeout=5.0):
        """True if the peer closes within the timeout without sending another byte."""
        if self.buffer:
            return False
        self.socket.settimeout(seconds(timeout))
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return True
        except (TimeoutError, socket.timeout):
            return False
        self.buffer += data
        return not data

    def rest(self, timeout=5.0):
        """Everything until the peer closes; fails if it does not."""
        self.socket.settimeout(seconds(timeout))
        while self._more():
            pass
        taken, self.buffer = self.buffer, b""
        return taken


def format_request(method, target, headers=(), body=None, host="localhost"):
    """A plain HTTP/1.1 request as bytes."""
    if isinstance(headers, dict):
        headers = headers.items()
    lines = [f"{method} {target} HTTP/1.1"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{n}: {v}" for n, v in headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + (body or b"")


def basic(user, password=""):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Endpoint:
    """One listener of a running server."""

    def __init__(self, url, ca_file=None):
        self.url = url
        parts = urllib.parse.urlsplit(url)
        self.tls = parts.scheme == "https"
        self.address = (parts.hostname, parts.port)
        self.host = f"{parts.hostname}:{parts.port}"
        self.context = None
        if self.tls:
            self.context = ssl.create_default_context(cafile=ca_file)
            self.context.set_alpn_protocols(["http/1.1"])

    def connect(self, server_name=None, context=None, timeout=20.0):
        if not self.tls:
            return Connection(self.address, timeout=timeout)
        return Connection(self.address, context or self.context, server_name or self.address[0],
                          timeout=timeout)

    def request(self, method, target, headers=(), body=None, host=None):
        with self.connect() as connection:
            return connection.request(method, target, headers, body, host or self.host)

    def get(self, target, headers=()):
        return self.request("GET", target, headers)

    def call(self, method, target, token=None, body=None, headers=()):
        """A JSON call with a bearer token: (answer, parsed body or None)."""
        fields = dict(headers)
        data = None
        if token is not None:
            fields["Authorization"] = f"Bearer {token}"
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            fields.setdefault("Content-Type", "application/json")
        answer = self.request(method, target, fields, data)
        parsed = None
        if answer.body and "json" in (answer.header("Content-Type") or ""):
            parsed = answer.json()
        return answer, parsed


class StartFailed(AssertionError):
    """The server ended before it was ready."""

    def __init__(self, returncode, log):
        super().__init__(f"latchkey serve ended with {returncode}:\n{log[-4000:]}")
        self.returncode = returncode
        self.log = log


class Server:
    """A running `latchkey serve`, in a folder of its own below a temporary one."""

    def __init__(self, demo=False, config=None, data=None, arguments=(), env=None, threads=2,
                 https_port=0, preexec_fn=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="latchkey-test-"))
        self.data = pathlib.Path(data) if data else self.folder / "data"
        self.ready_file = self.folder / "ready.json"
        self.log_file = self.folder / "stderr.log"
        self.out_file = self.folder / "stdout.log"
        self.config_file = None
        if config is not None:
            self.config_file = self.folder / "latchkey.toml"
            self.config_file.write_text(config)
        self.demo = demo
        self.arguments = list(arguments)
        self.env = env
        self.threads = threads
        self.https_port = https_port
        self.preexec_fn = preexec_fn
        self.process = None
        self.ready = {}

    # Life.

    def command(self):
        line = [str(BINARY), "serve", "--data", str(self.data), "--ready-file",
                str(self.ready_file), "--listen", "127.0.0.1", "--https-port", str(self.https_port),
                "--manage-port", "0", "--internal-port", "0", "--http-port", "0",
                "--threads", str(self.threads)]
        if self.config_file:
            line += ["--config", str(self.config_file)]
        if self.demo:
            line += ["--demo"]
        return line + self.arguments

    def launch(self, keep_ready_file=False):
        """Starts the process without waiting for it."""
        if not keep_ready_file:
            self.ready_file.unlink(missing_ok=True)
        with open(self.log_file, "ab") as log, open(self.out_file, "ab") as out:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=log, env=clean_environment(self.env),
                                            cwd=self.folder, preexec_fn=self.preexec_fn)
        return self

    def wait_ready(self, timeout=30.0):
        end = time.monotonic() + seconds(timeout)
        while not self.ready_file.exists():
            code = self.process.poll()
            if code is not None:
                raise StartFailed(code, self.log())
            if time.monotonic() > end:
                self.kill()
                raise AssertionError(f"not ready in {seconds(timeout):.0f} s:\n{self.log()[-4000:]}")
            time.sleep(0.005)
        self.ready = json.loads(self.ready_file.read_text())
        return self

    def start(self):
        return self.launch().wait_ready()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=20.0):
        return self.process.wait(seconds(timeout))

    def terminate(self, timeout=20.0):
        """SIGTERM; the exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"SIGTERM did not end the server:\n{self.log()[-4000:]}") from None

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def restart(self):
        self.terminate()
        return self.start()

    def destroy(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.destroy()

    # What it says.

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def output(self):
        return self.out_file.read_text(errors="replace") if self.out_file.exists() else ""

    def log_objects(self):
        """The lines of stderr that are JSON objects."""
        found = []
        for line in self.log().splitlines():
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, dict):
                    found.append(value)
        return found

    def memory_peak_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])

    # Where it is.

    @property
    def data_plane(self):
        return Endpoint(self.ready["url"], self.ready.get("ca_file"))

    @property
    def plain(self):
        return Endpoint(self.ready["http_url"])

    @property
    def manage(self):
        return Endpoint(self.ready["manage_url"], self.ready.get("ca_file"))

    @property
    def internal(self):
        return Endpoint(self.ready["internal_url"])

    @property
    def publishable(self):
        return self.ready["publishable_token"]

    @property
    def secret(self):
        return self.ready["secret_token"]

    @property
    def operator(self):
        return pathlib.Path(self.ready["operator_token_file"]).read_text().strip()

    def metrics(self):
        """{(name, frozenset of labels): value} of /metrics."""
        answer = self.internal.get("/metrics")
        if answer.status != 200:
            raise AssertionError(f"/metrics answered {answer!r}")
        found = {}
        for line in answer.text.splitlines():
            match = re.fullmatch(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?", line)
            if match:
                labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or "")
                found[match[1], frozenset(labels)] = float(match[3])
        return found

    def metric(self, name, **labels):
        """The sum of the metric over all label sets that hold these labels."""
        wanted = set(labels.items())
        return sum(v for (n, ls), v in self.metrics().items() if n == name and wanted <= ls)

    # What an operator does.

    def cli(self, *arguments, **options):
        """A latchkey command against this server's data folder."""
        return run(*arguments, "--data", self.data, **options)

    def operate(self, method, target, body=None, headers=()):
        return self.internal.call(method, f"/operator/v1{target}", self.operator, body, headers)

    def make_plan(self, name="basic", **settings):
        body = {"name": name, "title": name, "monthly_core_credits": 1_000_000,
                "pay_as_you_go": False, "premium_data": False, **settings}
        answer, plan = self.operate("POST", "/plans", body)
        if answer.status != 201:
            raise AssertionError(f"POST plans answered {answer!r}")
        return plan

    def make_account(self, workspace, plan="basic", **settings):
        """The account as its creation answers it; its first tokens as secret_token and
        publishable_token."""
        body = {"workspace": workspace, "plan": plan, **settings}
        answer, account = self.operate("POST", "/accounts", body)
        if answer.status != 201:
            raise AssertionError(f"POST accounts answered {answer!r}")
        for token in account["tokens"]:
            account[f"{token['kind']}_token"] = token
        return account

    def import_csv(self, dataset, text, *arguments, key=None, date=None, ok=True, **options):
        """`latchkey dataset import` of this text; the finished process."""
        file = self.folder / "import.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        line = ["dataset", "import", file, "--dataset", dataset]
        if key:
            line += ["--key", key]
        if date:
            line += ["--date", date]
        done = self.cli(*line, *arguments, **options)
        if ok and done.returncode != 0:
            raise AssertionError(f"dataset import ended with {done.returncode}: {done.stderr}")
        return done

    def catalogue(self, workspace, token=None):
        answer = self.data_plane.get(f"/v1/data/{workspace}?token={token or self.secret}")
        if answer.status != 200:
            raise AssertionError(f"the catalogue answered {answer!r}")
        return answer.json()

    def first_dataset(self, workspace):
        return self.catalogue(workspace)[0]["id"]

    def make_token(self, secret=None, **settings):
        """POST /manage/v1/tokens: (token object with its text, ETag)."""
        body = {"kind": "publishable", "nickname": "made by a test", **settings}
        answer, token = self.manage.call("POST", "/manage/v1/tokens", secret or self.secret, body)
        if answer.status != 201:
            raise AssertionError(f"POST tokens answered {answer!r}")
        return token, answer.header("ETag")


class Case(unittest.TestCase):
    """A test that keeps what a failing server said."""

    longMessage = True

    def start(self, **options):
        """A server of this test's own, gone with it."""
        server = Server(**options)
        self.addCleanup(self.finish, server)
        return server.start()

    def finish(self, server):
        log = server.log()
        server.destroy()
        for mark in CRASH_MARKS:
            self.assertNotIn(mark, log)

    def folder(self):
        path = pathlib.Path(tempfile.mkdtemp(prefix="latchkey-test-"))
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    # A refusal of the data plane (wire.md §2), as text.
    def assertRefused(self, answer, status, reason, sentence=None):
        self.assertEqual((answer.status, answer.reason), (status, reason), repr(answer))
        self.assertTrue(answer.request_id, "no request id")
        if sentence is not None:
            self.assertTrue(answer.text.startswith(sentence), repr(answer))
        self.assertIsNone(TOKEN_TEXT.search(answer.text), f"a token in {answer!r}")
        self.assertIsNone(TOKEN_TEXT.search(answer.raw_head.decode()), "a token in the head")

    def assertOk(self, answer):
        self.assertEqual(answer.status, 200, repr(answer))
        return answer


class ServerCase(Case):
    """One server for all tests of the class."""

    demo = True
    config = None
    threads = 2
    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(demo=cls.demo, config=cls.config, threads=cls.threads,
                            arguments=cls.arguments)
        try:
            cls.server.start()
        except BaseException:
            cls.server.destroy()
            raise

    @classmethod
    def tearDownClass(cls):
        try:
            ended_before = cls.server.process.poll()
            code = cls.server.terminate()
            log = cls.server.log()
        finally:
            cls.server.destroy()
        if ended_before is not None or code != 0:
            raise AssertionError(f"the server ended with {code}:\n{log[-4000:]}")
        for mark in CRASH_MARKS:
            if mark in log:
                raise AssertionError(log[-8000:])


# Certificates, made with the openssl command.

def openssl(*arguments, input=None):
    done = subprocess.run(["openssl", *map(str, arguments)], input=input, timeout=seconds(30),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout


class Authority:
    """A certificate authority of a test's own."""

    def __init__(self, folder, name="ca"):
        self.folder = pathlib.Path(folder)
        self.key = self.folder / f"{name}.key"
        self.file = self.folder / f"{name}.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.key, "-out", self.file, "-days", "30", "-subj", f"/CN=test {name}",
                "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, name, hosts, kind="ec", days=20):
        """(chain file, key file) for these DNS names."""
        chain, key, request = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        new = (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec"
               else ["-newkey", "rsa:2048"])
        openssl("req", *new, "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={hosts[0]}")
        names = self.folder / f"{name}.ext"
        names.write_text("subjectAltName=" + ",".join(
            ("IP:" if re.fullmatch(r"[\d.]+|.*:.*", h) else "DNS:") + h for h in hosts) + "\n")
        openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key,
                "-CAcreateserial", "-days", days, "-extfile", names, "-out", chain)
        os.chmod(key, 0o600)
        return chain, key


def peer_names(connection):
    """The DNS names of the certificate that the peer showed."""
    certificate = connection.socket.getpeercert()
    return sorted(value for kind, value in certificate["subjectAltName"])


def limit_file_size(count):
    """For preexec_fn: no file of the process may grow beyond `count` bytes."""
    def apply():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (count, count))
    return apply

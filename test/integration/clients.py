"""Drives the published clients of test/clients, unchanged but for their base URL."""

import json
import pathlib
import subprocess
import threading

from harness import ROOT, clean_environment, seconds

FOLDER = ROOT / "test" / "clients"


class ClientError(Exception):
    """What the client threw."""


class Client:
    """A client in a node process of its own; call() follows a way of properties and calls."""

    def __init__(self, kind, url, token, ca_file=None):
        if not (FOLDER / "node_modules" / ".package-lock.json").exists():
            raise AssertionError("the clients are not installed: run `make clients`")
        extra = {"NODE_EXTRA_CA_CERTS": str(ca_file)} if ca_file else {}
        self.kind = kind
        self.process = subprocess.Popen(
            ["node", "call.js", kind, url], cwd=FOLDER, env=clean_environment(extra), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._say(token)

    def _say(self, value):
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()

    def answer(self, *steps):
        """What came of the way, as call.js tells it."""
        self._say(steps)
        clock = threading.Timer(seconds(60), self.process.kill)
        clock.start()
        try:
            line = self.process.stdout.readline()
        finally:
            clock.cancel()
        if not line:
            raise AssertionError(f"the client {self.kind} ended while it did {steps}")
        return json.loads(line)

    def call(self, *steps):
        """The value that the client gives; ClientError if it threw or gave an error."""
        answer = self.answer(*steps)
        if "value" in answer or not answer:
            return answer.get("value")
        raise ClientError(answer.get("error", answer.get("returned_error")))

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(seconds(10))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def client_of(server, kind, token):
    """A client of the server's data plane, over TLS as a customer's."""
    return Client(kind, server.ready["url"], token, pathlib.Path(server.ready["ca_file"]))

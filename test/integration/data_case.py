"""What the tests of the data API share: an account, its tokens, and the calls of a customer."""

import json

from harness import ServerCase, wait_until

COST_HEADERS = ("iexcloud-messages-used", "iexcloud-credits-used",
                "iexcloud-premium-messages-used", "iexcloud-premium-credits-used")
JSON_TYPE = "application/json; charset=utf-8"
CSV_TYPE = "text/csv; charset=utf-8"
INVALID = "You have supplied invalid values for this request"


def costs(answer):
    """(core, premium) credits of an answer; each stands under two names."""
    core, core_again, premium, premium_again = (answer.header(h) for h in COST_HEADERS)
    if core != core_again or premium != premium_again:
        raise AssertionError(f"the cost headers of {answer!r} contradict each other")
    return int(core), int(premium)


def json_lines(records):
    return "".join(json.dumps(r) + "\n" for r in records)


class Customer:
    """An account's calls of the data plane with its secret token."""

    def __init__(self, server, workspace, secret, publishable=None):
        self.server = server
        self.workspace = workspace
        self.secret = secret
        self.publishable = publishable

    @classmethod
    def make(cls, server, workspace, plan="basic"):
        account = server.make_account(workspace, plan)
        return cls(server, workspace, account["secret_token"]["token"],
                   account["publishable_token"]["token"])

    def call(self, method, target, body=None, headers=(), token=None, endpoint=None):
        if body is not None and not isinstance(body, bytes):
            body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        joint = "&" if "?" in target else "?"
        target = f"{target}{joint}token={token or self.secret}"
        return (endpoint or self.server.plain).request(method, target, headers, body)

    def get(self, target, token=None, headers=()):
        return self.call("GET", target, token=token, headers=headers)

    def records(self, name, query="limit=10000", token=None):
        """The records of NAME[/KEY…] in the own workspace, or of WORKSPACE/NAME with a slash
        before it."""
        path = name[1:] if name.startswith("/") else f"{self.workspace}/{name}"
        answer = self.get(f"/v1/data/{path}?{query}", token)
        if answer.status != 200:
            raise AssertionError(f"{name}?{query} answered {answer!r}")
        return answer.json()

    def write(self, name, records, query=""):
        return self.call("POST", f"/v1/record/{self.workspace}/{name}?{query}".rstrip("?"), records,
                         {"Content-Type": "application/json"})

    def wrote(self, name, records, query=""):
        """The number of messages that a write says it wrote."""
        answer = self.write(name, records, query)
        if answer.status != 200:
            raise AssertionError(f"the write to {name} answered {answer!r}")
        said = answer.json()
        if said["success"] is not True or not said["message"].startswith("wrote "):
            raise AssertionError(f"the write to {name} answered {answer!r}")
        return int(said["message"].split()[1])

    def delete(self, path, query=""):
        return self.call("DELETE", f"/v1/data/{self.workspace}/{path}?{query}".rstrip("?"))

    def deleted(self, path, query=""):
        answer = self.delete(path, query)
        if answer.status != 200 or answer.json()["success"] is not True:
            raise AssertionError(f"DELETE {path}?{query} answered {answer!r}")
        return int(answer.json()["message"].split()[1])

    def define(self, name, properties, key=None, subkey=None, date=None, required=(), **more):
        mapping = {n: v for n, v in (("key", key), ("subkey", subkey), ("date", date)) if v}
        return self.call("POST", f"/v1/datasets/{self.workspace}", {"dataset": {
            "datasetId": name,
            "schema": {"type": "object",
                       "properties": {n: {"type": t} for n, t in properties.items()},
                       "required": list(required)},
            "columnMapping": mapping, **more}}, {"Content-Type": "application/json"})

    def upload(self, name, text, query="", content_type="text/csv"):
        return self.call("POST", f"/v1/data/{self.workspace}/{name}?{query}".rstrip("?"), text,
                         {"Content-Type": content_type})

    def job(self, id):
        answer = self.get(f"/v1/jobs/{self.workspace}/ingest/{id}")
        if answer.status != 200:
            raise AssertionError(f"the job {id} answered {answer!r}")
        return answer.json()

    def ended_job(self, id, timeout=60.0):
        def ended():
            job = self.job(id)
            return job if job["status"] in ("INGESTED", "FAILED") else None
        return wait_until(f"job {id} to end", ended, timeout)

    def loaded(self, name, text, query="", timeout=60.0, **options):
        """The job of an upload, when it has ended."""
        answer = self.upload(name, text, query, **options)
        if answer.status != 200:
            raise AssertionError(f"the upload to {name} answered {answer!r}")
        return self.ended_job(answer.json()["jobId"], timeout)


class DataCase(ServerCase):
    """A server with two accounts, acme and rival, of a plan without limits."""

    demo = False
    plan = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.make_plan("basic", **cls.plan)
        cls.acme = Customer.make(cls.server, "acme")
        cls.rival = Customer.make(cls.server, "rival")

    def assertInvalid(self, answer, *names):
        """400 invalid_values whose detail names these."""
        self.assertRefused(answer, 400, "invalid_values", INVALID)
        for name in names:
            self.assertIn(name, answer.text)

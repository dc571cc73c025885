"""Killed at any moment, with a broken file, without its key or on a full disk: what was acknowledged
is there, nothing is half done, nothing is overwritten, and it is said plainly."""

import contextlib
import ctypes
import ctypes.util
import fcntl
import http.server
import json
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import threading
import time
import unittest

from harness import BINARY, Case, ConnectionEnded, Server, clean_environment, run, wait_until

CRASH_SECONDS = float(os.environ.get("LATCHKEY_TEST_CRASH_SECONDS", "20"))


class Chance:
    """Random numbers whose seed a failing test shows."""

    @staticmethod
    def make(test):
        seed = int(os.environ.get("LATCHKEY_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"{test.id().split('.', 1)[-1]}: LATCHKEY_TEST_SEED={seed}", flush=True)
        return random.Random(seed)


class CrashCase(Case):
    def doctor(self, server, but=None):
        """All is well, but maybe what `but` names."""
        done = server.cli("doctor", "--json")
        findings = json.loads(done.stdout)["items"]
        self.assertTrue(findings)
        bad = [f for f in findings if f["health"] == "bad" and f["what"] != but]
        self.assertEqual(bad, [])
        if but is None:
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def use(self, server, text, target="/v1/data"):
        return server.plain.get(f"{target}?token={text}")


class KillTest(CrashCase):
    """What is known of the server's state by its answers, against what it says after a kill."""

    ROWS = 400

    def import_generation(self, server, number):
        """Every record carries the same number, and there are ROWS + number of them."""
        text = "key,generation\n" + "".join(f"K{i},{number}\n" for i in range(self.ROWS + number))
        answer, _ = server.internal.call(
            "POST", "/operator/v1/datasets/core/GENERATIONS:import?key=key", server.operator,
            text.encode(), {"Content-Type": "text/csv"})
        return answer.status

    def work_on_tokens(self, server, secret, chance, known, stop):
        """Makes, changes and removes tokens until the server dies. `known` maps a token's text to
        what it must be: "on", "off", "gone", or a set of two while an answer is outstanding."""
        mine = {}
        try:
            while not stop.is_set():
                choice = chance.random()
                if choice < 0.5 or not mine:
                    token, _ = server.make_token(secret, kind="publishable")
                    mine[token["token"]] = token["id"]
                    known[token["token"]] = {"on"}
                    continue
                text = chance.choice(list(mine))
                method, path, after = chance.choice((
                    ("POST", f"{mine[text]}:disable", "off"), ("POST", f"{mine[text]}:enable", "on"),
                    ("DELETE", mine[text], "gone")))
                known[text] = known[text] | {after}
                headers = {"If-Match": "*"} if method == "DELETE" else {}
                answer, _ = server.manage.call(method, f"/manage/v1/tokens/{path}", secret,
                                               headers=headers)
                if answer.status not in (200, 204):
                    raise AssertionError(f"{method} {path} answered {answer!r}")
                known[text] = {after}
                if after == "gone":
                    del mine[text]
        except (ConnectionEnded, OSError):
            pass

    def work_on_imports(self, server, numbers, stop):
        """numbers: [acknowledged, begun]."""
        try:
            while not stop.is_set():
                numbers[1] += 1
                status = self.import_generation(server, numbers[1])
                if status not in (200, 201):
                    raise AssertionError(f"the import answered {status}")
                numbers[0] = numbers[1]
        except (ConnectionEnded, OSError):
            pass

    def check(self, server, secret, known, numbers):
        for text, states in known.items():
            answer = self.use(server, text)
            state = {200: "on", 403: "off"}.get(answer.status)
            if answer.reason == "token_invalid":
                state = "gone"
            self.assertIn(state, states, f"{answer!r} where {states} was acknowledged")
            known[text] = {state}
        answer = self.use(server, secret, "/v1/data/core/GENERATIONS")
        if numbers[0] == 0 and answer.status == 404:
            return
        self.assertEqual(answer.status, 200, repr(answer))
        records = server.plain.get(
            f"/v1/data/core/GENERATIONS?limit=10000&token={secret}").json()
        generations = {r["generation"] for r in records}
        self.assertEqual(len(generations), 1, "a mixture of two imports")
        generation = generations.pop()
        self.assertTrue(numbers[0] <= generation <= numbers[1], (generation, numbers))
        self.assertEqual(len(records), self.ROWS + generation)
        numbers[0] = numbers[1] = generation

    def test_what_was_acknowledged_survives_kill_9_at_any_moment(self):
        chance = Chance.make(self)
        server = self.start()
        server.make_plan("crash")
        secret = server.make_account("crash", "crash")["secret_token"]["token"]
        known, numbers = {}, [0, 0]
        end = time.monotonic() + CRASH_SECONDS
        rounds = 0
        while time.monotonic() < end or rounds < 3:
            stop = threading.Event()
            threads = [threading.Thread(target=self.work_on_tokens, args=(
                server, secret, random.Random(chance.random()), known, stop)) for _ in range(2)]
            threads.append(threading.Thread(target=self.work_on_imports,
                                            args=(server, numbers, stop)))
            failures = []
            previous = threading.excepthook
            threading.excepthook = lambda args: failures.append(args.exc_value)
            try:
                for thread in threads:
                    thread.start()
                time.sleep(chance.uniform(0.02, 0.6))  # the moment of the kill
                server.kill()
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
                threading.excepthook = previous
            self.assertEqual(failures, [])
            server.start()
            self.check(server, secret, known, numbers)
            rounds += 1
        self.assertGreater(len(known), rounds)
        self.assertGreater(numbers[0], 0)
        self.doctor(server)
        self.assertEqual(server.terminate(), 0)
        self.doctor(server)

    def test_a_kill_during_a_first_start_leaves_a_folder_that_starts(self):
        chance = Chance.make(self)
        for _ in range(8):
            server = self.start_nothing(demo=True)
            server.launch()
            time.sleep(chance.uniform(0.0, 0.25))  # the moment of the kill
            server.kill()
            server.start()
            self.assertEqual(self.use(server, server.publishable,
                                      "/v1/data/core/STOCKS/AAPL").status, 200)
            self.assertEqual(len(server.catalogue("core")), 2)
            self.assertEqual(len(server.catalogue("demo")), 1)
            self.assertEqual(server.terminate(), 0)

    def start_nothing(self, **options):
        server = Server(**options)
        self.addCleanup(self.finish, server)
        return server

    def test_rotating_the_master_key_survives_kill_9_at_any_moment(self):
        chance = Chance.make(self)
        server = self.start()
        server.make_plan("keys")
        account = server.make_account("keys", "keys")
        secret = account["secret_token"]["token"]
        texts = [secret] + [server.make_token(secret, kind="secret")[0]["token"] for _ in range(5)]
        keys = set()
        end = time.monotonic() + CRASH_SECONDS / 3
        rounds = 0
        while time.monotonic() < end or rounds < 4:
            process = subprocess.Popen([str(BINARY), "master-key", "rotate", "--data",
                                        str(server.data)], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, env=clean_environment())
            time.sleep(chance.uniform(0.0, 0.06))  # the moment of the kill
            server.kill()
            process.wait()
            server.start()
            for text in texts:
                self.assertEqual(self.use(server, text).status, 200)
            keys.add((server.data / "master.key").read_text())
            rounds += 1
        # Undisturbed it does rotate, and everything is still there after a restart.
        before = (server.data / "master.key").read_text()
        done = server.cli("master-key", "rotate")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotEqual((server.data / "master.key").read_text(), before)
        self.assertEqual((server.data / "master.key").stat().st_mode & 0o777, 0o600)
        texts.append(server.make_token(secret, kind="secret")[0]["token"])
        self.assertEqual(server.terminate(), 0)
        server.start()
        for text in texts:
            self.assertEqual(self.use(server, text).status, 200)
        self.doctor(server)


class BrokenFilesTest(CrashCase):
    """A database or key that is not right is said plainly at the start, and stays as it is."""

    @classmethod
    def setUpClass(cls):
        cls.template = Server(demo=True)
        try:
            cls.template.start()
            cls.template.terminate()
        except BaseException:
            cls.template.destroy()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.template.destroy()

    def copy(self):
        """A stopped server over a copy of the demo's folder."""
        server = Server()
        self.addCleanup(self.finish, server)
        shutil.copytree(self.template.data, server.data)
        return server

    def assertStartRefused(self, server, *named):
        before = {p.name: p.read_bytes() for p in server.data.iterdir() if p.is_file()}
        server.launch()
        self.assertEqual(server.wait(), 1, server.log())
        for name in named:
            self.assertIn(name, server.log())
        self.assertFalse(server.ready_file.exists())
        after = {p.name: p.read_bytes() for p in server.data.iterdir() if p.is_file()}
        for name in ("state.db", "records.db", "master.key", "operator.token"):
            self.assertEqual(before.get(name), after.get(name), f"{name} was changed")
        return server.log()

    def test_a_truncated_database_is_refused(self):
        for name in ("state.db", "records.db"):
            for keep in (0.5, 0.9):
                with self.subTest(name, keep=keep):
                    server = self.copy()
                    file = server.data / name
                    size = file.stat().st_size
                    os.truncate(file, int(size * keep) // 4096 * 4096 or 4096)
                    self.assertStartRefused(server, name)

    def test_a_database_cut_within_its_first_page_is_refused(self):
        for name in ("state.db", "records.db"):
            with self.subTest(name):
                server = self.copy()
                os.truncate(server.data / name, 50)
                self.assertStartRefused(server, name)

    def test_an_empty_or_missing_state_beside_everything_else_is_not_a_new_server(self):
        for how in ("empty", "missing"):
            with self.subTest(how):
                server = self.copy()
                if how == "empty":
                    os.truncate(server.data / "state.db", 0)
                else:
                    os.unlink(server.data / "state.db")
                self.assertStartRefused(server, "state.db")

    def test_a_foreign_file_is_refused(self):
        for name in ("state.db", "records.db"):
            for content in ("text", "another program's database", "the other database"):
                with self.subTest(name, content=content):
                    server = self.copy()
                    file = server.data / name
                    if content == "text":
                        file.write_text("this is no database\n" * 1000)
                    elif content == "the other database":
                        other = {"state.db": "records.db", "records.db": "state.db"}[name]
                        shutil.copy(self.template.data / other, file)
                    else:
                        file.unlink()
                        with contextlib.closing(sqlite3.connect(file)) as database:
                            database.execute("CREATE TABLE songs (title TEXT)")
                            database.commit()
                    os.chmod(file, 0o600)
                    self.assertStartRefused(server, name)

    def test_a_newer_database_is_refused_in_clear_words(self):
        for name in ("state.db", "records.db"):
            with self.subTest(name):
                server = self.copy()
                with contextlib.closing(sqlite3.connect(server.data / name)) as database:
                    version = database.execute("PRAGMA user_version").fetchone()[0]
                    database.execute(f"PRAGMA user_version = {version + 1}")
                    database.commit()
                self.assertIn("newer", self.assertStartRefused(server, name))

    def test_a_wrong_or_missing_master_key_is_said(self):
        def missing(file):
            file.unlink()

        def other(file):
            text = file.read_text()
            key = next(w for w in text.split() if len(w) == 64)
            file.write_text(text.replace(key, key[::-1] if key != key[::-1] else "0" * 64))

        def short(file):
            file.write_text(file.read_text()[:-10])

        def empty(file):
            file.write_text("")
        for spoil in (missing, other, short, empty):
            with self.subTest(spoil.__name__):
                server = self.copy()
                key = (server.data / "master.key").read_text()
                spoil(server.data / "master.key")
                said = self.assertStartRefused(server, "master")
                for word in key.split():
                    if len(word) == 64:
                        self.assertNotIn(word, said)
                # With the right key it starts again.
                (server.data / "master.key").write_text(key)
                os.chmod(server.data / "master.key", 0o600)
                server.start()
                self.assertEqual(len(server.operate("GET", "/accounts")[1]["items"]), 1)

    def test_the_master_key_may_live_elsewhere(self):
        server = self.copy()
        folder = self.folder()
        shutil.move(server.data / "master.key", folder / "the.key")
        server.env = {"LATCHKEY_MASTER_KEY_FILE": str(folder / "the.key")}
        server.start()
        self.assertFalse((server.data / "master.key").exists())
        server.terminate()
        server.env = {"CREDENTIALS_DIRECTORY": str(folder)}
        shutil.move(folder / "the.key", folder / "master.key")
        server.start()
        self.assertFalse((server.data / "master.key").exists())

    def test_doctor_says_what_is_wrong(self):
        server = self.copy()
        self.doctor(server)
        os.truncate(server.data / "state.db", (server.data / "state.db").stat().st_size // 2 //
                    4096 * 4096)
        done = server.cli("doctor")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("state.db", done.stdout + done.stderr)

    def test_a_changed_audit_log_is_found(self):
        server = self.copy()
        with contextlib.closing(sqlite3.connect(server.data / "state.db")) as database:
            tables = [row[0] for row in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'audit%'")]
            self.assertTrue(tables, "no table of audit events")
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({tables[0]})")]
            principal = next(c for c in columns if c in ("principal", "actor"))
            row = database.execute(
                f"SELECT rowid FROM {tables[0]} ORDER BY rowid LIMIT 1 OFFSET 1").fetchone()[0]
            try:
                database.execute(f"UPDATE {tables[0]} SET {principal} = 'somebody' WHERE rowid = ?",
                                 (row,))
            except sqlite3.Error:
                triggers = [r[0] for r in database.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'trigger'")]
                for trigger in triggers:
                    database.execute(f"DROP TRIGGER {trigger}")
                database.execute(f"UPDATE {tables[0]} SET {principal} = 'somebody' WHERE rowid = ?",
                                 (row,))
            database.commit()
        done = server.cli("doctor")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("audit", (done.stdout + done.stderr).lower())


class FullDiskTest(CrashCase):
    """A change that finds no space is refused; what stands goes on, and when there is space again so
    does everything."""

    def check_full(self, server, fill, free):
        token, _ = server.make_token()
        target = f"/v1/data/core/STOCKS/AAPL?token={token['token']}"
        fill()
        refused = 0
        for number in range(400):
            answer, _ = server.manage.call("POST", "/manage/v1/tokens", server.secret,
                                           {"kind": "publishable", "nickname": f"full-{number}",
                                            "labels": {"filler": "x" * 60}})
            if answer.status == 201:
                continue
            self.assertEqual((answer.status, answer.reason), (503, "unavailable"), repr(answer))
            refused += 1
            if refused == 5:
                break
        self.assertEqual(refused, 5, "the disk was never full")
        done = server.import_csv("core/BIG", "key,v\n" + "".join(
            f"K{i},{'x' * 200}\n" for i in range(30_000)), key="key", ok=False, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        # What stands in memory and on disk is served.
        with server.plain.connect() as connection:
            for _ in range(20):
                self.assertEqual(connection.request("GET", target).status, 200)
        self.assertEqual(server.data_plane.get(target).status, 200)
        self.assertEqual(server.data_plane.get(
            f"/v1/data/core/BIG?token={token['token']}").status, 404)
        free()
        again = wait_until("changes to be taken again", lambda: (lambda a: a[1] if a[0].status == 201
                           else None)(server.manage.call("POST", "/manage/v1/tokens", server.secret,
                                                         {"kind": "publishable"})))
        self.assertEqual(self.use(server, again["token"]).status, 200)
        listed = set()
        page = ""
        while True:
            _, body = server.manage.call("GET", f"/manage/v1/tokens?page_size=500{page}",
                                         server.secret)
            listed |= {t["id"] for t in body["items"]}
            if not body["next_page_token"]:
                break
            page = f"&page_token={body['next_page_token']}"
        self.assertIn(token["id"], listed)
        self.assertEqual(server.terminate(), 0)
        server.start()
        self.assertEqual(server.data_plane.get(target).status, 200)
        self.assertEqual(self.use(server, again["token"]).status, 200)
        self.doctor(server, but="disk")  # the file system of the test is a small one

    def test_a_full_file_system(self):
        folder = self.folder()
        libc = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6", use_errno=True)
        if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"size=24m,mode=0700") != 0:
            self.skipTest("mounting a file system needs root")
        self.addCleanup(libc.umount2, str(folder).encode(), 2)
        server = self.start(demo=True, data=folder / "data")
        filler = folder / "filler"

        def fill():
            with open(filler, "wb", buffering=0) as file:
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * 4096)
        self.check_full(server, fill, filler.unlink)

    def test_a_limit_on_the_size_of_files(self):
        server = self.start(demo=True, arguments=["--access-log", "off"])
        pid = server.process.pid
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

        def fill():
            largest = max(p.stat().st_size for p in server.data.iterdir() if p.name != "records.db")
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest + 20_000, resource.RLIM_INFINITY))
        self.check_full(server, fill,
                        lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited))


class BackupTest(CrashCase):
    def restored(self, server, file, *arguments):
        """A server over what restore makes of the file."""
        other = Server()
        self.addCleanup(self.finish, other)
        done = run("restore", file, "--data", other.data, *arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        shutil.copy(server.data / "master.key", other.data / "master.key")
        return other, done

    def test_a_backup_of_a_running_server_restores_into_an_empty_folder(self):
        server = self.start(demo=True)
        token, _ = server.make_token(kind="secret")
        file = self.folder() / "backup.latchkey"
        done = server.cli("backup", file)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        other, _ = self.restored(server, file)
        self.accept(other)
        other.start()
        for text in (token["token"], server.publishable, server.secret):
            answer = self.use(other, text, "/v1/data/core/STOCKS/AAPL")
            self.assertEqual(answer.status, 200, repr(answer))
            self.assertEqual(answer.body, self.use(server, text, "/v1/data/core/STOCKS/AAPL").body)
        self.doctor(other)

    def accept(self, server):
        """What the operator does with the printed difference before the server serves."""
        done = server.cli("restore", "--accept")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_restored_folder_is_locked_until_the_operator_accepts_it(self):
        server = self.start(demo=True)
        file = self.folder() / "backup.latchkey"
        self.assertEqual(server.cli("backup", file).returncode, 0)
        other, done = self.restored(server, file)
        self.assertIn("accept", done.stdout)
        other.launch()
        self.assertEqual(other.wait(), 1, other.log())
        self.assertIn("accept", other.log())
        self.accept(other)
        other.start()
        self.assertEqual(self.use(other, server.publishable).status, 200)

    def test_a_backup_without_a_server_is_the_same(self):
        server = self.start(demo=True)
        server.terminate()
        file = self.folder() / "backup.latchkey"
        done = server.cli("backup", file)
        self.assertEqual(done.returncode, 0, done.stderr)
        other, _ = self.restored(server, file)
        self.accept(other)
        other.start()
        self.assertEqual(self.use(other, server.publishable).status, 200)

    def test_a_backup_holds_neither_the_master_key_nor_a_secret(self):
        server = self.start(demo=True)
        secret = server.make_token(kind="secret")[0]["token"]
        key = next(w for w in (server.data / "master.key").read_text().split() if len(w) == 64)
        file = self.folder() / "backup.latchkey"
        self.assertEqual(server.cli("backup", file).returncode, 0)
        content = file.read_bytes()
        for text in (secret, server.secret, server.operator, key):
            self.assertNotIn(text.encode(), content)
        self.assertNotIn(bytes.fromhex(key), content)

    def test_restore_takes_only_an_empty_folder_and_a_whole_backup(self):
        server = self.start(demo=True)
        folder = self.folder()
        file = folder / "backup.latchkey"
        self.assertEqual(server.cli("backup", file).returncode, 0)
        server.terminate()
        before = (server.data / "state.db").read_bytes()
        done = server.cli("restore", file)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(str(server.data), done.stderr)
        self.assertEqual((server.data / "state.db").read_bytes(), before)
        whole = file.read_bytes()
        for name, content in (("half", whole[:len(whole) // 2]), ("flipped", None), ("empty", b""),
                              ("text", b"no backup\n" * 100)):
            with self.subTest(name):
                if content is None:
                    at = len(whole) // 2
                    content = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:]
                broken = folder / name
                broken.write_bytes(content)
                done = run("restore", broken, "--data", folder / f"data-{name}")
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertFalse((folder / f"data-{name}" / "state.db").exists())

    def folder_of_server(self, status, body, **headers):
        """A data folder whose server answers one request so."""
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        folder = self.folder()
        folder.chmod(0o700)
        peer = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(peer.server_close)
        thread = threading.Thread(target=peer.handle_request)
        thread.start()
        self.addCleanup(thread.join)
        url = f"http://127.0.0.1:{peer.server_port}"
        for name, text in (("lock", ""), ("operator.token", "op_" + "a" * 43),
                           ("run.json", json.dumps({"pid": 1, "internal_url": url}))):
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        lock = open(folder / "lock")
        self.addCleanup(lock.close)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return folder

    def short_server(self):
        """It ends each body early, but in good form."""
        return self.folder_of_server(200, b"short", Latchkey_Content_Bytes="300000")

    def test_a_backup_that_ends_early_is_not_kept(self):
        file = self.folder() / "early.backup"
        done = run("backup", file, "--data", self.short_server())
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("whole", done.stderr)
        self.assertEqual(list(file.parent.iterdir()), [])

    def test_an_export_that_ends_early_leaves_the_file_that_stands(self):
        file = self.folder() / "prices.csv"
        file.write_text("symbol\nAAPL\n")
        done = run("dataset", "export", "core/PRICES", file, "--data", self.short_server())
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("whole", done.stderr)
        self.assertEqual(file.read_text(), "symbol\nAAPL\n")
        self.assertEqual(list(file.parent.iterdir()), [file])

    def test_what_a_server_says_moves_no_cursor(self):
        # ESC, C1 and DEL, escaped in JSON and as they are.
        hostile = "\\u001b[2J\\u009b2J\x7f\u009b31m"
        title = json.loads(f'"{hostile}"')
        cases = [
            (404, '{"detail":"%s","errors":[{"field":"%s","detail":"%s"}]}' % ((hostile,) * 3), []),
            (502, "\x1b[2J\u009b2J", []),
            (200, '{"name":"%s"}' % hostile, []),
            (200, '{"name":"%s"}' % hostile, ["--json"]),
        ]
        for status, body, flags in cases:
            with self.subTest((status, flags)):
                folder = self.folder_of_server(status, body.encode())
                done = run("dataset", "show", "core/PRICES", "--data", folder, *flags)
                self.assertEqual(done.returncode, 0 if status == 200 else 1)
                said = (done.stdout + done.stderr).replace("\n", "")
                self.assertNotRegex(said, "[\\x00-\\x1f\\x7f-\\x9f]")
                if flags:
                    self.assertEqual(json.loads(done.stdout)["name"], title)

    def test_a_backup_file_that_stands_is_not_overwritten(self):
        server = self.start()
        file = self.folder() / "backup.latchkey"
        file.write_text("mine")
        self.assertEqual(server.cli("backup", file).returncode, 1)
        self.assertEqual(file.read_text(), "mine")

    def test_restoring_an_old_backup_does_not_revive_removed_tokens(self):
        server = self.start(demo=True)
        victim, _ = server.make_token(kind="secret")
        stays, _ = server.make_token()
        file = self.folder() / "backup.latchkey"
        self.assertEqual(server.cli("backup", file).returncode, 0)
        self.assertEqual(server.manage.call("DELETE", f"/manage/v1/tokens/{victim['id']}",
                                            server.secret, headers={"If-Match": "*"})[0].status, 204)
        server.terminate()
        other, _ = self.restored(server, file, "--removed-digests",
                                 server.data / "removed.digests")
        self.accept(other)
        other.start()
        self.assertEqual(self.use(other, stays["token"]).status, 200)
        answer = self.use(other, victim["token"])
        self.assertEqual((answer.status, answer.reason), (403, "token_invalid"))
        self.assertEqual(other.manage.call("GET", f"/manage/v1/tokens/{victim['id']}",
                                           server.secret)[0].status, 404)


if __name__ == "__main__":
    unittest.main()

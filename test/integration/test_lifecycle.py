"""Starting, stopping, being told by signal; the command line's exit codes; the data folder's lock."""

import json
import os
import signal
import socket
import subprocess
import time
import unittest

from harness import BINARY, Case, ConnectionEnded, Server, clean_environment, run, seconds, wait_until


class DrainTest(Case):
    def half_a_plan(self, server, connection, name="drained"):
        """Sends a head and half of its body; returns the other half."""
        body = json.dumps({"name": name, "title": name, "monthly_core_credits": 1}).encode()
        connection.send((f"POST /operator/v1/plans HTTP/1.1\r\nHost: {server.internal.host}\r\n"
                         f"Authorization: Bearer {server.operator}\r\n"
                         "Content-Type: application/json\r\nExpect: 100-continue\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n").encode())
        # From here on the request runs.
        self.assertEqual(connection.read_answer().status, 100)
        connection.send(body[:10])
        return body[10:]

    def refused(self, address):
        try:
            socket.create_connection(address, timeout=1).close()
            return False
        except OSError:
            return True

    def test_sigterm_and_sigint_end_an_idle_server_at_once_with_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.start()
            with server.plain.connect() as idle:
                idle.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                idle.read_answer()
                begin = time.monotonic()
                server.signal(number)
                self.assertEqual(server.wait(), 0, server.log())
                self.assertLess(time.monotonic() - begin, seconds(3))
                self.assertTrue(idle.at_end())
            self.assertFalse((server.data / "run.json").exists())

    def test_a_running_request_ends_before_the_server_does(self):
        server = self.start()
        with server.internal.connect() as connection:
            rest = self.half_a_plan(server, connection)
            server.signal(signal.SIGTERM)
            wait_until("the listeners to close", lambda: self.refused(server.plain.address))
            self.assertIsNone(server.process.poll(), "it did not wait for the running request")
            connection.send(rest)
            answer = connection.read_answer()
            self.assertEqual(answer.status, 201, repr(answer))
            self.assertTrue(answer.closes)
            self.assertTrue(connection.at_end())
        self.assertEqual(server.wait(), 0, server.log())
        # What it acknowledged while draining is there.
        server.start()
        self.assertIn("drained", [p["name"] for p in server.operate("GET", "/plans")[1]["items"]])

    def test_a_request_that_does_not_end_is_cut_after_the_drain_timeout(self):
        server = self.start(config='[server]\ndrain_timeout = "500ms"\n')
        with server.internal.connect() as connection:
            self.half_a_plan(server, connection)
            begin = time.monotonic()
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0, server.log())
            self.assertLess(time.monotonic() - begin, seconds(5))
            with self.assertRaises((ConnectionEnded, OSError)):
                if connection.read_answer().status == 408:
                    raise ConnectionEnded("told")

    def test_a_second_sigterm_ends_at_once(self):
        server = self.start()
        with server.internal.connect() as connection:
            self.half_a_plan(server, connection)
            server.signal(signal.SIGTERM)
            wait_until("the listeners to close", lambda: self.refused(server.plain.address))
            begin = time.monotonic()
            server.signal(signal.SIGTERM)
            server.wait()
            self.assertLess(time.monotonic() - begin, seconds(3))

    def test_sighup_interrupts_nobody(self):
        server = self.start(demo=True)
        target = f"/v1/data/core/STOCKS/AAPL?token={server.publishable}"
        with server.data_plane.connect() as connection:
            for _ in range(5):
                self.assertEqual(connection.request("GET", target).status, 200)
                server.signal(signal.SIGHUP)
            self.assertEqual(connection.request("GET", target).status, 200)
        self.assertIsNone(server.process.poll())

    def test_a_client_that_leaves_early_harms_nobody(self):
        server = self.start(demo=True)
        line = (f"GET /v1/data/core/STOCKS?last=600&token={server.publishable} HTTP/1.1\r\n"
                "Host: localhost\r\n\r\n").encode()
        for endpoint in (server.plain, server.data_plane):
            for _ in range(30):
                with endpoint.connect() as connection:
                    connection.send(line * 20)
        self.assertEqual(server.plain.get("/").status, 404)
        self.assertEqual(server.terminate(), 0)


class LongJobTest(Case):
    def test_an_import_that_outlasts_the_drain_is_cut_and_leaves_nothing(self):
        file = self.folder() / "long.csv"
        with open(file, "w") as csv:
            csv.write("k,v\n")
            csv.writelines(f"{i * 7919 % 1_500_007},{i}\n" for i in range(1_500_000))
        server = self.start(config='[server]\ndrain_timeout = "0s"\n')
        log = server.data / "records.db-wal"
        process = subprocess.Popen([str(BINARY), "dataset", "import", str(file), "--dataset",
                                    "core/LONG", "--key", "k", "--data", str(server.data)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        # All has come and the records are being written.
        wait_until("the records are being written", lambda: log.stat().st_size > 2_000_000)
        self.assertEqual(server.terminate(), 0, server.log())
        self.assertEqual(process.wait(), 1)
        self.assertIn("a long job", server.log())
        server.start()
        self.assertNotIn("LONG", server.cli("dataset", "list").stdout)


class FolderTest(Case):
    def test_a_second_server_on_the_folder_is_refused_and_the_first_goes_on(self):
        first = self.start(demo=True)
        second = Server(data=first.data)
        self.addCleanup(second.destroy)
        second.launch()
        self.assertEqual(second.wait(), 1, second.log())
        self.assertIn(str(first.process.pid), second.log())
        self.assertIn(str(first.data), second.log())
        self.assertFalse(second.ready_file.exists())
        # Started by the same line, it takes nothing from the first either.
        again = Server(data=first.data)
        self.addCleanup(again.destroy)
        again.ready_file = first.ready_file
        again.launch(keep_ready_file=True)
        self.assertEqual(again.wait(), 1, again.log())
        self.assertTrue(first.ready_file.exists())
        self.assertEqual(first.plain.get(
            f"/v1/data/core/STOCKS/AAPL?token={first.publishable}").status, 200)

    def test_looser_modes_are_refused_with_the_path_and_the_way_out(self):
        server = self.start()
        self.assertEqual(server.terminate(), 0)
        for path, mode, right in ((server.data, 0o755, 0o700), (server.data, 0o770, 0o700),
                                  (server.data / "state.db", 0o644, 0o600),
                                  (server.data / "operator.token", 0o640, 0o600),
                                  (server.data / "master.key", 0o604, 0o600)):
            with self.subTest(path.name, mode=oct(mode)):
                os.chmod(path, mode)
                server.log_file.unlink()
                server.launch()
                self.assertIn(server.wait(), (1, 2), server.log())
                self.assertIn(str(path), server.log())
                self.assertIn("chmod", server.log())
                os.chmod(path, right)
        server.start()

    def test_files_are_made_for_the_owner_alone_whatever_the_umask(self):
        server = self.start(demo=True, preexec_fn=lambda: os.umask(0))
        server.make_token()
        for path in [server.data, server.ready_file, *server.data.rglob("*")]:
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def test_the_demo_changes_nothing_on_a_folder_that_is_not_empty(self):
        server = self.start()
        server.make_plan("mine")
        self.assertEqual(server.terminate(), 0)
        server.demo = True
        server.start()
        self.assertNotIn("publishable_token", server.ready)
        self.assertEqual(server.operate("GET", "/accounts")[1]["items"], [])
        self.assertEqual([p["name"] for p in server.operate("GET", "/plans")[1]["items"]], ["mine"])
        self.assertFalse((server.data / "demo.json").exists())

    def test_a_restart_keeps_tokens_data_and_keys(self):
        server = self.start(demo=True)
        token, _ = server.make_token(nickname="kept")
        target = f"/v1/data/core/STOCKS/AAPL?last=5&token={token['token']}"
        before, body = server.ready, server.data_plane.get(target).body
        self.assertEqual(server.terminate(), 0)
        server.start()
        for key in ("publishable_token", "secret_token", "account"):
            self.assertEqual(server.ready[key], before[key])
        answer = server.data_plane.get(target)
        self.assertEqual((answer.status, answer.body), (200, body))
        self.assertEqual(server.manage.call("GET", f"/manage/v1/tokens/{token['id']}",
                                            server.secret)[1]["nickname"], "kept")
        # Without --demo it is a server as any other.
        self.assertEqual(server.terminate(), 0)
        server.demo = False
        server.start()
        self.assertEqual(server.data_plane.get(target).status, 200)

    def test_a_start_after_kill_needs_no_cleaning_up(self):
        server = self.start(demo=True)
        server.kill()
        self.assertTrue((server.data / "run.json").exists())
        server.start()
        self.assertEqual(server.plain.get(
            f"/v1/data/core/STOCKS/AAPL?token={server.publishable}").status, 200)


class ConfigurationTest(Case):
    def check(self, text):
        file = self.folder() / "latchkey.toml"
        file.write_text(text)
        return file, run("config", "check", file)

    def test_a_good_file_is_0(self):
        for text in ("", "# nothing\n", '[limits]\nhead_bytes = 8192\nidle_timeout = "10s"\n'):
            _, done = self.check(text)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_each_mistake_is_2_and_named_by_file_line_and_key(self):
        for line, text in ((2, '[limits]\nhead_bytes = "many"\n'),
                           (2, "[limits]\nhead_bytes = -1\n"),
                           (2, "[limits]\nhead_bytes = 1.5\n"),
                           (3, '[limits]\n\nhead_timeout = "soon"\n'),
                           (2, '[limits]\nhead_bite = 1\n'),
                           (1, 'colour = "red"\n'),
                           (3, '\n\n[colours]\nred = 1\n'),
                           (2, "[data]\nhttps_port = 65536\n"),
                           (2, '[data]\nlisten = "not an address"\n'),
                           (1, 'trusted_proxies = ["10.0.0.0/33"]\n'),
                           (2, '[log]\nlevel = "loud"\n')):
            with self.subTest(text):
                file, done = self.check(text)
                said = done.stdout + done.stderr
                self.assertEqual(done.returncode, 2, said)
                self.assertIn(f"{file}:{line}", said)
                key = text.strip().splitlines()[-1].split("=")[0].strip(" []")
                self.assertIn(key if "colours" not in text else "colours", said)

    def test_every_mistake_is_told_at_once(self):
        file, done = self.check('[limits]\nhead_bytes = "x"\nurl_bytes = "y"\n[log]\nlevel = 5\n')
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, 2)
        for part in (f"{file}:2", f"{file}:3", f"{file}:5", "head_bytes", "url_bytes", "level"):
            self.assertIn(part, said)

    def test_what_is_no_toml_is_2_and_named_by_line(self):
        for text in ("[limits\n", "a = \n", "= 1\n", "a = 1\na = 2\n", "\x00"):
            with self.subTest(text):
                file, done = self.check(text)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(str(file), done.stdout + done.stderr)

    def test_files_that_are_not_there_are_2(self):
        done = run("config", "check", self.folder() / "absent.toml")
        self.assertEqual(done.returncode, 2, done.stderr)
        file, done = self.check('[[certificates]]\nchain = "/absent/c.pem"\nkey = "/absent/k.pem"\n')
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("/absent/c.pem", done.stdout + done.stderr)

    def test_serve_refuses_a_broken_file_with_2_and_makes_no_folder(self):
        server = Server(config='[limits]\nhead_bytes = "many"\n')
        self.addCleanup(server.destroy)
        server.launch()
        self.assertEqual(server.wait(), 2, server.log())
        self.assertIn(f"{server.config_file}:2", server.log())
        self.assertFalse(server.data.exists())

    def test_flags_beat_the_environment_which_beats_the_file(self):
        folder = self.folder()
        file = folder / "latchkey.toml"
        file.write_text('[data]\nhttp_listen = "127.0.0.1"\n[server]\nthreads = 300\n')
        # The file alone: too many threads. The environment puts that right, a flag spoils it again.
        for env, arguments, code in (({}, [], 2), ({"LATCHKEY_THREADS": "none"}, [], 2),
                                     ({"LATCHKEY_THREADS": "1"}, ["--threads", "none"], 2)):
            done = run("serve", "--config", file, "--data", folder / "data", *arguments, env=env)
            self.assertEqual(done.returncode, code, done.stderr)


class ExitCodesTest(Case):
    def test_wrong_usage_is_2_and_names_what_is_wrong(self):
        for arguments, named in ((["no-such-command"], "no-such-command"),
                                 (["serve", "--no-such-flag"], "no-such-flag"),
                                 (["serve", "--https-port", "many"], "https-port"),
                                 (["serve", "--https-port", "70000"], "https-port"),
                                 (["serve", "--threads", "-1"], "threads"),
                                 (["serve", "--https-port"], "https-port"),
                                 (["token", "no-such-verb"], "no-such-verb"),
                                 (["account", "create"], "")):
            with self.subTest(arguments):
                done = run(*arguments, cwd=self.folder())
                self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
                self.assertIn(named, done.stderr)

    def test_a_command_without_a_server_is_1_and_says_so(self):
        done = run("account", "list", "--data", self.folder() / "nothing")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertTrue(done.stderr.strip())

    def test_arguments_that_cannot_hold_are_2_and_a_servers_refusal_is_1(self):
        server = self.start()
        for arguments, code in ((["dataset", "show", "no-slash"], 2), (["token", "list"], 2),
                                (["token", "create", "--account", "a", "--kind", "secret",
                                  "--label", "nameless"], 2),
                                (["dataset", "show", "core/NONE"], 1),
                                (["plan", "create", "Not_A_Name"], 1)):
            done = server.cli(*arguments)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        done = run("token", "list", env={"LATCHKEY_URL": "https://127.0.0.1:1"})
        self.assertEqual(done.returncode, 2, done.stderr)

    def test_a_taken_port_is_1_and_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            server = Server(https_port=port)
            self.addCleanup(server.destroy)
            server.launch()
            self.assertEqual(server.wait(), 1, server.log())
            self.assertIn(str(port), server.log())
            self.assertFalse(server.ready_file.exists())

    def test_a_data_folder_that_cannot_be_made_is_1_or_2_and_named(self):
        file = self.folder() / "a-file"
        file.write_text("")
        done = run("serve", "--data", file / "data", "--https-port", "0")
        self.assertIn(done.returncode, (1, 2), done.stderr)
        self.assertIn(str(file), done.stderr)

    def test_without_http_port_there_is_no_plain_listener(self):
        server = Server()
        self.addCleanup(server.destroy)
        line = server.command()
        at = line.index("--http-port")
        del line[at:at + 2]
        server.command = lambda: line
        server.start()
        self.assertNotIn("http_url", server.ready)

    def test_logs_are_json_lines_when_stderr_is_no_terminal(self):
        server = self.start(demo=True)
        self.assertEqual(server.terminate(), 0)
        for line in server.log().splitlines():
            self.assertIsInstance(json.loads(line), dict, line)

    def test_a_closed_stdout_is_no_crash(self):
        process = subprocess.Popen([str(BINARY), "--help"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=clean_environment())
        process.stdout.close()
        process.stderr.close()
        self.assertGreaterEqual(process.wait(seconds(20)), -13)


if __name__ == "__main__":
    unittest.main()

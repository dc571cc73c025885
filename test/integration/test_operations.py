"""What docs/operations.md tells operators to run does what it says."""

import os
import pathlib
import pwd
import shutil
import signal
import ssl
import stat
import subprocess
import tempfile
import unittest

from harness import ROOT, Authority, Case, Server, peer_names, run, seconds, wait_until

HOOK = ROOT / "tools" / "certbot-deploy-hook"


class CertbotDeployHookTest(Case):
    def setUp(self):
        self.certificates = self.folder()
        self.lineage = self.folder() / "live" / "data.test"
        self.lineage.mkdir(parents=True)
        self.authority = Authority(self.folder())

    def renew(self, *names):
        """A new chain and key, as certbot leaves them: symbolic links in live/NAME."""
        chain, key = self.authority.issue(names[-1], ["localhost", *names])
        for name, file in (("fullchain.pem", chain), ("privkey.pem", key)):
            link = self.lineage / name
            link.unlink(missing_ok=True)
            link.symlink_to(file)

    def hook(self, data="/nonexistent", code=0, **env):
        done = subprocess.run([HOOK], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=seconds(20), env={
                                  "PATH": os.environ["PATH"],
                                  "RENEWED_LINEAGE": str(self.lineage),
                                  "LATCHKEY_CERTIFICATES": str(self.certificates),
                                  "LATCHKEY_USER": pwd.getpwuid(os.getuid()).pw_name,
                                  "LATCHKEY_DATA": str(data), **env})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def names(self, server):
        context = ssl.create_default_context(cafile=str(self.authority.file))
        with server.data_plane.connect(server_name="localhost", context=context) as connection:
            return peer_names(connection)

    def test_a_renewed_pair_is_served_without_a_restart(self):
        self.renew("first.test")
        self.hook()
        pair = self.certificates / "data.test"
        server = self.start(config=f'[[certificates]]\nchain = "{pair}/fullchain.pem"\n'
                                   f'key = "{pair}/privkey.pem"\n')
        self.assertIn("first.test", self.names(server))
        self.renew("second.test")
        self.hook(data=server.data)
        wait_until("the renewed certificate", lambda: "second.test" in self.names(server))
        self.assertIsNone(server.process.poll())

    def test_the_key_is_for_its_owner_alone_and_nothing_else_is_left(self):
        self.renew("first.test")
        self.hook()
        self.renew("second.test")
        self.hook()
        folder = self.certificates / "data.test"
        self.assertEqual(sorted(p.name for p in folder.iterdir()), ["fullchain.pem", "privkey.pem"])
        self.assertEqual(stat.S_IMODE((folder / "privkey.pem").stat().st_mode), 0o600)
        self.assertFalse((folder / "privkey.pem").is_symlink())

    def test_a_renewal_that_is_not_whole_changes_nothing(self):
        self.renew("first.test")
        self.hook()
        before = (self.certificates / "data.test" / "fullchain.pem").read_bytes()
        key = (self.certificates / "data.test" / "privkey.pem").read_bytes()
        self.renew("second.test")
        (self.lineage / "fullchain.pem").unlink()
        self.hook(code=1)
        self.assertEqual((self.certificates / "data.test" / "fullchain.pem").read_bytes(), before)
        self.assertEqual((self.certificates / "data.test" / "privkey.pem").read_bytes(), key)
        self.assertEqual(len(list((self.certificates / "data.test").iterdir())), 2)

    def test_it_signals_no_stranger(self):
        self.renew("first.test")
        data = self.folder()
        with subprocess.Popen(["sleep", "60"]) as stranger:
            (data / "run.json").write_text('{\n  "pid": %d,\n  "url": "x"\n}\n' % stranger.pid)
            self.hook(data=data)
            self.assertIsNone(stranger.poll())
            stranger.kill()


class SystemdUnitTest(unittest.TestCase):
    UNIT = ROOT / "tools" / "systemd" / "latchkey.service"

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd_finds_nothing_wrong_in_the_unit(self):
        # What it starts is not installed where the tests run.
        text = self.UNIT.read_text().replace("/usr/local/bin/latchkey", "/bin/true")
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "latchkey.service").write_text(text)
        done = subprocess.run(["systemd-analyze", "verify", folder / "latchkey.service"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds(30))
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_its_commands_are_ones_that_the_program_has(self):
        for line in self.UNIT.read_text().splitlines():
            if line.startswith(("ExecStart=", "ExecStartPre=")):
                words = line.split("=", 1)[1].split()
                command = [w for w in words[1:3] if w.isalpha()]
                done = run(*command, "--help")
                self.assertEqual(done.returncode, 0, line)
                for flag in (w for w in words if w.startswith("--")):
                    self.assertIn(flag, done.stdout)


class LogTest(Case):
    def test_an_access_log_file_is_opened_again_on_sighup(self):
        folder = self.folder()
        log = folder / "access.log"
        server = self.start(demo=True, config=f'[log]\naccess = "{log}"\n')
        server.plain.get("/v1/before")
        wait_until("the first line", lambda: "/v1/before" in log.read_text())
        log.rename(folder / "access.log.1")
        server.signal(signal.SIGHUP)
        wait_until("the new file", log.exists)
        server.plain.get("/v1/after")
        wait_until("the second line", lambda: "/v1/after" in log.read_text())
        self.assertEqual(stat.S_IMODE(log.stat().st_mode), 0o600)
        self.assertNotIn("/v1/after", (folder / "access.log.1").read_text())

    def test_the_log_level_is_taken_over_on_sighup(self):
        server = self.start(config='[log]\nlevel = "error"\n')
        self.assertNotIn('"message":"ready"', server.log())
        server.config_file.write_text('[log]\nlevel = "info"\n')
        server.signal(signal.SIGHUP)
        wait_until("a line of level info", lambda: '"message":"reloaded"' in server.log())

    def test_a_wrong_file_on_sighup_changes_nothing_and_is_told(self):
        server = self.start(config="")
        server.config_file.write_text("[log]\nlevel = 3\n")
        server.signal(signal.SIGHUP)
        wait_until("the complaint", lambda: f"{server.config_file}:2" in server.log())
        self.assertEqual(server.plain.get("/").status, 404)


class DoctorTest(Case):
    def test_it_finds_a_wrong_master_key_and_a_damaged_database(self):
        server = self.start(demo=True)
        self.assertEqual(server.terminate(), 0)
        self.assertEqual(server.cli("doctor").returncode, 0)
        key = server.data / "master.key"
        good = key.read_text()
        other = Server()
        self.addCleanup(other.destroy)
        other.start()
        key.write_text((other.data / "master.key").read_text())
        done = server.cli("doctor")
        self.assertEqual(done.returncode, 1)
        self.assertIn("master key", done.stdout)
        key.write_text(good)
        database = server.data / "records.db"
        content = bytearray(database.read_bytes())
        for at in range(8192, len(content) - 4096, 4096):
            content[at:at + 512] = b"\xff" * 512
        database.write_bytes(content)
        done = server.cli("doctor")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("records.db", done.stdout)

    def test_beside_a_server_and_without_a_folder(self):
        server = self.start()
        done = server.cli("doctor", "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(str(server.process.pid), done.stdout)
        self.assertEqual(run("doctor", "--data", self.folder() / "absent").returncode, 1)


class MasterKeyTest(Case):
    def test_it_is_rotated_with_a_server_and_without(self):
        server = self.start(demo=True)
        before = (server.data / "master.key").read_text()
        done = server.cli("master-key", "rotate")
        self.assertEqual(done.returncode, 0, done.stderr)
        between = (server.data / "master.key").read_text()
        self.assertNotEqual(before, between)
        self.assertEqual(server.terminate(), 0)
        done = server.cli("master-key", "rotate")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotEqual(between, (server.data / "master.key").read_text())
        server.start()
        self.assertEqual(server.cli("doctor").returncode, 0)


if __name__ == "__main__":
    unittest.main()

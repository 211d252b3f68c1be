"""The cloud's process: started, stopped, killed, started again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from scones.local import control

SERVER = [sys.executable, "-m", "scones.local.server"]
TRUST = '{"Version": "2012-10-17", "Statement": []}'


def refusal(*arguments: str) -> str:
    """The one line that the server says before it ends with status 2."""
    done = subprocess.run([*SERVER, *arguments], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refusal("--home", str(tmp_path / "home"), "--port", port)
    assert f"port {port} of 127.0.0.1" in said
    assert "--port" in said
    assert not (tmp_path / "home").exists()


def test_a_home_that_is_taken_is_one_line(cloud: Any) -> None:
    assert "another local cloud runs on home" in refusal("--home", str(cloud.home), "--port", "0")


def test_a_home_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refusal("--home", str(tmp_path / "file" / "home"), "--port", "0")
    assert "cannot be written" in said


def test_other_hosts_than_loopback_need_a_flag(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::"):
        said = refusal("--home", str(tmp_path), "--host", host, "--port", "0")
        assert "--expose" in said
    for port in ("-1", "65536"):
        assert "choose 1 to 65535" in refusal("--home", str(tmp_path), "--port", port)


def test_a_cloud_in_the_background_is_started_found_and_stopped(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert control.status(home) is None
    running = control.start(home, arguments=["--port", "0"])
    try:
        assert control.status(home) == running
        with pytest.raises(ValueError, match="another local cloud runs on home"):
            control.start(home, arguments=["--port", "0"])
        assert control.status(home) == running
    finally:
        assert control.stop(home)
    assert control.status(home) is None
    assert not (home / "server.json").exists()
    assert not control.stop(home)


def test_a_note_of_a_cloud_that_was_killed_is_not_believed(
    start_cloud: Callable[..., Any],
) -> None:
    cloud = start_cloud()
    assert control.status(cloud.home) is not None
    cloud.kill()
    assert (cloud.home / "server.json").exists()
    assert control.status(cloud.home) is None
    again = start_cloud(home=cloud.home)
    running = control.status(cloud.home)
    assert running is not None
    assert running.pid == again.process.pid
    assert again.stop() == 0


def test_what_was_acknowledged_is_there_after_a_kill(start_cloud: Callable[..., Any]) -> None:
    cloud = start_cloud()
    cloud.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument=TRUST)
    cloud.kill()
    again = start_cloud(home=cloud.home)
    assert again.client("iam").get_role(RoleName="kept")["Role"]["RoleName"] == "kept"


def test_account_and_region_are_settings(start_cloud: Callable[..., Any]) -> None:
    cloud = start_cloud(arguments=("--account", "123456789012", "--region", "eu-west-1"))
    arn = cloud.client("sts").get_caller_identity()["Arn"]
    assert arn == "arn:aws:sts::123456789012:assumed-role/SconesRole/scones"
    running = control.status(cloud.home)
    assert running is not None
    assert (running.account, running.region) == ("123456789012", "eu-west-1")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_cloud_with_a_parent_ends_with_it(tmp_path: Path) -> None:
    command = [*SERVER, "--home", str(tmp_path), "--port", "0"]
    parent = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen({command!r} + ['--with-parent', str(os.getpid())],"
        " stdout=subprocess.DEVNULL)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent]) as process:
        running = _wait_for(lambda: control.status(tmp_path))
        process.send_signal(signal.SIGKILL)
    _wait_for(lambda: not _alive(running.pid))


def test_an_exposed_cloud_warns_and_takes_addresses_but_no_names(
    start_cloud: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    cloud = start_cloud(arguments=("--host", "0.0.0.0", "--expose"))
    assert "WARNING" in capfd.readouterr().err
    port = cloud.url.rpartition(":")[2]
    statuses = {}
    for host in ("192.168.0.7", "0.0.0.0", "localhost", "rebound.example.com"):
        with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as connection:
            asked = f"GET /_scones/health HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
            connection.sendall(asked.encode())
            statuses[host] = connection.recv(100).split()[1]
    assert statuses == {
        "192.168.0.7": b"200", "0.0.0.0": b"200", "localhost": b"200",
        "rebound.example.com": b"403",
    }  # fmt: skip


def test_the_servers_note_says_where_it_is(cloud: Any) -> None:
    note = json.loads((cloud.home / "server.json").read_text())
    assert note["url"] == cloud.url
    assert note["pid"] == cloud.process.pid
    session = boto3.Session("a", "b", region_name="us-east-1")
    sts = session.client("sts", endpoint_url=note["url"])
    assert sts.get_caller_identity()["Account"] == note["account"]


def _wait_for(condition: Callable[[], Any], within_s: float = 20) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")  # one that nobody has waited for is as good as gone
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"

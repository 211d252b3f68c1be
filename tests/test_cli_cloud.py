"""scones up, down, status, env, exec: as a person would type them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCONES = [sys.executable, "-c", "from scones.cli import main; main()"]


def scones(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SCONES, *arguments], capture_output=True, text=True, timeout=60, **options
    )


def test_the_cloud_goes_up_and_down_and_tells_where_it_is(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "home"))
    before = scones("status", *home)
    assert (before.returncode, before.stdout.startswith("No local cloud")) == (1, True)
    up = scones("up", *home, "--port", "0")
    try:
        assert (up.returncode, up.stderr) == (0, "")
        assert "listens on http://127.0.0.1:" in up.stdout
        assert "runs already" in scones("up", *home, "--port", "0").stdout
        assert "port is 99999" in scones("up", *home, "--port", "99999").stderr
        told = scones("status", *home)
        assert (told.returncode, "000000000000" in told.stdout) == (0, True)
    finally:
        down = scones("down", *home)
    assert (down.returncode, down.stdout) == (0, "The local cloud is stopped.\n")
    assert "No local cloud runs" in scones("down", *home).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up", "--home", "/proc/none", "--port", "0"], "cannot be written"),
        (["up", "--home", "{tmp}", "--port", "70000"], "port is 70000"),
        (["up", "--home", "{tmp}", "--host", "0.0.0.0"], "--expose"),
        (["up", "--home", "{tmp}", "--region", "mars"], "region is 'mars'"),
        (["up", "--home", "{tmp}", "--account", "42"], "account is '42'; it should be 12 digits"),
        (
            ["up", "--home", "{tmp}", "--capture-window-s", "-1"],
            "capture_window_s is -1.0; it should be above 0",
        ),
        (["up", "--home", "{tmp}", "--capture-window-s", "nan"], "capture_window_s is nan"),
        (["up", "--home", "{tmp}", "--max-concurrent", "0"], "max_concurrent is 0; it should be 1"),
        (["env", "--home", "{tmp}"], "scones up"),
        (["exec", "--home", "{tmp}", "--", "true"], "scones up"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, which nobody can write to")
def test_what_the_user_can_put_right_is_one_line(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = scones(*(each.format(tmp=tmp_path) for each in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("scones: ")
    assert said in done.stderr


@pytest.mark.slow
def test_a_region_is_the_clouds_or_refused(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "home"))
    began = scones("destroy", *home, "--region", "eu-west-1")
    assert (began.returncode, "Nothing to delete" in began.stdout) == (0, True)
    assert scones("up", *home, "--port", "0").returncode == 0
    try:
        other = scones("destroy", *home, "--region", "eu-west-1")
        assert (other.returncode, other.stderr.count("\n")) == (2, 1)
        assert "stands in us-east-1; leave --region out" in other.stderr
        assert scones("destroy", *home, "--region", "us-east-1").returncode == 0
    finally:
        scones("down", *home)


ELSEWHERE = {
    "AWS_PROFILE": "mine",
    "AWS_DEFAULT_PROFILE": "mine",
    "AWS_SESSION_TOKEN": "old",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "no_proxy": "intranet",
}
"""What would lead a program to AWS, or to nowhere."""


def test_a_shell_is_pointed_at_the_cloud(cloud: Any) -> None:
    script = f'eval "$({" ".join(map(quoted, SCONES))} env --home {cloud.home})"; env'
    around = {**os.environ, **ELSEWHERE}
    done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, env=around)
    told = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    assert told["AWS_ENDPOINT_URL"] == cloud.url
    assert told["AWS_REGION"] == "us-east-1"
    assert not ELSEWHERE.keys() & told.keys() - {"no_proxy"}
    assert told["no_proxy"] == told["NO_PROXY"] == "localhost,127.0.0.1,intranet"
    assert Path(sys.executable).parent.as_posix() in told["PATH"].split(os.pathsep)
    config = Path(told["SAGEMAKER_USER_CONFIG_OVERRIDE"]).read_text()
    assert "TelemetryOptOut: true" in config


def quoted(text: str) -> str:
    return f"'{text}'"


ASK = """
import boto3
for address in (None, "https://sts.eu-west-1.amazonaws.com"):
    print(boto3.client("sts", endpoint_url=address).get_caller_identity()["Arn"])
for address in (None, "https://s3.us-east-1.amazonaws.com"):
    s3 = boto3.client("s3", endpoint_url=address)
    s3.create_bucket(Bucket="named-outright")
    s3.put_object(Bucket="named-outright", Key="a b", Body=b"x")
    print(s3.list_objects_v2(Bucket="named-outright")["Contents"][0]["Key"].encode())
"""


def test_any_program_finds_the_cloud_also_behind_an_address_of_aws(cloud: Any) -> None:
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    command = ["exec", "--home", str(cloud.home), "--", sys.executable, "-c", ASK]
    done = scones(*command, env={**os.environ, **ELSEWHERE, **nowhere})
    assert done.returncode == 0, done.stderr
    arn = "arn:aws:sts::000000000000:assumed-role/SconesRole/scones"
    assert done.stdout.splitlines() == [arn, arn, "b'a b'", "b'a b'"]


def test_the_program_runs_with_its_own_arguments_and_exit_status(cloud: Any) -> None:
    program = "import sys; print(sys.argv[1:]); sys.exit(7)"
    command = ["exec", "--home", str(cloud.home), "--", sys.executable, "-c", program, "--help"]
    done = scones(*command)
    assert (done.returncode, done.stdout) == (7, "['--help']\n")
    missing = scones("exec", "--home", str(cloud.home), "--", "no-such-program")
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)


def test_the_aws_command_line_works(cloud: Any) -> None:
    aws = Path(sys.executable).parent / "aws"
    if not aws.exists():
        pytest.skip("needs the aws command line of the dev dependencies")
    home = ("exec", "--home", str(cloud.home), "--", str(aws))
    said = scones(*home, "iam", "get-role", "--role-name", "SconesRole", "--query", "Role.Arn")
    assert said.stdout.strip() == '"arn:aws:iam::000000000000:role/service-role/SconesRole"'

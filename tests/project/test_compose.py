"""compose.yaml and Dockerfile: files exist, commands parse, ports are local, and the image can be built."""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
import typer
import yaml

from connectors.kafka.address import TopicAddress
from connectors.redis.health import redis_problems
from dataflows.settings import descriptions, load
from tacit_cli.app import app
from tacit_lab.embedded import wheel_binary
from tests.support.conditions import eventually
from tests.support.quick_compiler import quick_compiler

PROJECT = Path(__file__).resolve().parents[2]
TEXT = (PROJECT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LONG_RUNNING = sorted(SERVICES.keys() - {"topics"})
ENVIRONMENT = {name: hashlib.sha256(name.encode()).hexdigest() for name in re.findall(r"\$\{(\w+):\?", TEXT)}

Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    """Return the instructions of the Dockerfile, each on one line."""
    lines = [line for line in (PROJECT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in joined]


DOCKERFILE = instructions()


def values_of(instruction: str) -> list[str]:
    return [words for name, words in DOCKERFILE if name == instruction]


def interpolated(value: Any) -> Any:
    """Return a value as Compose interpolates it: variables from the environment, `$$` for a dollar."""
    if isinstance(value, dict):
        return {key: interpolated(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [interpolated(inner) for inner in value]
    if not isinstance(value, str):
        return value
    return re.sub(r"\$\$|\$\{(\w+):([-?])([^}]*)\}", _variable, value)


def _variable(found: re.Match[str]) -> str:
    name, kind, rest = found.groups()
    if name is None:
        return "$"
    return ENVIRONMENT[name] if kind == "?" else rest


REDIS = interpolated(SERVICES["redis"])


def parsed(words: list[str]) -> dict[str, Any]:
    """Return the parameters of a `tacit` command line; raise a usage error for a wrong one."""
    group: Any = typer.main.get_command(app)
    context = group.make_context("tacit", list(words))
    name, command, rest = group.resolve_command(context, list(words))
    parameters: dict[str, Any] = command.make_context(name, rest, parent=context).params
    return parameters


def test_images_are_pinned() -> None:
    """Every image has the version of a release, not `latest`."""
    bases = [words.split()[0] for words in values_of("FROM")]
    images = [service["image"] for service in SERVICES.values()]
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image in bases + images), bases + images


def test_all_stages_have_the_same_base() -> None:
    """Packages that are built for one Python do not run on another."""
    assert len({words.split()[0] for words in values_of("FROM")}) == 1


def test_kafka_has_the_tested_version() -> None:
    """Tests and compose.yaml start the same broker."""
    pom = (PROJECT / "tests" / "support" / "broker" / "pom.xml").read_text()
    version = re.search(r"<kafka\.version>([^<]+)</", pom)
    assert version is not None
    assert {SERVICES[name]["image"] for name in ("kafka", "topics")} == {f"apache/kafka:{version[1]}"}


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    """Connections are not encrypted, so other machines must not reach them."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_service_has_no_capability(name: str) -> None:
    """Nor can a service gain one."""
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in SERVICES[name]


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_long_running_service_has_a_health_check_and_restarts(name: str) -> None:
    """The health check of the worker is in its image."""
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert "healthcheck" in SERVICES[name] or values_of("HEALTHCHECK")


def test_service_waits_for_its_dependencies() -> None:
    """A dependency is healthy, or has completed, before a dependent service starts."""
    for service in SERVICES.values():
        for name, wait in service.get("depends_on", {}).items():
            once = SERVICES[name]["restart"] == "on-failure"
            assert wait["condition"] == ("service_completed_successfully" if once else "service_healthy")


def test_mounts_exist() -> None:
    """Files come from the project, read-only; all other data lives in declared volumes."""
    mounts = [mount.split(":") for service in SERVICES.values() for mount in service.get("volumes", [])]
    for source, _, *mode in mounts:
        if source.startswith("."):
            assert (PROJECT / source).is_file()
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]


def test_secrets_come_from_the_environment() -> None:
    """A secret has no default: Compose stops and prints how to make one. The header of the file names all of them."""
    header = re.findall(r"^# +for name in (.*); do$", TEXT, re.MULTILINE)
    assert [set(names.split()) for names in header] == [set(ENVIRONMENT)]
    assert set(ENVIRONMENT) == {"TACIT_SECRET", "TACIT_LINK_SECRET"} | {
        f"REDIS_{user}_PASSWORD" for user in ("READER", "WRITER", "AUDITOR")
    }
    for line in re.findall(r"^ +\w*(?:SECRET|PASSWORD): .*$", TEXT, re.MULTILINE):
        assert ":?" in line


def test_worker_runs_with_valid_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line parses, and settings, environment and volumes fit together."""
    worker = interpolated(SERVICES["worker"])
    for name, value in worker["environment"].items():
        monkeypatch.setenv(name, value)
    parameters = parsed(worker["command"])
    settings = load({name: value for name, value in parameters.items() if name in descriptions()})
    assert f"state:{settings.state}" in worker["volumes"]
    assert settings.metrics == "0.0.0.0:9464"
    assert settings.redis.endswith("@redis:6379/0")


def test_service_runs_with_valid_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends to the topic of the worker, asks for its metrics, and the health check is at its port."""
    service, worker = interpolated(SERVICES["service"]), SERVICES["worker"]
    for name, value in service["environment"].items():
        monkeypatch.setenv(name, value)
    settings = load({name: value for name, value in parsed(service["command"]).items() if name in descriptions()})
    assert settings.source == parsed(worker["command"])["source"]
    assert settings.link_secret
    assert settings.worker_metrics == (f"http://worker:{worker['environment']['TACIT_METRICS'].rpartition(':')[2]}",)
    assert f"http://127.0.0.1:{settings.listen.rpartition(':')[2]}/readyz" in service["healthcheck"]["test"][-1]
    assert settings.keys is not None
    assert service["volumes"] == [f"service:{settings.keys.parent}"]


def test_topics_of_the_worker_are_created() -> None:
    """Source and rejects are topics; the broker does not create topics by itself."""
    worker = parsed(SERVICES["worker"]["command"])
    addresses = [TopicAddress.parse(address) for address in (worker["source"], worker["rejects"])]
    created = re.search(r"for topic in ([\w ]+); do", SERVICES["topics"]["command"][0])
    assert created is not None
    assert {address.topic for address in addresses} == set(created[1].split())
    advertised = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert all(f"://{server}," in advertised for address in addresses for server in address.servers)


def test_commands_in_the_comments_parse() -> None:
    """Commands that the header of compose.yaml shows are valid."""
    typed = re.findall(r"^# +docker compose (?:run --rm \w+|exec worker tacit) (.*)$", TEXT, re.MULTILINE)
    assert len(typed) == 3
    for words in typed:
        assert parsed(shlex.split(words))


def test_image_copies_existing_files() -> None:
    """Every source exists, and .dockerignore lets it through to the builder."""
    allowed = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [words.split()[:-1] for words in values_of("COPY") if not words.startswith("--from")]
    sources = {source for sources in copied for source in sources}
    assert all((PROJECT / source).exists() for source in sources)
    assert sources == allowed


def test_image_builds_both_wheels_from_its_files(tmp_path: Path) -> None:
    """The command of the build stage succeeds in a folder with the copied files alone."""
    for words in values_of("COPY"):
        if not words.startswith("--from"):
            for source in words.split()[:-1]:
                copy = shutil.copytree if (PROJECT / source).is_dir() else shutil.copyfile
                copy(PROJECT / source, tmp_path / source)
    (build,) = re.findall(r"python -m pip wheel ([^&]*)", " ".join(values_of("RUN")))
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", *build.split())
    subprocess.run(command, cwd=tmp_path, env=os.environ | quick_compiler(tmp_path), check=True)
    wheels = {wheel.name.partition("-")[0] for wheel in (tmp_path / "dist").iterdir()}
    assert wheels == {"tacit_signals", "tacit_worker"}


def test_image_runs_unprivileged_and_stops_in_order() -> None:
    """The user is a number, the entry point is no shell, and the stop signal is that of an orderly stop."""
    assert values_of("USER") == ["10001:10001"]
    assert values_of("ENTRYPOINT") == ['["tacit"]']
    assert values_of("STOPSIGNAL") == ["SIGTERM"]


def test_image_checks_health_where_the_worker_answers() -> None:
    """The health check requests the port of the metrics, without tools that the image lacks."""
    (check,) = values_of("HEALTHCHECK")
    port = SERVICES["worker"]["environment"]["TACIT_METRICS"].rpartition(":")[2]
    assert f"http://127.0.0.1:{port}/readyz" in check
    assert values_of("EXPOSE") == [port]
    assert "curl" not in check


@pytest.fixture
def redis_socket(tmp_path: Path) -> Iterator[Path]:
    """Start Redis as compose.yaml does, in another folder and on a socket; return the socket."""
    socket = tmp_path / "redis.sock"
    folders = {"/etc/tacit": PROJECT / "connectors" / "redis", "/tmp": tmp_path, "/data": tmp_path}  # noqa: S108  # a path in the container
    script = re.sub("|".join(folders), lambda found: str(folders[found[0]]), REDIS["command"][0])
    listening = f"{script.rstrip()} --port 0 --unixsocket {socket}"
    process = subprocess.Popen([*REDIS["entrypoint"], listening], env=redis_environment(), stdout=subprocess.DEVNULL)
    try:
        eventually(socket.exists, within_s=10, what="Redis")
        yield socket
    finally:
        process.kill()
        process.wait()


def redis_environment() -> dict[str, str]:
    return {**REDIS["environment"], "PATH": f"{wheel_binary().parent}:{os.environ['PATH']}"}


def test_redis_accepts_workers_and_readers_only(redis_socket: Path) -> None:
    """With passwords in the template, the checks of a worker pass, a reader reads, and a stranger is rejected."""
    writer, reader = (
        f"unix://tacit-{user}:{REDIS['environment'][f'{user.upper()}_PASSWORD']}@{redis_socket}"
        for user in ("writer", "reader")
    )
    assert redis_problems(writer, "eu") == []
    with closing(redis.Redis.from_url(reader, protocol=2)) as client:
        assert client.hgetall("tacit:v1:eu:{live}:defaults") == {}
    with (
        closing(redis.Redis.from_url(f"unix://{redis_socket}", protocol=2)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_health_check_of_redis_finds_a_server_and_its_absence(redis_socket: Path) -> None:
    """The health check connects as a reader."""
    shell, check = REDIS["healthcheck"]["test"]
    assert shell == "CMD-SHELL"
    for socket, healthy in ((redis_socket, True), (redis_socket.with_name("other.sock"), False)):
        there = check.replace("redis-cli", f"redis-cli -s {socket}")
        run = subprocess.run(["/bin/sh", "-c", there], env=redis_environment(), capture_output=True, check=False)
        assert (run.returncode == 0) is healthy, run.stderr

"""tacit_service/mcp: tools and resources by the protocol's own client, over the scopes and audit of a real service."""

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tacit import Event, Interaction, Pin, decode_event
from tacit.contract.catalogue import SHIPPED
from tests.support.commands import running, tacit
from tests.support.conditions import eventually
from tests.support.mcp_clients import Tools, on_stdio, over_http, status, with_key
from tests.support.ports import free_port
from tests.support.replays import redis_of_its_own
from tests.support.service import ALL, Service, made_key, serving

USER = "ada@example.org/é"
EVENTS = "events.jsonl"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service whose source is a file."""
    folder = tmp_path_factory.mktemp("service")
    (folder / EVENTS).touch()
    with redis_of_its_own() as (url, _), serving(folder, url, "--source", EVENTS) as found:
        yield found


def new_key(service: Service, name: str, scopes: str = ALL) -> str:
    """Return a new key, once the service knows it."""
    key = made_key(service.folder, name, scopes)
    headers = {"Authorization": f"Bearer {key}"}
    address = f"{service.url}/v1/catalogue"
    eventually(lambda: httpx2.get(address, headers=headers).status_code == 200, within_s=10, what="the new key")
    return key


def sent(service: Service) -> list[Event]:
    """Return the events of the source."""
    return [decode_event(line) for line in (service.folder / EVENTS).read_bytes().splitlines()]


def log_of(service: Service) -> Path:
    return service.folder / "stdio.log"


def test_tools_and_resources_of_a_single_user(service: Service) -> None:
    """A user id is opaque: an address, a slash and other letters are one segment of the API's path."""

    async def use(tools: Tools) -> None:
        names = {tool.name: tool for tool in (await tools.client.list_tools()).tools}
        assert names.keys() == {"read_catalogue", "read_context", "prefer", "consent", "forget"}
        hints = names["forget"].annotations
        assert hints is not None
        assert hints.destructive_hint
        context = await tools.call("read_context", topic="code")
        assert (context["status"], context["consent"]["learn"]) == ("absent", "unasked")
        assert json.loads(await tools.read("tacit://context")) == context
        assert await tools.read("tacit://description") == context["text"]
        catalogue = json.loads(await tools.read("tacit://catalogue"))
        assert catalogue == await tools.call("read_catalogue")
        german = json.loads(await tools.read("tacit://catalogue?language=de"))
        assert german["facets"][0]["title"] != catalogue["facets"][0]["title"]

    on_stdio(service.url, service.key, log_of(service), use, "--user", USER)


def test_direction_is_feedback_on_the_served_value(service: Service) -> None:
    """With the entry that the answer followed, if the conversation is named."""

    async def use(tools: Tools) -> None:
        done = await tools.call("prefer", facet="length", direction="down")
        assert (done["feedback"], done["served"]) == ("shorter", "balanced")
        await tools.call("prefer", facet="expertise", direction="up", conversation="c-1", topic="code")

    on_stdio(service.url, service.key, log_of(service), use, "--user", "direct")
    plain, followed = [event for event in sent(service) if event.user_id == "direct"]
    assert isinstance(plain, Interaction)
    assert isinstance(followed, Interaction)
    assert plain.feedback is not None
    assert (plain.feedback.kind, plain.feedback.facets, plain.served) == ("shorter", ["length"], {"length": "balanced"})
    assert (plain.acted_on, plain.topic) == (None, None)
    assert followed.acted_on is not None
    assert [(entry.facet, entry.value) for entry in followed.acted_on] == [("expertise", "intermediate")]
    assert followed.topic == "code"


def test_value_is_a_pin_with_an_audit(service: Service) -> None:
    """By the name of the key, as for a call of the API."""

    async def use(tools: Tools) -> None:
        await tools.call("prefer", facet="tone", value="formal")
        await tools.call("prefer", facet="tone", value="none")
        await tools.call("consent", granted=False, scopes=["explore"])
        await tools.call("forget", confirm=True, facet="tone")
        await tools.call("forget", confirm=True)

    on_stdio(service.url, new_key(service, "helper"), log_of(service), use, "--user", "pinned")
    events = [event for event in sent(service) if event.user_id == "pinned"]
    assert [type(event).__name__ for event in events] == ["Pin", "Pin", "Consent", "Forget", "Forget"]
    assert [event.value for event in events if isinstance(event, Pin)] == ["formal", None]
    lines = [line for line in service.audit() if line["by"] == "helper"]
    assert [line["action"] for line in lines] == ["pin", "pin", "consent", "forget", "forget"]


def test_refused_calls_send_nothing_and_explain(service: Service) -> None:
    """So that a model can correct itself."""

    async def use(tools: Tools) -> list[str]:
        return [
            await tools.refusal("forget", confirm=False),
            await tools.refusal("prefer", facet="length"),
            await tools.refusal("prefer", facet="length", value="concise", direction="down"),
            await tools.refusal("prefer", facet="length", value="Please keep it short."),
            await tools.refusal("prefer", facet="tone", direction="down"),
            await tools.refusal("prefer", facet="length", direction="down", topic="gardening"),
            await tools.refusal("read_context", user="ben"),
            await tools.refusal("prefer", facet="length", direction="sideways"),
            # As a part of an address, two dots would lead to the user, and the deletion to everything.
            await tools.refusal("prefer", facet="..", value="none"),
            await tools.refusal("forget", confirm=True, facet=".."),
        ]

    before = sent(service)
    texts = on_stdio(service.url, service.key, log_of(service), use, "--user", "refused")
    assert sent(service) == before
    assert log_of(service).read_text() == ""  # no log has a user
    expected = [
        "Ask the user to confirm",
        "Give either a value",
        "Give either a value",
        "Allowed values are concise, balanced, detailed.",
        "allowed are expertise down, expertise up, length down, length up. Give a value instead.",
        "not_in_catalogue",
        "this server serves a single user",
        "direction",
        "cannot be a part of an address",
        "cannot be a part of an address",
    ]
    assert [text for text, part in zip(texts, expected, strict=True) if part not in text] == []


def test_server_for_all_users_needs_a_user(service: Service) -> None:
    """In each call."""

    async def use(tools: Tools) -> tuple[str, str]:
        context = json.loads(await tools.read("tacit://context?user=a%2Fb"))
        assert (await tools.call("read_context", user="a/b"))["user"] == context["user"]
        return await tools.refusal("read_context"), context["user"]

    refusal, user = on_stdio(service.url, service.key, log_of(service), use)
    assert "user: is required" in refusal
    assert user.startswith("k1.")


def test_end_of_the_scale_sends_nothing(service: Service, tmp_path: Path) -> None:
    """The answers are as short as the catalogue has it; feedback would train nothing."""
    catalogue = SHIPPED.read_text().replace('default = "balanced"', 'default = "concise"')
    (tmp_path / "catalogue.toml").write_text(catalogue)
    (tmp_path / EVENTS).touch()

    async def use(tools: Tools) -> str:
        return await tools.refusal("prefer", facet="length", direction="down")

    with (
        redis_of_its_own() as (url, _),
        serving(tmp_path, url, "--source", EVENTS, "--catalogue", "catalogue.toml") as other,
    ):
        text = on_stdio(other.url, other.key, tmp_path / "stdio.log", use, "--user", "ada")
        assert "length is concise, and no value lies further down. Nothing was sent." in text
        assert sent(other) == []


def test_scopes_over_http_are_those_of_each_key(service: Service, tmp_path: Path) -> None:
    """One server, and a key per client; none is kept."""
    reads, sends = new_key(service, "reads", "choose"), new_key(service, "sends", "choose,send")

    async def use(address: str) -> None:
        async with with_key(address, reads) as tools:
            assert (await tools.call("read_context", user="http"))["status"] == "absent"
            assert "The token needs the scope" in await tools.refusal(
                "prefer", user="http", facet="tone", value="formal"
            )
            assert "scope send" in await tools.refusal("prefer", user="http", facet="length", direction="up")
        async with with_key(address, sends) as tools:
            assert (await tools.call("prefer", user="http", facet="length", direction="up"))["feedback"] == "longer"
            assert "scope manage" in await tools.refusal("forget", user="http", confirm=True)
        async with with_key(address, service.key) as tools:
            await tools.call("prefer", user="http", facet="tone", value="formal")
        async with with_key(address, "tk_wrong") as tools:
            assert "A valid token is required." in await tools.refusal("read_context", user="http")

    with over_http(service.url, tmp_path) as address:
        asyncio.run(use(address))
        answer = httpx2.post(address, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="tacit"'
        foreign = {"Host": "evil.example", "Authorization": f"Bearer {service.key}"}
        assert httpx2.post(address, json={}, headers=foreign).status_code == 421
    kinds = [type(event).__name__ for event in sent(service) if event.user_id == "http"]
    assert kinds == ["Interaction", "Pin"]
    assert (tmp_path / "mcp.log").read_text() == ""


def test_service_that_is_away_is_an_explained_failure(service: Service) -> None:
    """The assistant can answer without Tacit."""

    async def use(tools: Tools) -> str:
        return await tools.refusal("read_context")

    log = service.folder / "away.log"
    text = on_stdio("http://127.0.0.1:1", service.key, log, use, "--user", USER)
    assert "The service does not answer (ConnectError). Try again later." in text
    assert log.read_text() == ""


def test_key_is_required_on_stdio() -> None:
    """And the address of HTTP has a port."""
    done = tacit("mcp")
    assert (done.returncode, "service_key: is required on stdio" in done.stderr) == (2, True)
    for address in ("somewhere", "127.0.0.1:0", "127.0.0.1:65536"):
        done = tacit("mcp", "--http", address)
        assert (done.returncode, "http: must be HOST:PORT with a port from 1 to 65535" in done.stderr) == (2, True)


def test_request_without_its_body_does_not_hold_up_the_end(service: Service, tmp_path: Path) -> None:
    """A client may never send the rest."""
    host, port = "127.0.0.1", free_port()
    words = ["mcp", "--http", f"{host}:{port}", "--service-url", service.url]
    with running(words, tmp_path / "mcp.log", {"tacit_service.mcp.transports.END_S": 1}) as run:
        run.wait_for(lambda: status(f"http://{host}:{port}/mcp") == 401, "an answer of the server")
        with socket.create_connection((host, port)) as client:
            lines = [
                "POST /mcp HTTP/1.1", f"Host: {host}:{port}", "Authorization: Bearer tk_x", "Content-Length: 9",
                "Content-Type: application/json", "Accept: application/json", "Expect: 100-continue", "", "",
            ]  # fmt: skip
            client.sendall("\r\n".join(lines).encode())
            assert client.recv(64).startswith(b"HTTP/1.1 100 ")  # the server waits for the body
            assert run.stop() == 128 + signal.SIGTERM


def test_address_in_use_is_one_error(service: Service) -> None:
    """With the address."""
    address = service.url.removeprefix("http://")
    done = tacit("mcp", "--http", address)
    assert done.returncode == 2
    assert done.stderr == f"tacit: http: {address} cannot be bound: Address already in use; name another address\n"


def test_host_that_no_name_may_have_is_one_error() -> None:
    """Two dots with a letter outside ASCII, of which the library has an error of its own."""
    done = tacit("mcp", "--http", "é..example:8081")
    assert done.returncode == 2
    assert done.stderr == "tacit: http: é..example:8081 cannot be bound: no host has this name; name another address\n"

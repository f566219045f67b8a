"""tacit/reader/cluster_map: commands go to the URL's server, and after a redirect to the holder of the hash slot."""

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, MovedError

from tacit.errors import ConfigurationError
from tacit.reader.cluster_map import (
    MAP_COMMAND,
    MAX_REDIRECTS,
    Address,
    ClusterMap,
    Replies,
    Requests,
    home_of,
    settings_of,
)
from tacit.reader.round_trips import Command, Reply, run

HOME, EAST, WEST = Address("home", 1), Address("east", 2), Address("west", 3)
HALF = REDIS_CLUSTER_HASH_SLOTS // 2
MAP = [[0, HALF - 1, [b"east", 2, b"id"], [b"replica", 4, b"id"]], [HALF, HALF * 2 - 1, [b"west", 3, b"id"]]]
GETS: list[Command] = [("GET", f"key-{number}") for number in range(20)]


class Servers:
    """Servers East and West, each with half of the hash slots; other servers redirect. `asked` has all commands."""

    def __init__(self) -> None:
        self.asked: list[tuple[Address, Command]] = []

    def __call__(self, requests: Requests) -> Replies:
        return {server: [self._reply(server, command) for command in each] for server, each in requests.items()}

    def _reply(self, server: Address, command: Command) -> Reply:
        self.asked.append((server, command))
        if command == MAP_COMMAND:
            return MAP
        holder = holder_of(command)
        if server == holder:
            return (command[1], server)
        return MovedError(f"{key_slot(str(command[1]).encode())} {holder.host}:{holder.port}")


def holder_of(command: Command) -> Address:
    return EAST if key_slot(str(command[1]).encode()) < HALF else WEST


def test_single_server_gets_all_commands_at_once() -> None:
    slots = ClusterMap(HOME)
    assert run(slots.follow(GETS), lambda requests: {HOME: list(map(str, requests[HOME]))}) == list(map(str, GETS))
    assert not slots.is_cluster
    assert slots.servers == [HOME]


def test_first_redirect_brings_the_whole_map() -> None:
    """After the second round trip, each command goes to the holder of its key."""
    slots, servers = ClusterMap(HOME), Servers()
    expected = [(command[1], holder_of(command)) for command in GETS]
    assert run(slots.follow(GETS), servers) == expected
    assert [server for server, command in servers.asked if command == MAP_COMMAND] == [HOME]
    assert slots.servers == [EAST, WEST]
    servers.asked.clear()
    assert run(slots.follow(GETS), servers) == expected
    assert [command for server, command in servers.asked if server != holder_of(command)] == []


def test_scripts_find_their_server_by_their_first_key() -> None:
    slots = ClusterMap(HOME)
    slots.update(MAP, HOME)
    for name in (b"EVALSHA", "EVAL"):
        requests = next(slots.follow([(name, "sha", 1, GETS[0][1], "argument")]))
        assert list(requests) == [holder_of(GETS[0])]


def test_slot_that_is_moving_is_asked_for_once_with_leave() -> None:
    """ASKING goes before the command, and the next command asks the old server again."""
    slots = ClusterMap(HOME)
    slots.update(MAP, HOME)
    [command] = [("GET", "key-0")]
    holder = holder_of(command)
    round_trips = slots.follow([command])
    assert next(round_trips) == {holder: [command]}
    assert round_trips.send({holder: [AskError("1 new:9")]}) == {Address("new", 9): [("ASKING",), command]}
    with pytest.raises(StopIteration) as end:
        round_trips.send({Address("new", 9): [b"OK", b"there"]})
    assert end.value.value == [b"there"]
    assert list(next(slots.follow([command]))) == [holder]


def test_redirects_end_at_a_limit() -> None:
    """The redirect is the reply then."""
    rounds = []

    def quarrel(requests: Requests) -> Replies:
        rounds.append(requests)
        there = EAST if HOME in requests else HOME
        return {server: [MovedError(f"1 {there.host}:{there.port}")] * len(each) for server, each in requests.items()}

    [reply] = run(ClusterMap(HOME).follow(GETS[:1]), quarrel)
    assert isinstance(reply, MovedError)
    assert len(rounds) == MAX_REDIRECTS + 1


def test_server_that_names_no_host_means_its_own() -> None:
    """As Redis 7 may: the port alone."""
    slots = ClusterMap(HOME)
    round_trips = slots.follow(GETS[:1])
    next(round_trips)
    assert Address("home", 7) in round_trips.send({HOME: [MovedError("1 :7")]})
    slots.update([[0, REDIS_CLUSTER_HASH_SLOTS - 1, [b"", 8]]], HOME)
    assert slots.servers == [Address("home", 8)]
    slots.update([[0, REDIS_CLUSTER_HASH_SLOTS - 1, [None, 9]]], HOME)
    assert slots.servers == [Address("home", 9)]


def test_right_that_is_missing_costs_a_redirect_per_slot() -> None:
    """Without the right to CLUSTER SLOTS, each redirect still updates one hash slot of the map."""
    slots = ClusterMap(HOME)
    slots.update(redis.exceptions.NoPermissionError("no"), HOME)
    assert not slots.is_cluster


@given(lost=st.lists(st.sampled_from([HOME, EAST, WEST]), max_size=6))
def test_others_are_asked_for_what_a_lost_server_holds(lost: list[Address]) -> None:
    """No command goes to the server lost last, and each hash slot has a server."""
    slots = ClusterMap(HOME)
    slots.update(MAP, HOME)
    for server in lost:
        slots.lose(server)
        assert server not in slots.servers
    assert set(slots.servers) <= {HOME, EAST, WEST, Address("replica", 4)}
    assert all(sum(len(each) for each in next(slots.follow([get])).values()) == 1 for get in GETS)


def test_single_server_that_is_lost_is_still_the_one_to_ask() -> None:
    slots = ClusterMap(HOME)
    slots.lose(HOME)
    assert slots.servers == [HOME]


def test_settings_of_another_server_differ_in_host_and_port_only() -> None:
    settings = {"host": "home", "port": 1, "username": "tacit-writer", "socket_timeout": 5.0}
    assert home_of(settings) == HOME
    assert settings_of(HOME, HOME, settings) == settings
    assert settings_of(EAST, HOME, settings) == settings | {"host": "east", "port": 2}
    assert home_of({"path": "/run/redis.sock"}) == Address("/run/redis.sock", 0)
    assert home_of({}) == Address("localhost", 6379)


def test_server_that_reports_a_down_cluster_gets_no_further_command() -> None:
    """The server may have left the cluster; other servers have the map."""
    slots = ClusterMap(HOME)
    slots.update(MAP, HOME)
    holder = holder_of(GETS[0])
    round_trips = slots.follow(GETS[:1])
    next(round_trips)
    with pytest.raises(StopIteration):
        round_trips.send({holder: [redis.exceptions.ClusterDownError("down")]})
    assert holder not in slots.servers
    assert HOME not in slots.servers


@pytest.mark.parametrize(
    "reply", [None, b"x", [b"x"], [[0, 16_383]], [[0, 16_383, []]], [[0, 99_999, [b"h", 1]]], [[0, 1, [b"h", b"p"]]]]
)
def test_map_that_is_none_changes_nothing(reply: Reply) -> None:
    slots = ClusterMap(HOME)
    slots.update(reply, HOME)
    assert not slots.is_cluster


def test_redirect_for_a_slot_that_cannot_be_is_survived() -> None:
    slots = ClusterMap(HOME)
    slots.update(MAP, HOME)
    round_trips = slots.follow(GETS[:1])
    next(round_trips)
    assert Address("east", 2) in round_trips.send({holder_of(GETS[0]): [MovedError("99999 east:2")]})


def test_cluster_behind_a_unix_socket_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not unix://"):
        settings_of(EAST, Address("/run/redis.sock", 0), {"path": "/run/redis.sock"})

"""Environments of the peers: reasons for a peer that cannot run, and reuse of an environment."""

from pathlib import Path

import pytest

from benchmarks.peers.environments import FOLDER, PEERS, Peer, PeerUnavailableError, installed_python


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_peer_without_its_program_is_unavailable_by_name() -> None:
    """The reason names the program; nothing is installed."""
    with pytest.raises(PeerUnavailableError, match="needs no-such-program"):
        installed_python(Peer("Peer", "peer_job", (), programs=("no-such-program",)))
    assert not FOLDER.exists()


def test_peer_that_cannot_be_installed_is_unavailable() -> None:
    """The reason is pip's own; a later run tries again."""
    for _ in range(2):
        with pytest.raises(PeerUnavailableError, match=r"cannot be installed: .*no-such-package"):
            installed_python(Peer("Peer", "peer_job", ("./no-such-package",)))


def test_environment_with_the_same_requirements_is_used_again() -> None:
    """Another version makes a new environment."""
    folder = FOLDER / "peer_job"
    folder.mkdir(parents=True)
    (folder / "installed").write_text("./no-such-package")
    python = installed_python(Peer("Peer", "peer_job", ("./no-such-package",)))
    assert python == folder.absolute() / "bin" / "python"
    with pytest.raises(PeerUnavailableError):
        installed_python(Peer("Peer", "peer_job", ("./no-such-package", "./another")))


def test_versions_are_pinned() -> None:
    """A peer's name has its version."""
    for peer in PEERS:
        version = peer.name.rpartition(" ")[2]
        assert any(requirement.endswith(f"=={version}") for requirement in peer.requirements)

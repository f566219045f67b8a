"""A state folder from outside: what it was made for and who is in it, without holding it or writing into it."""

from dataclasses import dataclass
from pathlib import Path

from dataflows.state_folder import DESCRIPTION, FORMAT, SHARDS, Identity, read_identity, read_vocabulary
from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.storage.checkpoint_reader import CheckpointReader
from tacit.contract.pseudonyms import fingerprint


@dataclass(frozen=True, slots=True)
class Inspected:
    """A state folder that can be read, also while a run holds it."""

    path: Path
    identity: Identity
    catalogue: NumberedCatalogue
    """The catalogue asked for, with the folder's numbers."""
    shelf: CheckpointReader

    def require_secret(self, secret: bytes) -> None:
        """Make sure that pseudonyms made with this secret are those of the folder.

        Raises:
            StateError: if they are others.
        """
        if fingerprint(secret) != self.identity.secret:
            raise StateError(
                f"the state folder {self.path} was made under another secret, so nobody would be found in it: "
                "set TACIT_SECRET to the one that its workers have"
            )


def identity_of(folder: Path) -> Identity:
    """Return what a folder was made for.

    Raises:
        StateError: if it is no state folder, one of another format, or damaged.
    """
    if not (folder / DESCRIPTION).exists():
        raise StateError(
            f"{folder} is no state folder: it has no {DESCRIPTION}; name one that a run was given by --state"
        )
    identity = read_identity(folder)
    if identity.format != FORMAT:
        raise StateError(
            f"the state folder {folder} has format {identity.format}, and this version reads {FORMAT}: "
            "use the version that wrote it, or replay history into a new folder"
        )
    return identity


def inspect(folder: Path, catalogue: NumberedCatalogue) -> Inspected:
    """Return a folder's people as its newest checkpoints have them.

    Raises:
        StateError: as `identity_of`, and if its workers have never had such a catalogue.
    """
    identity = identity_of(folder)
    vocabulary = read_vocabulary(folder)
    if vocabulary.including(catalogue) is not vocabulary:
        raise StateError(
            f"the catalogue has names that the state folder {folder} does not know: "
            "give the catalogue of its workers by --catalogue"
        )
    numbered = catalogue.numbered(vocabulary)
    return Inspected(folder, identity, numbered, CheckpointReader(folder / SHARDS, identity.shards, numbered))

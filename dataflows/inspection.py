"""Inspection of a state folder without a lock and without writes, also while a run uses the folder."""

from dataclasses import dataclass
from pathlib import Path

from dataflows.state_folder import DESCRIPTION, READABLE_FORMATS, SHARDS, Identity, read_identity, read_vocabulary
from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.storage.checkpoint_reader import CheckpointReader
from tacit.contract.pseudonyms import fingerprint


@dataclass(frozen=True, slots=True)
class Inspected:
    """State folder with its identity, its catalogue and its newest checkpoints."""

    path: Path
    identity: Identity
    catalogue: NumberedCatalogue
    """Catalogue with the numbers of the folder's vocabulary."""
    checkpoints: CheckpointReader

    def require_secret(self, secret: bytes) -> None:
        """Check that the secret is the secret of the folder's pseudonyms.

        Raises:
            StateError: the folder was made under another secret.
        """
        if fingerprint(secret) != self.identity.secret:
            raise StateError(
                f"the state folder {self.path} was made under another secret, so a search finds no user: "
                "set TACIT_SECRET to the one that its workers have"
            )


def identity_of(folder: Path) -> Identity:
    """Return the identity of a state folder.

    Raises:
        StateError: the folder is no state folder, has another format, or is damaged.
    """
    if not (folder / DESCRIPTION).exists():
        raise StateError(
            f"{folder} is no state folder: it has no {DESCRIPTION}; name one that a run was given by --state"
        )
    identity = read_identity(folder)
    if identity.format not in READABLE_FORMATS:
        formats = f"{', '.join(map(str, READABLE_FORMATS[:-1]))} and {READABLE_FORMATS[-1]}"
        raise StateError(
            f"the state folder {folder} has format {identity.format}, and this version reads {formats}: "
            "use the version that wrote it, or replay history into a new folder"
        )
    return identity


def inspect(folder: Path, catalogue: NumberedCatalogue) -> Inspected:
    """Return a state folder with a reader of its newest checkpoints.

    Raises:
        StateError: an error of `identity_of`, or the catalogue has names that are not in the folder's vocabulary.
    """
    identity = identity_of(folder)
    vocabulary = read_vocabulary(folder)
    if vocabulary.including(catalogue) is not vocabulary:
        raise StateError(
            f"the catalogue has names that are not in the vocabulary of the state folder {folder}: "
            "give the catalogue of its workers by --catalogue"
        )
    numbered = catalogue.numbered(vocabulary)
    return Inspected(folder, identity, numbered, CheckpointReader(folder / SHARDS, identity.shards, numbered))

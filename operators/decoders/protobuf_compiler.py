"""The text of a Protobuf schema → descriptors, by Google's own compiler, in a process of its own.

A registry returns text, and the compiler is the one complete reader of it. The process bounds its time, and a crash on
a strange text ends that process alone.
"""

import re
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc_tools  # type: ignore[import-untyped]  # has no types
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from operators.decoders.framed import UnusableSchemaError
from state.events.registered_schema import RegisteredSchema

TIMEOUT_S = 30

_SCHEMA_FILE = "tacit_registered_schema.proto"
_IMPORT = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*\.proto")
"""Names of imported files: relative, and below the folder."""


def compiled(schema: RegisteredSchema) -> tuple[FileDescriptorProto, DescriptorPool]:
    """Return the description of a schema, and a pool with its messages.

    Raises:
        UnusableSchemaError: the schema does not compile.
    """
    with TemporaryDirectory(prefix="tacit-protobuf-") as name:
        folder = Path(name)
        for path, text in (*schema.references, (_SCHEMA_FILE, schema.text)):
            _write(folder, path, text)
        found = FileDescriptorSet.FromString(_compile(folder))
    pool = DescriptorPool()
    for file in found.file:
        pool.Add(file)
    return found.file[-1], pool


def _write(folder: Path, name: str, text: str) -> None:
    if not _IMPORT.fullmatch(name) or "google/protobuf/" in name:
        raise UnusableSchemaError("a reference has no name of a file")
    path = folder / "schemas" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _compile(folder: Path) -> bytes:
    out = folder / "descriptors"
    with as_file(files(grpc_tools) / "_proto") as known:
        options = (f"-I{folder / 'schemas'}", f"-I{known}", "--include_imports", f"--descriptor_set_out={out}")
        # -I: no module of another folder takes the place of the compiler.
        command = (sys.executable, "-I", "-m", "grpc_tools.protoc", *options, _SCHEMA_FILE)
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)  # noqa: S603  # no shell
            return out.read_bytes()
        except (subprocess.SubprocessError, OSError):
            raise UnusableSchemaError("it does not compile") from None

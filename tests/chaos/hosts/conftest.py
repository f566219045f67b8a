"""Fixture of a real S3 server that a test may kill."""

from tests.support.object_server import s3, s3_server

__all__ = ["s3", "s3_server"]

"""Rights to mosaics and their sources: the calls that the store and the readers make, and what they make them on."""

from aws_cdk import Stack

from infrastructure.options import Options
from infrastructure.rights import Right
from infrastructure.storage import DOCUMENTS, Storage

READ_TABLE = ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query")
WRITE_TABLE = ("dynamodb:PutItem", "dynamodb:BatchWriteItem")
"""The store creates items under a condition; it writes parts, and deletes, in batches."""
READ_OBJECTS = ("s3:GetObject",)
WRITE_OBJECTS = ("s3:PutObject", "s3:DeleteObject")
_DOCUMENTS = "Documents are named after mosaics and their contents, within the store's own folder of its own bucket."
_SOURCES = "Which rasters there are is the business of those who registered them, within the folders that are allowed."


def read_store(storage: Storage) -> list[Right]:
    """Mosaics as they are."""
    return [
        Right(sid="ReadTable", actions=READ_TABLE, resources=[storage.table.table_arn]),
        Right(sid="ReadDocuments", actions=READ_OBJECTS, resources=[_documents(storage)], wildcard=_DOCUMENTS),
    ]


def write_store(storage: Storage) -> list[Right]:
    """Mosaics made, changed and deleted."""
    return [
        Right(sid="WriteTable", actions=(*READ_TABLE, *WRITE_TABLE), resources=[storage.table.table_arn]),
        Right(
            sid="WriteDocuments",
            actions=(*READ_OBJECTS, *WRITE_OBJECTS),
            resources=[_documents(storage)],
            wildcard=_DOCUMENTS,
        ),
    ]


def read_sources(options: Options, stack: Stack) -> list[Right]:
    """The allowed folders of the buckets that ask who reads; the anonymous ones do not, and need no right."""
    allowed = [host.removeprefix("s3://").rstrip("/") for host in options.allowed_hosts if host.startswith("s3://")]
    signed = [folder for folder in allowed if options.buckets[folder.partition("/")[0]].needs_right]
    if not signed:
        return []
    resources = [f"arn:{stack.partition}:s3:::{folder}/*" for folder in signed]
    return [Right(sid="ReadSources", actions=READ_OBJECTS, resources=resources, wildcard=_SOURCES)]


def _documents(storage: Storage) -> str:
    return storage.bucket.arn_for_objects(f"{DOCUMENTS}/*")

"""Pages of a listing, read as the SDK reads them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from azure.storage.blob import (
    BlobBlock,
    BlobServiceClient,
    ContainerClient,
    StandardBlobTier,
)
from hypothesis import given
from hypothesis import strategies as st

from storage.azure_listing import ListedBlob, UnreadablePage, from_properties, parse_page

DATE = "Fri, 01 Mar 2024 12:00:00 GMT"


@pytest.fixture
def container(azurite: str) -> Iterator[ContainerClient]:
    with BlobServiceClient.from_connection_string(azurite) as service:
        yield service.create_container(f"listing-{uuid.uuid4().hex}")


def row(name: str = "<Name>a.jpg</Name>", more: str = "", after: str = "") -> str:
    return (
        f"<Blob>{name}<Properties><Last-Modified>{DATE}</Last-Modified><Etag>0x1</Etag>"
        f"<Content-Length>7</Content-Length>{more}</Properties>{after}</Blob>"
    )


def page(*rows: str, marker: str = "<NextMarker />") -> bytes:
    return (
        '\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="photos">'
        f"<Blobs>{''.join(rows)}</Blobs>{marker}</EnumerationResults>"
    ).encode()


def only(*parts: str, **named: str) -> ListedBlob:
    ((blob,), _) = parse_page(page(row(*parts, **named)))
    return blob


def test_a_page_says_what_the_sdk_says(container: ContainerClient):
    container.upload_blob("plain.jpg", b"content")
    container.upload_blob("empty.jpg", b"")
    container.upload_blob("ü 日本\n&<>%20.jpg", b"x", metadata={"key": "value"})
    container.upload_blob("folder", b"", metadata={"hdi_isfolder": "true"})
    in_blocks = container.get_blob_client("no md5.jpg")
    in_blocks.stage_block("00", b"x")
    in_blocks.commit_block_list([BlobBlock("00")])
    cold = container.upload_blob("cold.jpg", b"x")
    cold.set_standard_blob_tier(StandardBlobTier.ARCHIVE)
    bodies: list[bytes] = []
    listed = container.list_blobs(
        include=["metadata"],
        raw_response_hook=lambda answer: bodies.append(answer.http_response.body()),
    )
    by_the_sdk = [from_properties(properties) for properties in listed]
    blobs, marker = parse_page(bodies[0])
    assert blobs == by_the_sdk
    assert len(blobs) == 6
    assert {blob.content_md5 is None for blob in blobs} == {True, False}
    assert marker == ""


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_name_comes_back_from_the_encoding_of_the_service(name: str):
    assert only(f'<Name Encoded="true">{quote(name)}</Name>').name == name


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF), min_size=1))
def test_a_name_that_is_not_encoded_is_as_it_is_written(name: str):
    assert only(f"<Name>{escape(name)}</Name>").name == name


def test_a_marker_is_where_the_next_page_begins():
    assert parse_page(page(row(), marker="<NextMarker>2!92!a+/=</NextMarker>"))[1] == "2!92!a+/="


def test_a_page_may_be_empty_and_not_the_last():
    assert parse_page(page(marker="<NextMarker>m</NextMarker>")) == ([], "m")


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ("", ""),
        ("<AccessTier>Hot</AccessTier>", ""),
        ("<AccessTier>Archive</AccessTier>", "archived"),
        (
            "<AccessTier>Archive</AccessTier>"
            "<ArchiveStatus>rehydrate-pending-to-hot</ArchiveStatus>",
            "archived and being rehydrated",
        ),
    ],
)
def test_the_archive_tier_is_told(more: str, refusal: str):
    found = only(more=more).refusal
    assert found.startswith(refusal)
    assert bool(found) is bool(refusal)


@pytest.mark.parametrize(
    ("more", "after"),
    [
        ("<ResourceType>directory</ResourceType>", ""),
        ("", "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>"),
        ("", "<Metadata><Hdi_IsFolder>True</Hdi_IsFolder></Metadata>"),
    ],
)
def test_folders_of_a_hierarchical_namespace_are_told(more: str, after: str):
    assert only(more=more, after=after).is_folder
    assert not only(after="<Metadata><hdi_isfolder>false</hdi_isfolder></Metadata>").is_folder


@pytest.mark.parametrize("md5", ["", "<Content-MD5/>", "<Content-MD5>?</Content-MD5>"])
def test_a_digest_that_is_missing_or_none_is_none(md5: str):
    assert only(more=md5).content_md5 is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<html><body>a proxy's own page</body></html>",
        page(row())[:200],
        page(row())[:-5],
        page("<Blob><Name>a.jpg</Name></Blob>"),
        page("<Blob><Properties/></Blob>"),
        page(row().replace(DATE, "yesterday")),
        page(row().replace(">7<", ">seven<")),
    ],
)
def test_what_is_no_page_is_not_taken_for_an_empty_one(body: bytes):
    with pytest.raises(UnreadablePage):
        parse_page(body)

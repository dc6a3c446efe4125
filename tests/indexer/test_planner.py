"""What is done with a listed blob."""

from __future__ import annotations

from dataclasses import replace

from indexer.planner import Plan, plan
from storage.blob import Blob
from storage.records import BlobEntry, BlobStatus, Limit, LimitKind

BLOB = Blob("/p/a.jpg", 10, "etag", 1.0, object_id="disk:1")
INDEXED = BlobEntry("/p/a.jpg", 10, "etag", 1.0, "disk:1", "/p", BlobStatus.INDEXED, image_id=7)
UNDECODABLE = replace(INDEXED, status=BlobStatus.UNREADABLE, image_id=0, reason="truncated")
NEVER_READ = replace(UNDECODABLE, etag="", reason="archived")
ARCHIVED = replace(BLOB, refusal="archived")


def test_a_new_blob_is_read():
    assert plan(BLOB, None) is Plan.READ


def test_a_known_blob_is_kept():
    assert plan(BLOB, INDEXED) is Plan.KEEP


def test_another_etag_or_size_is_read():
    assert plan(replace(BLOB, etag="other"), INDEXED) is Plan.READ
    assert plan(replace(BLOB, size=11), INDEXED) is Plan.READ


def test_the_same_content_in_another_object_is_noted_without_reading():
    assert plan(replace(BLOB, object_id="disk:2"), INDEXED) is Plan.REFRESH


def test_what_is_over_a_limit_is_read_again_under_a_higher_one_of_the_same_kind():
    refused = replace(UNDECODABLE, limit=Limit(LimitKind.PIXELS, 100))
    assert plan(BLOB, refused) is Plan.KEEP
    assert plan(BLOB, refused, {LimitKind.PIXELS: 100}) is Plan.KEEP
    assert plan(BLOB, refused, {LimitKind.PIXELS: 99, LimitKind.BYTES: 1e9}) is Plan.KEEP
    assert plan(BLOB, refused, {LimitKind.PIXELS: 101}) is Plan.READ


def test_a_blob_known_by_its_md5_is_read_when_that_does_not_suffice():
    unread = replace(INDEXED, is_unread=True)
    assert plan(BLOB, unread) is Plan.KEEP
    assert plan(BLOB, unread, is_vouched_for=False) is Plan.CONFIRM
    assert plan(replace(BLOB, etag="other"), unread, is_vouched_for=False) is Plan.READ
    assert plan(ARCHIVED, unread, is_vouched_for=False) is Plan.REFUSE


def test_an_undecodable_blob_is_not_read_again_until_it_changes():
    assert plan(BLOB, UNDECODABLE) is Plan.KEEP
    assert plan(replace(BLOB, object_id="disk:2"), UNDECODABLE) is Plan.KEEP
    assert plan(replace(BLOB, etag="other"), UNDECODABLE) is Plan.READ


def test_a_blob_that_could_not_be_had_is_asked_for_again():
    assert plan(BLOB, NEVER_READ) is Plan.READ


def test_a_refused_blob_is_refused_once():
    assert plan(ARCHIVED, None) is Plan.REFUSE
    assert plan(ARCHIVED, NEVER_READ) is Plan.KEEP


def test_a_blob_refused_for_another_reason_is_refused_again():
    assert plan(replace(ARCHIVED, refusal="being rehydrated"), NEVER_READ) is Plan.REFUSE


def test_an_indexed_blob_that_the_source_refuses_now_is_refused():
    assert plan(ARCHIVED, INDEXED) is Plan.REFUSE
    assert plan(ARCHIVED, replace(UNDECODABLE, reason="archived")) is Plan.REFUSE

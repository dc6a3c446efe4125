import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from storage.codec import (
    LayoutError,
    blob_key,
    decode_entry,
    decode_hashes,
    decode_parameters,
    decode_record,
    decode_run,
    decode_vector,
    encode_entry,
    encode_hashes,
    encode_parameters,
    encode_record,
    encode_run,
    encode_vector,
)
from storage.parameters import IndexParameters, ModelParameters
from storage.records import (
    BlobEntry,
    BlobStatus,
    ImageRecord,
    Limit,
    LimitKind,
    Metadata,
    Quality,
)
from storage.runs import Run

numbers = st.floats(allow_nan=False, allow_infinity=False)
measures = st.floats(allow_nan=False, allow_infinity=False, width=32)
naturals = st.integers(0, 2**62)
# Names of files that are not UTF-8 reach Python with lone surrogates in them.
names = st.text(st.characters(codec=None), max_size=700)
records = st.builds(
    ImageRecord,
    digest=st.binary(min_size=32, max_size=32),
    byte_size=naturals,
    format=st.sampled_from(["JPEG", "PNG", "HEIF"]),
    width=naturals,
    height=naturals,
    orientation=st.integers(1, 8),
    hash64=st.binary(min_size=8, max_size=8),
    hash256=st.binary(min_size=32, max_size=32),
    texture=st.floats(0, 1, width=32),
    colour_histogram=hnp.arrays(np.uint8, 64),
    colour_layout=hnp.arrays(np.uint8, (4, 4, 3)),
    quality=st.builds(
        Quality,
        sharpness=measures,
        noise=measures,
        jpeg_quality=st.integers(0, 100),
        chroma_subsampling=st.sampled_from(["", "4:2:0"]),
        entropy=measures,
    ),
    metadata=st.builds(
        Metadata, taken_at=names, camera=names, has_exif=st.booleans(), frames=naturals
    ),
)
limits = st.builds(Limit, st.sampled_from(LimitKind), numbers)
entries = st.builds(
    BlobEntry,
    uri=names.filter(bool),
    size=naturals,
    etag=names | st.sampled_from(["0x8DC3F5A1B2C4D5E", "0x0", "0x01", "0xab", "0x-1", "0x"]),
    last_modified=numbers,
    object_id=names,
    source=names,
    status=st.sampled_from(BlobStatus),
    image_id=naturals,
    reason=names,
    limit=st.none() | limits,
)


@given(records)
def test_a_record_read_back_is_the_record_written(record: ImageRecord) -> None:
    back = decode_record(encode_record(record), encode_hashes(record))
    assert encode_record(back) == encode_record(record)
    for name in ImageRecord.__slots__:
        assert np.array_equal(getattr(back, name), getattr(record, name)), name


@given(entries, st.booleans())
def test_a_blob_entry_read_back_is_the_entry_written(entry: BlobEntry, is_inside: bool) -> None:
    if is_inside:
        entry = BlobEntry(
            **{name: getattr(entry, name) for name in BlobEntry.__slots__ if name != "uri"},
            uri=entry.source + "/" + entry.uri,
        )
    key = blob_key(entry.uri)
    assert len(key) <= 480
    assert decode_entry(key, encode_entry(entry)) == entry


@given(names, names)
def test_two_uris_have_two_keys(a: str, b: str) -> None:
    assert (blob_key(a) == blob_key(b)) == (a == b)


def test_long_uris_that_differ_in_the_last_character_have_two_keys() -> None:
    assert blob_key("/" + "x" * 5000 + "a") != blob_key("/" + "x" * 5000 + "b")


@given(hnp.arrays(np.float16, st.integers(1, 64), elements=st.floats(-1, 1, width=16)))
def test_a_vector_read_back_is_the_vector_written(vector: np.ndarray) -> None:
    back = decode_vector(encode_vector(vector))
    assert back.dtype == np.float16
    assert np.array_equal(back, vector)


@given(st.lists(records, min_size=1, max_size=5))
def test_rows_of_hashes_read_back_are_those_of_the_records(rows: list[ImageRecord]) -> None:
    hash64, hash256, texture = decode_hashes([encode_hashes(row) for row in rows])
    assert [row.tobytes() for row in hash64] == [row.hash64 for row in rows]
    assert [row.tobytes() for row in hash256] == [row.hash256 for row in rows]
    assert texture.tolist() == [row.texture for row in rows]


def test_parameters_and_runs_read_back_are_those_written() -> None:
    model = ModelParameters("clip:ViT-B-32/laion2b", 512, "ab12", "openvino bf16", 224)
    parameters = IndexParameters(1, "wavelet-1", 640, (model,))
    assert decode_parameters(encode_parameters(parameters)) == parameters
    run = Run(3, 1.0, None, ("/photos", "az://a/b"), {"listed": 4, "stages": {"read": 0.5}})
    assert decode_run(encode_run(run)) == run


def test_numpy_scalars_are_stored_as_plain_numbers() -> None:
    quality = Quality(sharpness=np.float32(0.5), jpeg_quality=np.int64(90))  # type: ignore[arg-type]
    record = ImageRecord(
        bytes(32), 1, "JPEG", 1, 1, 1, bytes(8), bytes(32), 0.0,
        np.zeros(64, np.uint8), np.zeros((4, 4, 3), np.uint8), quality,
    )  # fmt: skip
    back = decode_record(encode_record(record), encode_hashes(record)).quality
    assert (back.sharpness, back.jpeg_quality) == (0.5, 90)


@pytest.mark.parametrize("value", [b"", b"\xc1", b"\x01", b"\x90", b"\x92\x02\x00", b"\x91\x01"])
def test_bytes_that_are_no_record_are_refused(value: bytes) -> None:
    with pytest.raises(LayoutError):
        decode_record(value)

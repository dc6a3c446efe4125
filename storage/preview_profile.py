"""The ICC profile that a picture came with, inside its preview.

Previews are sRGB, like all that is described. But copies lose their profile on the way, and what is
left are other colours: to compare with such a one, the profile is needed. It lies in a segment of
the preview that every JPEG decoder passes over.
"""

from __future__ import annotations

# APP7, which nothing in use has a meaning for.
_MARKER, _NAME = b"\xff\xe7", b"dedup ICC\0"
_START = 2
_LENGTH_BYTES = 2
# Nearly all that cameras, phones and photo editors embed have 0.5 to 4 kB; those of some screens
# and of printers have tables, of up to megabytes.
MAX_PROFILE_BYTES = 16_384


def with_profile(preview: bytes, profile: bytes) -> bytes:
    """The preview with a profile in it; as it was when the profile is empty.

    Args:
        preview: a JPEG.
        profile: of at most `MAX_PROFILE_BYTES`.
    """
    if not profile:
        return preview
    length = _LENGTH_BYTES + len(_NAME) + len(profile)
    place = _after_first_segment(preview)
    segment = _MARKER + length.to_bytes(_LENGTH_BYTES, "big") + _NAME + profile
    return preview[:place] + segment + preview[place:]


def profile_in(preview: bytes) -> bytes:
    """The profile in a preview; empty without one."""
    place = _after_first_segment(preview)
    start = place + len(_MARKER) + _LENGTH_BYTES
    if not preview.startswith(_MARKER, place) or not preview.startswith(_NAME, start):
        return b""
    length = int.from_bytes(preview[start - _LENGTH_BYTES : start], "big")
    return preview[start + len(_NAME) : start - _LENGTH_BYTES + length]


def _after_first_segment(jpeg: bytes) -> int:
    # JFIF's own segment has to come first.
    length = int.from_bytes(jpeg[_START + 2 : _START + 2 + _LENGTH_BYTES], "big")
    return _START + 2 + length

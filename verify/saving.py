"""What saving a picture as a JPEG takes of its colours, place by place.

Two copies of one picture may differ by all that lies between two qualities: at half of the
resolution and coarsely rounded, thin coloured letters on a dark ground fade, and run into it. How
much, and where, follows from the picture and the quality, which the file's tables tell. So it is
tried out: the finer picture is saved once more as the coarser one was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from storage.records import ImageRecord
from verify.warp import Mask

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
T = TypeVar("T")

# Pixels of the file for one that is compared, as a length, up to which its blocks are seen as such:
# what was made smaller since has averaged its losses away.
_AS_SAVED = 1.25
# Of the squared difference, what may be left when saving is to be the reason. Of 10 such places of
# copies 0.22 and less is left; of pairs in which a number in the lightness of its ground is
# another, at least 0.43 where it differs most, but for one with 0.32.
_EXPLAINED = 0.3
_THREE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Saving:
    """How the more coarsely saved one of two pictures was saved.

    Attributes:
        quality: of the JPEG, 1..100; 0 where that is not known, and nothing is tried out.
        is_a: it is the first of the two.
    """

    quality: int = 0
    is_a: bool = False

    @classmethod
    def of(cls, a: ImageRecord, b: ImageRecord, scales: tuple[float, float]) -> Saving:
        """Of two images.

        Args:
            scales: pixels of the full image for one of the grid on which they are compared, as a
                length, of a and of b.
        """
        known = [
            (record.quality.jpeg_quality, is_a)
            for record, is_a, scale in ((a, True, scales[0]), (b, False, scales[1]))
            if record.quality.jpeg_quality > 0 and scale <= _AS_SAVED
        ]
        return cls(*min(known)) if known else cls()

    @property
    def is_known(self) -> bool:
        """False where nothing can be tried out."""
        return self.quality > 0

    def ordered(self, a: T, b: T) -> tuple[T, T]:
        """What is the finer one's, then what is the coarser one's."""
        return (b, a) if self.is_a else (a, b)

    def sharper_by(self, blur: float) -> float:
        """Sigma by which the finer one is sharper; `blur` is that by which a is sharper than b."""
        return max(0.0, -blur if self.is_a else blur)

    def again(self, a: U8, b: U8) -> U8:
        """The finer of two pictures, uint8 RGB (h, w, 3), saved as the coarser one was."""
        finer, _ = self.ordered(a, b)
        options = [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        _, encoded = cv2.imencode(".jpg", cv2.cvtColor(finer, cv2.COLOR_RGB2BGR), options)
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB), np.uint8)


UNKNOWN = Saving()


def not_from_saving(places: Mask, finer: F32, coarser: F32, saved: F32) -> Mask:
    """Those of some places where the two differ that saving does not explain, bool (h, w).

    It does where the picture that was saved again is much nearer to the coarser one than the
    picture itself is. Where another letter stands, it is hardly any nearer.

    Args:
        places: bool (h, w).
        finer, coarser, saved: colours, float32 (h, w, 2); the last are those of the finer picture,
            saved again.
    """
    around = cv2.dilate(places.astype(np.uint8), _THREE)
    count, labels = cv2.connectedComponents(around)
    labels = np.asarray(labels)

    def energy(of: F32) -> NDArray[np.float64]:
        squares = (np.asarray(cv2.subtract(coarser, of)) ** 2).sum(axis=2)
        return np.asarray(np.bincount(labels.ravel(), squares.ravel(), count), dtype=np.float64)

    stays = energy(saved) > _EXPLAINED * energy(finer)
    stays[0] = False
    return np.asarray(places & stays[labels], dtype=bool)

"""imagededup's network: MobileNetV3 features, a cosine similarity of 0.9 at least."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.accuracy.pairs import ScoredPairs, cosine_pairs
from benchmarks.accuracy.tools.base import ToolUnavailable, missing

MIN_SIMILARITY = 0.9
# Far below what is called a duplicate, for the precision-recall curve.
_LEAST = 0.6
_DIMENSION = 576


class ImagededupCnn:
    """`CNN().encode_image(file)`; `find_duplicates` compares these by their cosine."""

    name = "imagededup CNN"
    setting = f"MobileNetV3 small, min_similarity_threshold {MIN_SIMILARITY}"

    def pairs(self, files: Sequence[Path]) -> ScoredPairs:
        """See `ComparedTool.pairs`."""
        try:
            from imagededup.methods import CNN
        except ImportError:
            raise missing("imagededup") from None
        _require_weights()
        encoder = CNN(verbose=False)
        vectors = np.zeros((len(files), _DIMENSION), np.float32)
        usable = np.zeros(len(files), bool)
        for place, path in enumerate(files):
            encoded = encoder.encode_image(image_file=path)
            if encoded is not None:
                vectors[place] = np.asarray(encoded, np.float32).reshape(-1)
                usable[place] = True
        return cosine_pairs(vectors, usable, MIN_SIMILARITY, _LEAST)


def _require_weights() -> None:
    """Says at once what is missing: torch would first try to download it, for up to a minute."""
    import torch
    from torchvision.models import MobileNet_V3_Small_Weights

    url = MobileNet_V3_Small_Weights.IMAGENET1K_V1.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name
    if not path.is_file():
        raise ToolUnavailable(
            f"The weights of imagededup's network, {path.name}, are not on this machine.",
            f"Put {url} into the folder checkpoints of torch's hub directory.",
        )

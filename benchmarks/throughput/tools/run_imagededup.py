"""Run by a Python that has imagededup and what dedup needs: run_imagededup.py PICTURES"""

import sys
from pathlib import Path

from imagededup.methods import CNN
from imagededup.utils import CustomModel
from torchvision.transforms import v2

from indexer.embedders.timm_embedder import load_network

if __name__ == "__main__":
    network = load_network("efficientnet_lite0")
    prepared = v2.Compose(
        [
            v2.PILToTensor(),
            v2.Resize((network.input_size, network.input_size)),
            v2.ToDtype(network.module.scale.dtype, scale=True),
            v2.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    model = CustomModel("efficientnet_lite0", network.module.features, prepared)
    encoded = CNN(verbose=False, model_config=model).encode_images(sys.argv[1])
    if len(encoded) != sum(1 for _ in Path(sys.argv[1]).iterdir()):
        sys.exit("imagededup has not encoded all of the pictures")

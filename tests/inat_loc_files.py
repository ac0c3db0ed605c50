"""iNatLoc500's published files in small: images of three species in all splits, and the metadata beside them."""

import numpy as np
from PIL import Image

from data.taxonomy_files import INAT_RANKS

SPECIES = {  # as published: species -> genus ... kingdom
    "Cyprinus carpio": ("Cyprinus", "Cyprinidae", "Cypriniformes", "Actinopterygii", "Chordata", "Animalia"),
    "Aix sponsa": ("Aix", "Anatidae", "Anseriformes", "Aves", "Chordata", "Animalia"),
    "Anas acuta": ("Anas", "Anatidae", "Anseriformes", "Aves", "Chordata", "Animalia"),
}


def write_inat_loc(folder):
    """The folder, with images of all splits in it and the metadata beside them."""
    images = {
        "train": [f"train/0{place}_{name}/{number}.jpg" for place, name in enumerate(SPECIES) for number in (1, 2)],
        "test": [f"test/{SPECIES[name][3]}/{name}/{number}.jpg" for name in SPECIES for number in (1, 2)],
    }
    metadata = folder / "metadata"
    for rank, level in enumerate(INAT_RANKS):
        ending = f"_{level}" if rank else ""
        of = {name: (name, *above)[rank] for name, above in SPECIES.items()}
        nodes = list(dict.fromkeys(of.values()))
        write_rows(metadata / f"class_names{ending}.txt", [f"{node},{index}" for index, node in enumerate(nodes)])
        for split, names in images.items():
            species = [name for name in SPECIES for _ in (1, 2)]
            rows = [f"{image},{nodes.index(of[name])}" for image, name in zip(names, species)]
            write_rows(metadata / split / f"class_labels{ending}.txt", rows)
    write_rows(metadata / "test" / "localization.txt", [f"{image},5,10,35,20" for image in images["test"]])
    for image in sum(images.values(), []):
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((30, 40, 3), 99, np.uint8)).save(folder / image)
    return folder


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")

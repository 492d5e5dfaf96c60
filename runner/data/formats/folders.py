"""Folders: of images, of sounds, and of files of rows."""

from runner.registry.formats import OF_HUB, DataFormat

IMAGES = DataFormat(
    "imagefolder",
    "a folder of images, in a subfolder for each class, or with a table metadata.csv, .jsonl or .parquet beside them, "
    "whose column file_name has their names",
    shape="rows",
    folder=True,
    splits=True,
    roles={"image": "image", "label": "label"},
    module="runner.data.imagefolder",
)
SOUNDS = DataFormat(
    "audiofolder",
    "the same of sounds in WAV or FLAC",
    shape="rows",
    folder=True,
    splits=True,
    roles={"audio": "audio", "label": "label"},
    module="runner.data.audiofolder",
)
ROWS = DataFormat(
    OF_HUB,
    "a folder that the library datasets saved, or one of data files as the hub has them",
    shape="rows",
    folder=True,
    splits=True,
    module="runner.data.datafolder",
)

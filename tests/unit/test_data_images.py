"""Images with texts: what is read of them, what is found wrong before any work, and what the digest covers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from runner import data
from runner.data.images import opened
from runner.errors import SourceError
from runner.recipe.datasets import calibrating, kinds
from runner.recipe.types import Dataset


def rows(folder: Path, *names: str) -> Dataset:
    """A dataset with a row for each name of an image; those below `seen` are there."""
    for name in names:
        if name.startswith("seen/") and not (folder / name).exists():
            (folder / "seen").mkdir(exist_ok=True)
            Image.new("L", (6, 4), len(name)).save(folder / name)
    lines = [json.dumps({"image": name, "text": f"what is {name}"}) for name in names]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    return Dataset("d", "file", folder / "rows.jsonl", "jsonl", columns={"text": "text", "image": "image"})


def refusal(dataset: Dataset) -> str:
    with pytest.raises(SourceError) as caught:
        data.check(dataset)
    return caught.value.message


def test_each_row_gives_its_image_with_its_text(tmp_path: Path) -> None:
    dataset = rows(tmp_path, "seen/a.png", "seen/b.jpg", "seen/c.bmp", "seen/d.webp")
    data.check(dataset)
    found = data.read_images(dataset)
    assert [one.text for one in found] == [f"what is seen/{name}" for name in ("a.png", "b.jpg", "c.bmp", "d.webp")]
    assert all(opened(one).size == (6, 4) and opened(one).mode == "RGB" for one in found)
    assert data.files(dataset) == [dataset.path, *(one.path for one in found)]
    assert kinds(dataset) == {"text", "image", "images"} == kinds(calibrating(dataset, images=True))
    assert kinds(calibrating(dataset)) == {"text"}


def test_a_row_without_text_needs_no_image(tmp_path: Path) -> None:
    dataset = rows(tmp_path, "seen/a.png")
    with dataset.path.open("a") as file:
        file.write('\n{"image": "nowhere.png", "text": " "}')
    data.check(dataset)
    assert len(data.read_images(dataset)) == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere.png", "nowhere.png: No such file or directory"),
        ("seen", "seen: is a folder"),
        ("../out.png", "../out.png is outside of the dataset's folder"),
        ("/out.png", "/out.png is outside of the dataset's folder"),
        ("link.png", "outside of the dataset's folder"),
        ("a\0b.png", "the path of an image holds a letter that no file's name can have"),
        (" ", "names no image"),
    ],
)
def test_an_image_that_is_not_there_or_not_inside_is_told_with_its_line(name: str, told: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    rows(home, "seen/a.png")
    shutil.copyfile(home / "seen" / "a.png", tmp_path / "out.png")
    (home / "link.png").symlink_to(tmp_path / "out.png")
    message = refusal(rows(home, "seen/a.png", name))
    assert message.startswith(f'{home / "rows.jsonl"}:2: column "image": ') and told in message


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"no image", "is no image"), (b"", "is no image"), (None, "the image can't be read")],
)
def test_a_broken_image_is_told_with_its_line(content: bytes | None, told: str, tmp_path: Path) -> None:
    dataset = rows(tmp_path, "seen/a.png", "seen/b.png")
    broken = tmp_path / "seen" / "b.png"
    broken.write_bytes(broken.read_bytes()[:-30] if content is None else content)
    message = refusal(dataset)
    assert message.startswith(f"{dataset.path}:2: {broken}: ") and told in message


@pytest.mark.parametrize(("side", "told"), [(6000, "6000 x 6000 pixels are too many"), (10000, "exceeds limit of")])
def test_an_image_of_too_many_pixels_is_not_decoded(side: int, told: str, tmp_path: Path) -> None:
    dataset = rows(tmp_path, "seen/a.png")
    Image.new("1", (side, side)).save(tmp_path / "seen" / "a.png")
    message = refusal(dataset)
    assert f"{dataset.path}:1: " in message and told in message


def test_the_digest_covers_the_images_and_not_their_place(tmp_path: Path) -> None:
    before = data.digest(rows(tmp_path, "seen/a.png", "seen/b.png"))
    shutil.copytree(tmp_path, tmp_path / "moved")
    assert data.digest(rows(tmp_path / "moved", "seen/a.png", "seen/b.png")) == before
    text = calibrating(rows(tmp_path, "seen/a.png", "seen/b.png"))
    Image.new("L", (6, 4), 3).save(tmp_path / "seen" / "b.png")
    assert data.digest(rows(tmp_path, "seen/a.png", "seen/b.png")) != before
    assert data.digest(calibrating(rows(tmp_path, "seen/a.png", "seen/b.png"))) == data.digest(text) != before

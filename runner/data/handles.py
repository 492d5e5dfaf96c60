"""Files that a row names, or holds: looked for below the folder of the dataset's own file, and read when asked for."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from runner.base.documents import open_regular
from runner.base.paths import refusal
from runner.errors import SourceError


@dataclass(frozen=True)
class Handle:
    """An image or a sound of a row.

    Attributes:
        where: the place of the row, such as `file:line`.
        column: that names it.
        folder: of the dataset's file, with which `name` begins.
        name: of the file, as the row says it.
        content: what the row holds of it itself.
    """

    where: str
    column: str
    folder: Path
    name: str
    content: bytes | None = None

    what = "file"

    @classmethod
    def of(cls, where: str, column: str, folder: Path, value: object) -> Self:
        """The handle of a row's value: a path, or a mapping with `bytes` and `path`, as Hugging Face's columns have.

        Raises:
            SourceError: it is something else.
        """
        if isinstance(value, str):
            return cls(where, column, folder, value)
        content, name = (value.get("bytes"), value.get("path")) if isinstance(value, Mapping) else (None, None)
        if isinstance(content, bytes):
            return cls(where, column, folder, str(name or ""), content)
        if isinstance(name, str):
            return cls(where, column, folder, name)
        message = f'{where}: column "{column}" holds {type(value).__name__}, not the path of {cls.article()} {cls.what}'
        raise SourceError(message)

    @classmethod
    def article(cls) -> str:
        """The article of the word."""
        return "an" if cls.what[0] in "aeiou" else "a"

    @property
    def path(self) -> Path:
        """Of the file."""
        return self.folder / self.name

    @property
    def place(self) -> str:
        """The row and, where it is in a file of its own, that file."""
        return self.where if self.content is not None else f"{self.where}: {self.path}"

    def located(self) -> Self:
        """The handle, once its file is there and inside of the folder.

        Raises:
            SourceError: it is missing, no regular file, or outside of the folder of the dataset's file.
        """
        if self.content is None and (found := self._unfit()):
            hint = f"Name {self.what}s relative to the dataset's file; they lie in its folder, or in folders below it."
            message = f'{self.where}: column "{self.column}": {found}'
            raise SourceError(message, hint=hint)
        return self

    def stream(self) -> BinaryIO:
        """The open file.

        Raises:
            SourceError: as `located`.
            OSError: it can't be opened.
        """
        self.located()
        return io.BytesIO(self.content) if self.content is not None else open_regular(self.path)

    def _unfit(self) -> str | None:
        """Why nothing is read from its path; None if it may be."""
        path, home = self.path, self.folder.resolve()
        if not self.name.strip():
            return f"names no {self.what}"
        if told := refusal(path):
            return f"the path of {self.article()} {self.what} {told}"
        if Path(self.name).is_absolute() or ".." in Path(self.name).parts:
            return f"{self.name} is outside of the dataset's folder"
        try:
            real = path.resolve(strict=True)
            open_regular(real).close()
        except (OSError, RuntimeError) as error:
            return f"{path}: {getattr(error, 'strerror', None) or error}"
        return None if home in real.parents else f"{path} is a link to {real}, outside of the dataset's folder"

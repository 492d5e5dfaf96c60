"""Distributions over a vocabulary in 6 bits an entry, from which a divergence comes out without bias.

With p the reference's distribution, q another and d = log p - log q, what is wanted is KL(p || q) = sum of p d. An
entry of p that reaches T = min(20 / vocabulary, 1 / 256) is *head*: its log-probability is kept as float32, and there
are at most 1 / T of them. Any other is *tail*, and kept as a whole number k of 0 … 62, which stands for the probability
s k² with s = T / 62². It is rounded to one of its two neighbours at random, up with the probability at which the
expectation is p. With p' the tail that is read back, the divergence is

    sum over the head of p d + sum over the tail of p' d, which is (sum of p' log p) - (sum of p' log q)

and sum of p' log p is taken of the exact p, and kept. So:

- The error is the sum over the tail of (p' - p) d. It is 0 where q is p, and 0 in expectation for any q, which is made
  without a look at the random numbers.
- The variance of p' is at most s p. (With p = s x², k = floor(x) and f = x - k it is s² (x² - k²) ((k + 1)² - x²), and
  x² less the two factors is (x (1 - 2 f) - f (1 - f))², which isn't negative.) The roundings are independent, so
  the variance of a token's divergence is at most s times the sum over the tail of p d².
- Over all of the vocabulary, sum of p d² <= (2 + D) KL, where D is the largest d, at least 0: with f(d) = d - 1 +
  exp(-d), of which the sum of p f(d) is KL, d² <= 2 f(d) where d <= 0, and d² <= (2 + d) f(d) where d > 0.
- So the coding adds to the mean over n tokens a standard error of at most sqrt(s (2 + D) KL / n): at a vocabulary of
  50,257, a KL of 3e-4 and D = 1, 1e-5 for one token and 1e-7 for 10,000. Never is a token wrong by more than the sum
  over the tail of (2 sqrt(s p) + s) |d|.

Sums are in float32, which adds up to 1e-6. An entry takes 0.75 bytes and the head of a token at most 4 / T, together
at most 0.95 bytes an entry where the vocabulary has 5,120 or more; float16 takes 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from runner.metrics.stored import RowFile, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PLANES, _HEADS, _TAILS = "planes.npy", "heads.npy", "tails.npz"
_LEVELS = 62
_HEAD = 63
"""The code of an entry whose log-probability is kept beside."""


@dataclass(frozen=True)
class Coded:
    """The distributions of some tokens.

    Attributes:
        planes: codes, four in three bytes, shape [tokens, 3 * ceil(vocabulary / 4)].
        heads: log-probabilities of the head, token after token in the vocabulary's order; shape [entries].
        counts: how many of `heads` are each token's, shape [tokens].
        tails: of each token the sum over the tail of p' (log p - log T), shape [tokens].
    """

    planes: NDArray[np.uint8]
    heads: NDArray[np.float32]
    counts: NDArray[np.int64]
    tails: NDArray[np.float32]

    def __getitem__(self, tokens: slice) -> Coded:
        """Some of the tokens, one after another."""
        start, stop = int(self.counts[: tokens.start].sum()), int(self.counts[: tokens.stop].sum())
        return Coded(self.planes[tokens], self.heads[start:stop], self.counts[tokens], self.tails[tokens])


def threshold(vocabulary: int) -> np.float32:
    """The least probability of a head's entry."""
    return np.float32(min(20 / vocabulary, 1 / 256))


def dither(seed: int = 0) -> np.random.SFC64:
    """Where the roundings of a reference come from."""
    return np.random.SFC64(seed)


def encode(log_p: NDArray[np.float32], random: np.random.SFC64) -> Coded:
    """Code some tokens' distributions.

    Args:
        log_p: log-probabilities, all finite but for those that are NaN; shape [tokens, vocabulary].
        random: gives a number for each entry; the same whether rows come together or apart.
    """
    most = threshold(log_p.shape[1])
    p = np.fmax(np.exp(log_p), 0)
    places = np.flatnonzero(p >= most)
    squared = np.minimum(np.multiply(p, _LEVELS**2 / most, out=p), _LEVELS**2, out=p)
    level = np.floor(np.sqrt(squared))
    share = _shares(len(log_p), log_p.shape[1], random)
    share *= 2 * level + 1
    squared -= level * level
    level += share < squared
    codes = level.astype(np.uint8)
    codes.reshape(-1)[places] = _HEAD
    level.reshape(-1)[places] = 0
    counts = np.bincount(places // log_p.shape[1], minlength=len(log_p))
    return Coded(_packed(codes), log_p.reshape(-1)[places], counts, _over_tail(level, log_p, most))


def divergence(log_q: NDArray[np.float32], coded: Coded) -> NDArray[np.float64]:
    """KL(p || q) of some tokens; what the coding makes negative is 0.

    Args:
        log_q: log-probabilities, finite or NaN; shape [tokens, vocabulary].
        coded: p of the same tokens.
    """
    codes = _unpacked(coded.planes, log_q.shape[1])
    places = np.flatnonzero(codes == _HEAD)
    level = codes.astype(np.float32)
    level.reshape(-1)[places] = 0
    terms = np.exp(coded.heads) * (coded.heads - log_q.reshape(-1)[places])
    head = np.bincount(places // log_q.shape[1], terms, len(log_q))
    tail = _over_tail(level, log_q, threshold(log_q.shape[1]))
    return np.maximum(head + (coded.tails - tail), 0)


def _shares(rows: int, size: int, random: np.random.SFC64) -> NDArray[np.float32]:
    """Random numbers, evenly from 0 to 1; a third of the time that NumPy's own floats take."""
    bits = random.random_raw(rows * -(-size // 2)).view(np.int32).reshape(rows, -1)[:, :size]
    share = (bits >> 8).astype(np.float32)
    share *= np.float32(2**-24)
    share += np.float32(0.5)
    return share


def _over_tail(level: NDArray[np.float32], logs: NDArray[np.float32], most: np.float32) -> NDArray[np.float32]:
    """The sums of p' (logs - log T); `level` is overwritten.

    Taking log T off keeps the terms small, and float32 exact; it goes where one sum is taken from another.
    """
    level *= level
    level *= logs - np.log(most)
    found: NDArray[np.float32] = level.sum(-1) * (most / _LEVELS**2)
    return found


def _packed(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Six bits each: a row's last quarter lies in the two high bits of the three before it."""
    rows, size = codes.shape
    quarter = -(-size // 4)
    padded = np.zeros((rows, 4, quarter), np.uint8)
    padded.reshape(rows, -1)[:, :size] = codes
    last = padded[:, 3]
    for place in range(3):
        padded[:, place] |= (last >> 2 * place & 3) << 6
    return padded[:, :3].reshape(rows, -1)


def _unpacked(planes: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    found = np.empty((len(planes), 4, planes.shape[1] // 3), np.uint8)
    stored = planes.reshape(len(planes), 3, -1)
    np.bitwise_and(stored, 63, out=found[:, :3])
    high = stored >> 6
    found[:, 3] = high[:, 0] | high[:, 1] << 2 | high[:, 2] << 4
    return np.ascontiguousarray(found.reshape(len(planes), -1)[:, :size])


def join(parts: list[Coded]) -> Coded:
    """All parts in order."""
    return Coded(
        np.concatenate([part.planes for part in parts]),
        np.concatenate([part.heads for part in parts]),
        np.concatenate([part.counts for part in parts]),
        np.concatenate([part.tails for part in parts]),
    )


class CodedFile:
    """Coded distributions that are written to a folder as they come.

    Args:
        folder: where the files are to be; it is there.
        vocabulary: how many entries each has.
        tokens: how many there will be, where known: then the room for all is checked with the first.
    """

    def __init__(self, folder: Path, tokens: int | None = None) -> None:
        self.folder = folder
        self.vocabulary = 0
        self._planes = RowFile(folder / _PLANES, np.uint8, tokens)
        self._heads = RowFile(folder / _HEADS, np.float32)
        self._rest: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []

    def __enter__(self) -> Self:
        self._planes.__enter__()
        self._heads.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._planes.__exit__()
        self._heads.__exit__()
        if self._rest:
            counts, tails = (np.concatenate(part) for part in zip(*self._rest, strict=True))
            np.savez(self.folder / _TAILS, counts=counts, tails=tails, vocabulary=self.vocabulary)

    def append(self, coded: Coded, vocabulary: int) -> None:
        """Write some.

        Raises:
            OSError: the disk is full (ENOSPC).
        """
        self.vocabulary = vocabulary
        self._planes.append(coded.planes)
        self._heads.append(coded.heads[:, None])
        self._rest.append((coded.counts, coded.tails))


class CodedRows:
    """What `CodedFile` wrote, read as it is asked for."""

    def __init__(self, folder: Path) -> None:
        with np.load(folder / _TAILS, allow_pickle=False) as stored:
            self.vocabulary = int(stored["vocabulary"])
            self._counts, self._tails = stored["counts"], stored["tails"]
        self._starts = np.concatenate([[0], np.cumsum(self._counts)])
        self._planes, self._heads = Rows(folder / _PLANES), Rows(folder / _HEADS)

    def __enter__(self) -> Self:
        self._planes.__enter__()
        self._heads.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._planes.__exit__()
        self._heads.__exit__()

    def __getitem__(self, rows: slice) -> Coded:
        """Tokens `start` … `stop - 1`; the next ones overwrite them.

        Raises:
            OSError: a file can't be read, or is cut off.
        """
        heads = self._heads[int(self._starts[rows.start]) : int(self._starts[rows.stop])]
        return Coded(self._planes[rows], heads[:, 0], self._counts[rows], self._tails[rows])

"""Numbers in words that a person reads at a glance; used by the console and the model card alike."""

from __future__ import annotations


def megabytes(size: float) -> str:
    """Bytes as kB, MB or GB (powers of ten), three digits."""
    if size >= 1e9:
        return f"{size / 1e9:.2f} GB"
    if size < 1e6:
        return f"{size / 1e3:.3g} kB" if size < 1e5 else f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.3g} MB" if size < 1e8 else f"{size / 1e6:.0f} MB"


def seconds(duration: float) -> str:
    """A duration: `0.4 s`, `12 s`, `3 min 05 s`."""
    if duration < 10:
        return f"{duration:.1f} s"
    if duration < 60:
        return f"{duration:.0f} s"
    return f"{int(duration // 60)} min {int(duration % 60):02d} s"


def number(value: float | None) -> str:
    """A metric's value with four significant digits; a dash where there is none."""
    if value is None or value != value:
        return "-"
    return f"{value:.4g}"

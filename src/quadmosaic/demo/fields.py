"""Random fields: fractal noise, and the smooth steps and enlargements that landforms are cut out with."""

import numpy as np
import numpy.typing as npt

type Grid2D = npt.NDArray[np.floating]


def fractal(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    pixel_km: float,
    slope: float,
    longest_km: float,
    shortest_km: float = 0.0,
) -> Grid2D:
    """Noise of mean 0 and deviation 1 whose amplitude falls as frequency to the power -`slope`."""
    rows, cols = (_fast_length(size) for size in shape)
    fy = np.fft.fftfreq(rows, pixel_km).astype(np.float32)[:, None]
    fx = np.fft.rfftfreq(cols, pixel_km).astype(np.float32)[None, :]
    square = fy * fy + fx * fx
    amplitude = (square + np.float32(longest_km**-2)) ** np.float32(-slope / 2)
    amplitude *= np.exp(square * np.float32(-(shortest_km**2)))
    phase = rng.random(square.shape, dtype=np.float32) * np.float32(2 * np.pi)
    spectrum = np.empty(square.shape, np.complex64)
    np.multiply(amplitude, np.cos(phase), out=spectrum.real)
    np.multiply(amplitude, np.sin(phase), out=spectrum.imag)
    field = np.fft.irfft2(spectrum, s=(rows, cols))[: shape[0], : shape[1]].astype(np.float32)
    field -= field.mean()
    field /= field.std()
    return field


def step(values: Grid2D) -> Grid2D:
    """Smooth 0..1 while `values` go from 0 to 1."""
    clipped = np.clip(values, 0, 1)
    return clipped * clipped * (3 - 2 * clipped)


def bump(distance: Grid2D, width: float) -> Grid2D:
    """1 at `distance` 0, flat inside `width`, gone at one and a half times of it."""
    return np.exp(-((distance / np.float32(width)) ** 4))


def local_mean(field: Grid2D, *, block: int) -> Grid2D:
    """The field without all that is smaller than `block` pixels."""
    rows, cols = (size // block * block for size in field.shape)
    coarse = field[:rows, :cols].reshape(rows // block, block, cols // block, block).mean(axis=(1, 3))
    for axis, size in enumerate(field.shape):
        position = np.clip((np.arange(size, dtype=np.float32) + 0.5) / block - 0.5, 0, coarse.shape[axis] - 1)
        low = np.minimum(position.astype(np.intp), coarse.shape[axis] - 2)
        weight = (position - low).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        coarse = np.take(coarse, low, axis) * (1 - weight) + np.take(coarse, low + 1, axis) * weight
    return coarse


def _fast_length(size: int) -> int:
    """The next length with no prime factor above 5, which Fourier transforms like."""
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1

"""Charged particles on a ring: a ``while`` loop with scatter, gather and a Fourier transform.

Each step spreads the charge of the particles over a grid (scatter), solves for the field with a
Fourier transform, reads the field at the particles (gather) and moves them. The loop ends when the
energy of the field has fallen to a fraction of its first value, or after a number of steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from examples.shared import export, run

CELLS, STEP = 32, 0.05


class Particles(NamedTuple):
    """Positions in cells, from 0 to ``CELLS``, and velocities."""

    position: Any
    velocity: Any


def field(particles: Particles) -> jax.Array:
    """Return the electric field in each cell."""
    left = jnp.floor(particles.position)
    share = particles.position - left
    cell = left.astype(jnp.int32) % CELLS
    charge = jnp.zeros(CELLS).at[cell].add(1 - share).at[(cell + 1) % CELLS].add(share)
    waves = jnp.fft.rfft(charge - charge.mean())
    number = 2 * np.pi * np.fft.rfftfreq(CELLS).astype(np.float32)
    number[0] = 1.0
    return jnp.fft.irfft(waves / (1j * number), CELLS)


def push(particles: Particles, force: jax.Array) -> Particles:
    """Return the particles after one step in time."""
    cell = particles.position.astype(jnp.int32) % CELLS
    velocity = particles.velocity - STEP * force[cell]
    return Particles((particles.position + STEP * velocity) % CELLS, velocity)


def simulate(particles: Particles, steps: jax.Array) -> dict[str, jax.Array | Particles]:
    """Run for ``steps`` steps, or until the field has almost vanished."""
    first = jnp.sum(field(particles) ** 2)

    def going(state: tuple[jax.Array, jax.Array, Particles]) -> jax.Array:
        count, energy, _ = state
        return (count < steps) & (energy > 0.05 * first)

    def step(
        state: tuple[jax.Array, jax.Array, Particles],
    ) -> tuple[jax.Array, jax.Array, Particles]:
        count, _, particles = state
        force = field(particles)
        return count + 1, jnp.sum(force**2), push(particles, force)

    start = jnp.int32(0), first, particles
    count, energy, particles = jax.lax.while_loop(going, step, start)
    return {"steps": count, "energy": energy, "particles": particles}


def main(folder: Path) -> None:
    """Export the simulation for any number of particles, with the number of steps as an input."""
    rng = np.random.default_rng(0)
    particles = Particles(
        rng.uniform(0, CELLS, 200).astype(np.float32), rng.standard_normal(200).astype(np.float32)
    )
    specs = [Particles(("N",), ("N",)), jax.ShapeDtypeStruct((), np.int32)]
    model = export(folder, "physics", simulate, specs, [particles, np.int32(10)], atol=1e-4)
    assert [i.name for i in model.graph.input] == [
        "particles.position",
        "particles.velocity",
        "steps",
    ]


if __name__ == "__main__":
    run(main)

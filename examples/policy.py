"""A policy of reinforcement learning, which maps observations to an action.

The observations are a dictionary. A flag that decides whether the policy explores is an input of
the graph. So is the noise that makes an action random, so that a run can be repeated.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from examples.shared import export, run

ACTIONS = 6


class Action(NamedTuple):
    """An action in (-1, 1), and the critic's value of the state."""

    action: jax.Array
    value: jax.Array


class Policy(nn.Module):
    """A Gaussian policy with a critic."""

    width: int = 64

    @nn.compact
    def __call__(
        self, observation: dict[str, jax.Array], noise: jax.Array, explore: bool = False
    ) -> Action:
        joined = jnp.concatenate([observation["joints"], observation["target"]], axis=-1)
        mean = observation["joints"].mean(axis=-1, keepdims=True)
        x = jnp.concatenate([joined - mean, mean], axis=-1)
        for _ in range(2):
            x = nn.swish(nn.LayerNorm()(nn.Dense(self.width)(x)))
        action = nn.Dense(ACTIONS, name="mean")(x)
        spread = self.param("log_std", nn.initializers.constant(-1.0), (ACTIONS,))
        if explore:
            action = action + noise * jnp.exp(spread)
        return Action(jnp.tanh(action), nn.Dense(1, name="critic")(x)[..., 0])


def main(folder: Path) -> None:
    """Export the policy for any number of environments."""
    rng = np.random.default_rng(0)
    observation = {
        "joints": rng.standard_normal((3, 12), dtype=np.float32),
        "target": rng.standard_normal((3, 3), dtype=np.float32),
    }
    noise = rng.standard_normal((3, ACTIONS), dtype=np.float32)
    policy = Policy()
    model = export(
        folder,
        "policy",
        (policy, policy.init(jax.random.key(0), observation, noise)),
        [{"joints": ("B", 12), "target": ("B", 3)}, ("B", ACTIONS)],
        [observation, noise],
        input_params={"explore": True},
    )
    inputs = [i.name for i in model.graph.input]
    assert inputs == ["observation.joints", "observation.target", "noise", "explore"]
    assert [o.name for o in model.graph.output] == ["action", "value"]


if __name__ == "__main__":
    run(main)

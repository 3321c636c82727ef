"""Small models, each converted and compared with JAX; ``python -m examples.mlp`` runs one."""

"""Losses and metrics of Rax, for ranking."""

from __future__ import annotations

import rax

from tests.coverage.example import f
from tests.zoo.model import of

PAIR = (f(2, 6), f(2, 6, low=0.0, high=3.0))

MODELS = [
    of("softmax loss", rax.softmax_loss, *PAIR),
    of("pairwise logistic loss", rax.pairwise_logistic_loss, *PAIR),
    of("pairwise hinge loss", rax.pairwise_hinge_loss, *PAIR),
    of("list MLE loss", rax.listmle_loss, f(2, 6), f(2, 6)),
    of("NDCG", rax.ndcg_metric, *PAIR),
    of("mean reciprocal rank", rax.mrr_metric, f(2, 6), f(2, 6, low=0.0, high=2.0)),
    of("pairwise squared loss", rax.pairwise_mse_loss, *PAIR),
]

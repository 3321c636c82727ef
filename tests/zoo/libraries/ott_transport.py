"""Optimal transport and soft sorting of OTT."""

from __future__ import annotations

from typing import Any

from jax import Array
from ott.geometry import costs, pointcloud
from ott.problems.linear import linear_problem
from ott.solvers.linear import sinkhorn
from ott.tools import soft_sort

from tests.coverage.example import f
from tests.zoo.model import of


def _transport(x: Array, y: Array) -> Any:
    geometry = pointcloud.PointCloud(x, y, epsilon=0.5)
    solved = sinkhorn.Sinkhorn(max_iterations=200)(linear_problem.LinearProblem(geometry))
    return solved.matrix


def _cost(x: Array, y: Array) -> Any:
    geometry = pointcloud.PointCloud(x, y, epsilon=1.0, cost_fn=costs.PNormP(1.5))
    solver = sinkhorn.Sinkhorn(max_iterations=200)
    return solver(linear_problem.LinearProblem(geometry)).reg_ot_cost


MODELS = [
    of("Sinkhorn, matrix", _transport, f(5, 2), f(6, 2)),
    of("Sinkhorn, cost of p-norms", _cost, f(5, 2), f(6, 2)),
    of("distances", lambda x, y: pointcloud.PointCloud(x, y).cost_matrix, f(5, 2), f(6, 2)),
    of("soft sort", lambda x: soft_sort.sort(x, axis=-1), f(6)),
    of("soft ranks", lambda x: soft_sort.ranks(x, axis=-1), f(6)),
]

"""Linear algebra: one decomposition a file, in JAX, as loops over rows, columns or rotations.

They follow LAPACK in what it defines: signs, pivots, the packing of reflectors, and NaN for a
matrix that a factorisation fails on. Arrays have any batch axes in front; what is a column, a row
or a scalar of a matrix keeps both of its axes, so that everything is a product of matrices.
"""

"""Element types: their short names in the kernel tables, and which types hold which values."""

import onnx_ir as ir

_T = ir.DataType

# The abbreviations that JAX prints in jaxprs.
SHORT_NAMES: dict[str, ir.DataType] = {
    "bool": _T.BOOL,
    "i2": _T.INT2,
    "i4": _T.INT4,
    "i8": _T.INT8,
    "i16": _T.INT16,
    "i32": _T.INT32,
    "i64": _T.INT64,
    "u2": _T.UINT2,
    "u4": _T.UINT4,
    "u8": _T.UINT8,
    "u16": _T.UINT16,
    "u32": _T.UINT32,
    "u64": _T.UINT64,
    "f4e2m1": _T.FLOAT4E2M1,
    "f8e4m3": _T.FLOAT8E4M3FN,
    "f8e4m3fnuz": _T.FLOAT8E4M3FNUZ,
    "f8e5m2": _T.FLOAT8E5M2,
    "f8e5m2fnuz": _T.FLOAT8E5M2FNUZ,
    "f8e8m0": _T.FLOAT8E8M0,
    "bf16": _T.BFLOAT16,
    "f16": _T.FLOAT16,
    "f32": _T.FLOAT,
    "f64": _T.DOUBLE,
}

_SIGNED = (_T.INT2, _T.INT4, _T.INT8, _T.INT16, _T.INT32, _T.INT64)
_UNSIGNED = (_T.UINT2, _T.UINT4, _T.UINT8, _T.UINT16, _T.UINT32, _T.UINT64)
_FLOATS = (_T.FLOAT, _T.DOUBLE)
# The width of the widest integers that each float represents exactly.
_EXACT_BITS = {_T.FLOAT16: 11, _T.FLOAT: 24, _T.DOUBLE: 53}


def wider_floats(dtype: ir.DataType) -> tuple[ir.DataType, ...]:
    """Return the floats that hold every value of the float ``dtype``, narrowest first.

    The first one for an 8-bit float is f32: f16 would round twice on the way back.
    """
    return tuple(wide for wide in _FLOATS if wide.bitwidth > dtype.bitwidth)


def wider_integers(dtype: ir.DataType) -> tuple[ir.DataType, ...]:
    """Return the integers that hold every value of ``dtype`` (integer or bool), narrowest first."""
    if dtype in _SIGNED:
        return tuple(wide for wide in _SIGNED if wide.bitwidth > dtype.bitwidth)
    if dtype == _T.BOOL:
        return tuple(wide for wide in (*_UNSIGNED, *_SIGNED) if wide.bitwidth >= 8)
    wider = (wide for wide in (*_UNSIGNED, *_SIGNED) if wide.bitwidth > dtype.bitwidth)
    return tuple(sorted(wider, key=lambda wide: wide.bitwidth))


def same_width_integers(dtype: ir.DataType) -> tuple[ir.DataType, ...]:
    """Return the integer type of the same width and the other signedness, if there is one.

    Arithmetic modulo 2^n gives the same bits in both.
    """
    for these, others in ((_SIGNED, _UNSIGNED), (_UNSIGNED, _SIGNED)):
        if dtype in these:
            return (others[these.index(dtype)],)
    return ()


def exact_floats(dtype: ir.DataType) -> tuple[ir.DataType, ...]:
    """Return the floats that hold every value of ``dtype`` (integer or bool), narrowest first."""
    bits = 1 if dtype == _T.BOOL else dtype.bitwidth - (dtype in _SIGNED)
    return tuple(wide for wide, exact in _EXACT_BITS.items() if exact >= bits)

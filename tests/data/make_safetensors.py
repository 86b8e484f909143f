"""Writes every_dtype.safetensors and names.safetensors by the format's reference implementation.

usage: python3 make_safetensors.py        (needs safetensors, numpy, ml_dtypes; writes beside this script)

The values stand once more in tests/io/safetensors_test.cpp, which must read them, and write the same bytes.
"""
import pathlib
import sys

try:
    import ml_dtypes
    import numpy as np
    from safetensors.numpy import save_file
except ImportError as error:
    sys.exit(f"make_safetensors.py: needs the Python packages safetensors, numpy and ml_dtypes ({error})")

here = pathlib.Path(__file__).parent
inf, nan = float("inf"), float("nan")


def tensor(dtype, shape, values):
    return np.array(values, dtype).reshape(shape)


halves = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3555, 0x3C00, 0xC248, 0x7BFF, 0x7C00, 0xFC00, 0x7E00]
bfloats = [0x0000, 0x8000, 0x0001, 0x807F, 0x0080, 0x3EAB, 0x3F80, 0xC049, 0x7F7F, 0x7F80, 0xFF80, 0x7FC0]
save_file(
    {
        "bool": tensor("bool", [2, 2], [1, 0, 0, 1]),
        "u8": tensor("uint8", [3], [0, 1, 255]),
        "i8": tensor("int8", [4], [-128, -1, 0, 127]),
        "i16": tensor("int16", [4], [-(2**15), -1, 0, 2**15 - 1]),
        "i32": tensor("int32", [4], [-(2**31), -1, 0, 2**31 - 1]),
        "i64": tensor("int64", [4], [-(2**63), -1, 2**53 + 1, 2**63 - 1]),
        "f16": tensor("uint16", [3, 4], halves).view("float16"),
        "bf16": tensor("uint16", [3, 4], bfloats).view(ml_dtypes.bfloat16),
        "f32": tensor("float32", [2, 1, 4], [0.0, -0.0, 1 / 3, 2.0**-149, 1e38, inf, -inf, nan]),
        "f64": tensor("float64", [2, 2, 2, 1], [0.0, -0.0, 1 / 3, 5e-324, 1e300, inf, -inf, nan]),
    },
    here / "every_dtype.safetensors",
)
save_file(
    {
        "": tensor("float32", [1], [1.0]),
        "encoder.layers.0.self_attn.in_proj_weight": tensor("float32", [2, 3], [1, 2, 3, 4, 5, 6]),
        "scalar": tensor("float64", [], [42.0]),
        "empty": tensor("float32", [0, 3], []),
        "Wörter und 言葉 🙂": tensor("int64", [1], [7]),
        '"quoted"\\\t\n\x01\x7f/': tensor("uint8", [1, 1, 1, 1, 2], [8, 9]),
    },
    here / "names.safetensors",
    {'author "Ä"': "line\nbreak"},
)

"""Writes the files of npy/ by NumPy itself.

usage: python3 make_npy.py        (needs numpy 2; writes beside this script)

The values stand once more in tests/io/npy_test.cpp, which must read them, and write the same bytes.
"""
import pathlib
import sys

try:
    import numpy as np
except ImportError as error:
    sys.exit(f"make_npy.py: needs the Python package numpy ({error})")

folder = pathlib.Path(__file__).parent / "npy"
folder.mkdir(exist_ok=True)
inf, nan = float("inf"), float("nan")

arrays = {
    "b1": np.array([[1, 0], [0, 1]], "bool"),
    "u1": np.array([0, 1, 255], "uint8"),
    "i1": np.array([-128, -1, 0, 127], "int8"),
    "i2": np.array([-(2**15), -1, 0, 2**15 - 1], "int16"),
    "i4": np.array([-(2**31), -1, 0, 2**31 - 1], "int32"),
    "i8": np.array([-(2**63), -1, 2**53 + 1, 2**63 - 1], "int64"),
    "u2": np.array([0, 256, 2**16 - 1], "uint16"),
    "u4": np.array([0, 2**24 + 1, 2**32 - 1], "uint32"),
    "u8": np.array([0, 2**53 + 1, 2**64 - 1], "uint64"),
    "f2": np.array([0x0000, 0x8000, 0x0001, 0x83FF, 0x3555, 0x7BFF, 0x7C00, 0x7E00], "uint16").view("float16").reshape(2, 4),
    "f4": np.array([0.0, -0.0, 1 / 3, 2.0**-149, 1e38, inf, -inf, nan], "float32").reshape(2, 1, 4),
    "f8": np.array([0.0, -0.0, 1 / 3, 5e-324, 1e300, inf, -inf, nan], "float64").reshape(2, 2, 2, 1),
}
for name, array in arrays.items():
    np.save(folder / f"{name}.npy", array)
    if array.itemsize > 1:
        np.save(folder / f"{name}_big.npy", array.astype(array.dtype.newbyteorder(">")))

count = np.arange(24, dtype="float32").reshape(2, 3, 4)
np.save(folder / "fortran.npy", np.asfortranarray(count))
np.save(folder / "fortran_big.npy", np.asfortranarray(count.astype(">f8")))
np.save(folder / "count.npy", count)
for version in (2, 3):
    with open(folder / f"version_{version}.npy", "wb") as file:
        np.lib.format.write_array(file, count, (version, 0))
np.save(folder / "scalar.npy", np.float32(42))
np.save(folder / "empty.npy", np.zeros((0, 3), "float32"))
np.save(folder / "edge.npy", np.zeros((1,) * 12 + (100, 0), "uint8"))  # a header that would end at a multiple of 64 without spaces

# Not numbers, or not these.
np.save(folder / "objects.npy", np.array([{}, None], object), allow_pickle=True)
np.save(folder / "structure.npy", np.zeros(2, [("x", "<f4"), ("y", "<i8")]))
np.save(folder / "complex.npy", np.zeros(2, "complex64"))
np.save(folder / "text.npy", np.array(["a", "bc"]))
np.savez(folder / "zip.npz", a=np.zeros(1), b=np.ones(1))

"""Writes numpy_prints.txt: what NumPy prints for some hundred arrays, for tests/core/print_test.cpp.

A case is a line `dtype extents how numbers…`, where how is `values` (all of them, floats in hexadecimal) or `steps` (first, step),
then a line with the number of lines that NumPy's str(array) has, then these lines.
Made with NumPy 2.4. Before 2.3 it took up exponents at 1e8 for float32 too, since then at 1e6.
"""

import pathlib

import numpy as np

rng = np.random.default_rng(20170612)
cases = []


def add(how, array, numbers):
    lines = str(array).split("\n")
    numbers = " ".join(float(x).hex() if array.dtype.kind == "f" else str(int(x)) for x in numbers)
    extents = ",".join(map(str, array.shape))
    cases.append("\n".join([f"{array.dtype} {extents} {how} {numbers}".rstrip(), str(len(lines)), *lines]) + "\n")


def values(array, dtype=None):
    array = np.array(array, dtype)
    add("values", array, array.reshape(-1))


def floats(*array):
    for dtype in (np.float32, np.float64):
        with np.errstate(over="ignore"):
            values(array[0] if len(array) == 1 and np.ndim(array[0]) else array, dtype)


def steps(shape, dtype, first, step):
    count = int(np.prod(shape))
    add("steps", (np.arange(count) * step + first).astype(dtype).reshape(shape), [dtype(first), dtype(step)])


nan, inf = np.nan, np.inf

# Few digits, whole numbers, signs
floats(1), floats(-1), floats(0), floats(-0.0), floats(0, -0.0), floats(0.5), floats(1, 2, 3), floats(1, -2, 3), floats(1.5, 22.25, -333.125)
floats(0.1, 0.2, 0.3), floats(1 / 3), floats(2 / 3, 1), floats(0.999999999, 1), floats(0.99999999, 0.5), floats(9.999999995), floats(100, 0.25)
# Ties at the eighth digit, in both notations
floats(2**-9), floats(3 * 2**-9), floats(2**-9, 1), floats(1 + 2**-9), floats(1 + 3 * 2**-9), floats(2**-9 * 1e-6), floats(1.000000005, 2.000000015)
floats(1 + 2**-9, 1e9), floats(1.953125e-3 * 2**-20), floats(0.123456785, 0.123456775), floats(123456.123456785)
# Where the exponent comes in
floats(99999999, 1), floats(9.9999999e7), floats(1e8), floats(999999), floats(999999.9), floats(1e6), floats(1e7, 1e5), floats(1e-4), floats(9.9e-5)
floats(0.0001, 0.0999), floats(0.0001, 0.1), floats(0.0001, 0.11), floats(1, 1000), floats(1, 1001), floats(1, 1000.0001), floats(0.3, 300), floats(0.3, 300.1)
floats(0, 1e-5), floats(0, 1e5, 0.5), floats(1e10, 1e20), floats(1e10, -1e20), floats(-1e-10), floats(1e-10, 1e10, 0), floats(1.5e-300, 1e9), floats(1e-30, 1e30)
floats(1e100, 1.25), floats(1e100), floats(1e99, 1e-100), floats(1e100, -nan, -inf), floats(1.123456789e-7, 2e-7), floats(1.23e-7, 2.5), floats(1.2e5, 1.23e8)
# The hard ones for shortest digits
floats(5e-324), floats(1.401298464324817e-45), floats(1.7976931348623157e308), floats(3.4028235e38), floats(2.2250738585072014e-308), floats(1.17549435e-38)
floats(1e23), floats(9007199254740993), floats(2**-44), floats(2**-1074 * 3), floats(9.5367431640625e-07), floats(8.41e21), floats(2.0**60, 2.0**-60)
floats([2.0**k for k in range(-40, 41, 7)]), floats([10.0**k for k in range(-12, 13, 3)]), floats(16777216, 16777217), floats(33554434.0, 0.1)
# Not finite
floats(nan), floats(inf), floats(-inf), floats(nan, inf), floats(nan, -inf), floats(1, nan), floats(1, inf), floats(1, -inf), floats(nan, 1.25, inf)
floats(-1.5, nan, -inf), floats(1e-9, nan), floats(1e-9, -inf, 12), floats([[nan, 1], [2, 0.125]]), floats(nan, 100, 2.5), floats(-inf, 1), floats(inf, 0.0)
# Of all sizes and shapes
for digits in (1, 2, 3, 5, 8, 12):
    floats(np.round(rng.normal(size=3), digits))
    floats(np.round(rng.normal(size=(2, 4)) * 30, digits))
for power in (-8, -5, -3, -1, 0, 2, 4, 6, 9, 20):
    floats(rng.normal(size=4) * 10.0**power)
    floats(rng.uniform(size=(2, 3)) * 10.0**power)
for _ in range(12):
    floats(rng.normal(size=3) * 10.0 ** rng.integers(-4, 9, size=3))
for _ in range(12):
    values(rng.integers(0, 2**32, size=3, dtype=np.uint32).view(np.float32))
    values(rng.integers(0, 2**64, size=3, dtype=np.uint64).view(np.float64))
values(rng.normal(size=(2, 2, 3)), np.float32), values(rng.normal(size=(2, 1, 2, 2)), np.float32), values(rng.normal(size=(1, 2, 2, 2)), np.float64)
values(rng.normal(size=12), np.float32), values(rng.normal(size=12), np.float64), values(rng.uniform(size=(2, 11)), np.float32), values(rng.normal(size=(3, 7)), np.float64)
values(np.eye(4), np.float32), values(np.ones((3, 1)), np.float64), values(np.zeros((1, 1, 1, 1)), np.float32)
# Integers and truth
for dtype in (np.int8, np.uint8, np.int32, np.int64):
    info = np.iinfo(dtype)
    values([info.min, info.max], dtype), values([[0, 1], [info.max, 10]], dtype), values([7], dtype)
values([[-1, 20], [300, -4000]], np.int64), values([-10, 5], np.int32), values([10, -5], np.int32)
values([True]), values([False]), values([True, False]), values([[False, False], [True, False]]), values([True] * 40)
# Lines as long as they may be, and longer
for count in (12, 15, 16, 17, 18, 19, 24, 25, 26, 36, 37, 38):
    steps((count,), np.int64, 10, 1), steps((2, count), np.int64, 100, 1), steps((count,), np.float64, 0.5, 1)
for shape in ((3, 40), (1, 2, 26), (2, 1, 1, 38), (1, 1, 1, 19), (1, 1, 1, 37)):
    steps(shape, np.int64, 0, 1), steps(shape, np.float32, -1, 0.25)
values([1e-15 / 3, 1, 1e-200] * 9, np.float64), steps((9,), np.int64, 10**17, 1), steps((2, 9), np.int64, -(10**17), 1)
# More than 1000 elements
for shape in ((1001,), (5000,), (2, 600), (600, 2), (6, 200), (7, 150), (40, 40), (7, 7, 30), (6, 6, 30), (3, 4, 100), (2, 1, 2, 300), (7, 1, 7, 30), (1, 1200), (1200, 1)):
    steps(shape, np.int64, 0, 1) if len(shape) > 2 else steps(shape, np.float32, 0, 1)
    if len(shape) < 3:
        steps(shape, np.float64, -3, 0.125)
steps((1000,), np.int8, 7, 0), steps((40, 25), np.uint8, 1, 0)
# Nothing
for shape in ((0,), (3, 0), (0, 3), (2, 0, 2), (1, 1, 1, 0)):
    values(np.zeros(shape), np.float32), values(np.zeros(shape), np.int64)

pathlib.Path(__file__).with_name("numpy_prints.txt").write_text("".join(cases))
print(len(cases), "arrays")

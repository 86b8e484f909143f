"""Writes gguf_types.gguf by the format's reference implementation: blocks of every type that is read, and metadata of every type.

usage: python3 make_gguf_cases.py        (needs gguf 0.19, numpy; writes beside this script)

Beside a tensor "Q4_K" lies "Q4_K.float32", the values that gguf computes from its blocks. The metadata stand once more in
tests/io/gguf_metadata_test.cpp, and the values of the plain types in tests/io/gguf_test.cpp.
"""
import pathlib
import sys

try:
    import gguf
    import numpy as np
except ImportError as error:
    sys.exit(f"make_gguf_cases.py: needs the Python packages gguf and numpy ({error})")

Type = gguf.GGMLQuantizationType
inf, nan = float("inf"), float("nan")
random = np.random.default_rng(1)
writer = gguf.GGUFWriter(pathlib.Path(__file__).parent / "gguf_types.gguf", "llama")

# Metadata. The writer adds general.architecture.
writer.add_string("test.string", "Wörter und 言葉 🙂")
writer.add_uint8("test.u8", 255)
writer.add_int8("test.i8", -128)
writer.add_uint16("test.u16", 65535)
writer.add_int16("test.i16", -32768)
writer.add_uint32("test.u32", 2**32 - 1)
writer.add_int32("test.i32", -(2**31))
writer.add_float32("test.f32", 1e-5)
writer.add_uint64("test.u64", 2**64 - 1)
writer.add_int64("test.i64", -(2**63))
writer.add_float64("test.f64", 1e-300)
writer.add_bool("test.true", True)
writer.add_bool("test.false", False)
writer.add_array("test.strings", ["<s>", "", "Ġthe", "🙂"])
writer.add_array("test.integers", [1, -2, 3])
writer.add_array("test.floats", [0.5, -0.0, inf])
writer.add_array("test.bools", [True, False, True])

# Blocks. In gguf's layout a block begins or ends with its half-precision values.
halves = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}  # fmt: skip
for name, places in halves.items():
    count, size = gguf.GGML_QUANT_SIZES[Type[name]]
    blocks = random.integers(0, 256, (10, size), np.uint8)
    blocks[6] = 0
    blocks[7] = 255
    for place in places:
        half = random.normal(0, 0.01, 10).astype(np.float16)
        half[3:] = [2.0**-24, -(2.0**-14), -0.0, 1.0, 65504.0, inf, nan]
        blocks[:, place : place + 2] = half.reshape(10, 1).view(np.uint8)
    blocks = blocks.reshape(5, 2 * size)
    with np.errstate(invalid="ignore"):
        values = gguf.dequantize(blocks, Type[name])
    assert values.dtype == np.float32 and values.shape == (5, 2 * count)
    writer.add_tensor(name, blocks, raw_dtype=Type[name])
    writer.add_tensor(name + ".float32", values)

# Plain types.
bfloats = np.array([0x0000, 0x8000, 0x0001, 0x3F80, 0xC049, 0x7F7F, 0xFF80, 0x7FC0], np.uint16)
writer.add_tensor("F32", np.array([0.0, -0.0, 1 / 3, 2.0**-149, 1e38, inf, -inf, nan], np.float32).reshape(2, 1, 4))
writer.add_tensor("F16", np.array([0.0, -0.0, 2.0**-24, 1 / 3, 65504, inf], np.float16).reshape(2, 3))
writer.add_tensor("BF16", bfloats.view(np.uint8).reshape(2, 8), raw_dtype=Type.BF16)
writer.add_tensor("F64", np.array([0.0, -0.0, 1 / 3, 5e-324, 1e300], np.float64))
writer.add_tensor("I8", np.array([-128, -1, 0, 127], np.int8))
writer.add_tensor("I16", np.array([-(2**15), -1, 0, 2**15 - 1], np.int16))
writer.add_tensor("I32", np.array([-(2**31), -1, 0, 2**31 - 1], np.int32))
writer.add_tensor("I64", np.array([-(2**63), -1, 2**53 + 1, 2**63 - 1], np.int64))
writer.add_tensor("axes", np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4))

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

"""Files of a model in llama.cpp's types, which its quantizer writes: what against_llama_cpp.py and perplexity.py share."""
import ctypes
import sys

import llama_cpp

TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q4_K_M": 15, "Q6_K": 18}  # llama.cpp's numbers of them


def quantized(model, name):
    """The model, a GGUF file, in this type, as a file beside it."""
    file = model.with_suffix(f".{name.lower()}.gguf")
    if not file.exists():
        how = llama_cpp.llama_model_quantize_default_params()
        how.ftype, how.allow_requantize = TYPES[name], True
        if llama_cpp.llama_model_quantize(str(model).encode(), str(file).encode(), ctypes.byref(how)) != 0:
            sys.exit(f"{sys.argv[0]}: llama.cpp could not write {file}")
    return str(file)

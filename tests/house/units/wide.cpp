// Compiled with -mavx2 -mfma, where the others have the machine's plain instructions.
#include "../attend.hpp"

#if !defined(EIGEN_VECTORIZE_AVX2) || !defined(EIGEN_VECTORIZE_FMA)
#error "this translation unit must be compiled with -mavx2 -mfma"
#endif

double wide_gap() { return attend_gap(); }

void wide_mistake() {
  attn::ScaledDotProductAttention{{.scale = INFINITY}}(Inputs().q, Inputs().k, Inputs().v);
}

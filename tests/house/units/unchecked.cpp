#ifndef NDEBUG
#define NDEBUG
#endif
#include "../attend.hpp"

double unchecked_gap() { return attend_gap(); }

void unchecked_mistake() {
  attn::ScaledDotProductAttention{{.scale = INFINITY}}(Inputs().q, Inputs().k, Inputs().v);
}

#undef NDEBUG
#include "../attend.hpp"

double checked_gap() { return attend_gap(); }

void checked_mistake() {
  attn::ScaledDotProductAttention{{.scale = INFINITY}}(Inputs().q, Inputs().k, Inputs().v);
}

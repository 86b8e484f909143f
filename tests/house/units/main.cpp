// One program of translation units that were compiled in different ways. Each must compute what
// plain loops compute, and what it throws must be caught here by its name.
#include <attn/core/error.hpp>

#include <cstdio>

double checked_gap();
double unchecked_gap();
void checked_mistake();
void unchecked_mistake();
#ifdef ATTN_COMPILES_AVX2
double wide_gap();
void wide_mistake();
#endif

int main() {
  int failures = 0;
  const auto check = [&](const char* unit, double gap, void (*mistake)()) {
    bool good = gap < 1e-5;
    try {
      mistake();
      good = false;
    } catch (const attn::OptionError&) {
    } catch (const std::exception&) {
      good = false;
    }
    std::printf("%s: off by %g, %s\n", unit, gap, good ? "ok" : "FAILED");
    failures += !good;
  };
  check("assertions on", checked_gap(), checked_mistake);
  check("assertions off", unchecked_gap(), unchecked_mistake);
#ifdef ATTN_COMPILES_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    check("AVX2 and FMA", wide_gap(), wide_mistake);
  else std::puts("AVX2 and FMA: left out, this processor has none");
#else
  std::puts("AVX2 and FMA: left out, this compiler makes no such code");
#endif
  return failures;
}

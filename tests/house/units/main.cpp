// One program of three translation units that were compiled in different ways. Each must compute what plain loops compute.
#include <cstdio>

double checked_gap();
double unchecked_gap();
#ifdef ATTN_COMPILES_AVX2
double wide_gap();
#endif

int main() {
  int failures = 0;
  const auto check = [&](const char* unit, double gap) {
    const bool good = gap < 1e-5;
    std::printf("%s: off by %g, %s\n", unit, gap, good ? "ok" : "FAILED");
    failures += !good;
  };
  check("assertions on", checked_gap());
  check("assertions off", unchecked_gap());
#ifdef ATTN_COMPILES_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) check("AVX2 and FMA", wide_gap());
  else std::puts("AVX2 and FMA: left out, this processor has none");
#else
  std::puts("AVX2 and FMA: left out, this compiler makes no such code");
#endif
  return failures;
}

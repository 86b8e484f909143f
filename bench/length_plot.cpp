// Draws time against length, log-log: the tiled kernel, the reference implementation, and attention
// written with plain Eigen, one head of dimension 64, one thread. usage: length_plot OUT.png
#include <attn/attn.hpp>
#include <attn/plot.hpp>

#include <cstdio>

#include "peak.hpp"
#include "plain_eigen.hpp"

namespace {

using attn::Index, attn::Tensor;
constexpr Index E = 64;

/// Milliseconds of a call: the median of calls that take a second together.
template <class F>
double milliseconds(F&& call) {
  std::vector<double> times;
  for (double sum = 0; times.size() < 3 || (sum < 1 && times.size() < 50); sum += times.back())
    times.push_back(seconds(call));
  return 1e3 * median(times);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::puts("usage: length_plot OUT.png");
    return 2;
  }
  attn::set_num_threads(1);
  using attn::plot::Curve;
  std::vector<Curve> curves{{.name = "reference, row by row"},
                            {.name = "Eigen, all scores in memory"},
                            {.name = "tiled"},
                            {.name = "tiled, causal"}};
  const auto add = [&](std::size_t curve, Index L, auto&& call) {
    curves[curve].x.push_back(double(L));
    curves[curve].y.push_back(milliseconds(call));
    std::printf("%-28s L = S = %6ld  %10.3f ms\n", curves[curve].name.c_str(), long(L),
                curves[curve].y.back());
    std::fflush(stdout);
  };
  for (Index L = 64; L <= 32768; L *= 2) {
    attn::Random random{1};
    Tensor<float, 4> q({1, 1, L, E}), k({1, 1, L, E}), v({1, 1, L, E}), o({1, 1, L, E});
    random.normal(q);
    random.normal(k);
    random.normal(v);
    const attn::ScaledDotProductAttention tiled;
    const attn::ScaledDotProductAttention<attn::Reference> reference;
    if (L <= 4096) add(0, L, [&] { reference.into(o, q, k, v); });
    if (L <= 16384) add(1, L, [&] { plain_eigen(q, k, v, o); });
    add(2, L, [&] { tiled.into(o, q, k, v); });
    add(3, L, [&] { tiled.into(o, q, k, v, attn::Causal{}); });
  }
  const attn::plot::Curves plot{.title = "Attention of one head of dimension 64, float, one thread",
                                .x = {.title = "length L = S", .scale = attn::plot::Scale::log2},
                                .y = {.title = "milliseconds", .scale = attn::plot::Scale::log10},
                                .curves = curves};
  attn::plot::Figure{.panels = {plot}}.save(argv[1]);
}

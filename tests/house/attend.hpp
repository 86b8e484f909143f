// One attention and one layer, computed by the library and by plain loops: what several small
// programs here do. Everything is in an unnamed namespace, so that translation units compiled in
// different ways share nothing but what attn makes them share.
#pragma once

#include <attn/attn.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace {

using attn::Index;
using Values = std::vector<double>;

struct Inputs {
  static constexpr Index B = 2, H = 3, L = 19, E = 12, D = H * E;
  attn::Random random{11};
  attn::Tensor<float, 4> q{{B, H, L, E}}, k{{B, H, L, E}}, v{{B, H, L, E}};
  attn::Tensor<float, 3> x{{B, L, D}};
  attn::MultiHeadAttention<float> layer{{.embed_dim = D, .num_heads = H}, random};
  Inputs() {
    random.normal(q);
    random.normal(k);
    random.normal(v);
    random.normal(x);
  }
};

/// Causal scaled dot-product attention, then causal multi-head self-attention: the values of both.
inline std::vector<float> attend(const Inputs& in) {
  const auto o = attn::ScaledDotProductAttention{}(in.q, in.k, in.v, attn::Causal{});
  const auto y = in.layer(in.x, in.x, in.x, attn::Causal{});
  std::vector<float> values(o.data(), o.data() + o.size());
  values.insert(values.end(), y.data(), y.data() + y.size());
  return values;
}

/// softmax(q kᵀ / √E) v of one head, whose rows lie `stride` elements apart; a query attends to the
/// keys up to its own.
inline void plain_head(const double* q, const double* k, const double* v, double* o, Index stride) {
  for (Index i = 0; i < Inputs::L; ++i) {
    Values p;
    double sum = 0;
    for (Index j = 0; j <= i; ++j) {
      double score = 0;
      for (Index e = 0; e < Inputs::E; ++e) score += q[i * stride + e] * k[j * stride + e];
      p.push_back(std::exp(score / std::sqrt(double(Inputs::E))));
      sum += p.back();
    }
    for (Index e = 0; e < Inputs::E; ++e) {
      o[i * stride + e] = 0;
      for (Index j = 0; j <= i; ++j)
        o[i * stride + e] += p[std::size_t(j)] / sum * v[j * stride + e];
    }
  }
}

/// The rows of x times the transpose of `rows` rows of the weight, from row `first`; the biases are
/// initialized to 0, as in PyTorch.
inline Values plain_linear(const Values& x, const float* weight, Index first, Index rows) {
  const Index D = Inputs::D, count = Index(x.size()) / D;
  Values y(std::size_t(count * rows));
  for (Index i = 0; i < count; ++i)
    for (Index r = 0; r < rows; ++r)
      for (Index d = 0; d < D; ++d)
        y[std::size_t(i * rows + r)] +=
            x[std::size_t(i * D + d)] * double(weight[(first + r) * D + d]);
  return y;
}

inline Values plain_attend(const Inputs& in) {
  constexpr Index B = Inputs::B, H = Inputs::H, L = Inputs::L, E = Inputs::E, D = Inputs::D;
  const auto doubles = [](const auto& tensor) {
    return Values(tensor.data(), tensor.data() + tensor.size());
  };
  const Values q = doubles(in.q), k = doubles(in.k), v = doubles(in.v), x = doubles(in.x);
  Values result(q.size());
  for (Index head = 0; head < B * H; ++head) {
    const auto at = std::size_t(head * L * E);
    plain_head(&q[at], &k[at], &v[at], &result[at], E);
  }

  const float* in_proj = in.layer.in_proj_weight->value().data();
  const Values Q = plain_linear(x, in_proj, 0, D), K = plain_linear(x, in_proj, D, D),
               V = plain_linear(x, in_proj, 2 * D, D);
  Values heads(x.size());
  for (Index b = 0; b < B; ++b)
    for (Index h = 0; h < H; ++h) {
      const auto at = std::size_t(b * L * D + h * E);
      plain_head(&Q[at], &K[at], &V[at], &heads[at], D);
    }
  const Values y = plain_linear(heads, in.layer.out_proj.weight.value().data(), 0, D);
  result.insert(result.end(), y.begin(), y.end());
  return result;
}

/// The largest difference between the two; infinite where the library gave a NaN or another count
/// of values.
inline double attend_gap() {
  const Inputs in;
  const std::vector<float> got = attend(in);
  const Values wanted = plain_attend(in);
  constexpr double infinite = std::numeric_limits<double>::infinity();
  double worst = got.size() == wanted.size() ? 0 : infinite;
  for (std::size_t i = 0; i < wanted.size() && i < got.size(); ++i) {
    const double gap = std::abs(double(got[i]) - wanted[i]);
    worst = gap <= worst ? worst : std::isnan(gap) ? infinite : gap;
  }
  return worst;
}

}  // namespace

#pragma once

#include <gtest/gtest.h>

#include <attn/attention/scaled_dot_product.hpp>
#include <attn/core/random.hpp>
#include <cstdlib>
#include <functional>
#include <sstream>
#include <string>

#include "support/tensors.hpp"

/// Attention cases drawn from a number: the specification of what kernels must agree on. A case is
///   shapes      B and G of 1 or 2, H of G or 2·G; L and S of 0 to 300, E and Ev of 0 to 89
///   strides     contiguous, heads of a row side by side, or padded rows, from any address
///   values      normal, and scores from 0 to about 10
///   a rule      one of 13, of the library and of a user, alone and combined, with either alignment
/// The same number is the same case everywhere.
namespace attention_cases {

using attn::Index;

/// A user's rule, plain: it is asked element by element.
struct Recency {
  double rate;
  template <class T>
  T score(T s, attn::Position at) const {
    using std::tanh;
    return T(5) * tanh(s / T(5)) - T(rate * double(at.query - at.key));
  }
};
struct Strided {
  Index stride;
  bool allows(attn::Position at) const {
    return at.key <= at.query && (at.query - at.key) % stride == 0;
  }
};
/// The same in the form that is evaluated for a vector of queries.
struct RecencyOfVectors {
  double rate;
  template <class T>
  T score(T s, const auto& at) const {
    using std::tanh;
    return T(5) * tanh(s / T(5)) - T(rate) * T(at.query - at.key);
  }
};
struct StridedOfVectors {
  Index stride;
  auto allows(const auto& at) const {
    return at.key <= at.query && (at.query - at.key) % stride == 0;
  }
};

/// Every other band of keys, so that what is excluded lies between what is not.
struct Bands {
  Index width;
  bool allows(attn::Position at) const { return at.key / width % 2 == 0; }
  attn::Coverage cover(attn::Tile t) const {
    const Index first = t.key_begin / width, last = (t.key_end - 1) / width;
    if (first != last) return attn::Coverage::partial;
    return first % 2 == 0 ? attn::Coverage::full : attn::Coverage::empty;
  }
};

/// A rule whose type is erased, as the scores of one call have it: it is asked element by element,
/// at rows and columns of the call. What is computed with it is compiled once for all rules.
template <class T>
class ErasedRule {
 public:
  /// Refers to the rule.
  template <class R>
  ErasedRule(const R& rule, const attn::ScoreShape& call, attn::Align align) {
    const attn::BoundRule<R> bound(rule, call, align);
    allows_ = [bound](attn::Position at) { return bound.allows(at); };
    score_ = [bound](T s, attn::Position at) { return bound.score(s, at); };
    dual_score_ = [bound](attn::Dual<T> s, attn::Position at) { return bound.score(s, at); };
  }
  bool allows(attn::Position at) const { return allows_(at); }
  T score(T s, attn::Position at) const { return score_(s, at); }
  attn::Dual<T> score(attn::Dual<T> s, attn::Position at) const { return dual_score_(s, at); }

 private:
  std::function<bool(attn::Position)> allows_;
  std::function<T(T, attn::Position)> score_;
  std::function<attn::Dual<T>(attn::Dual<T>, attn::Position)> dual_score_;
};

/// The attention of a case by a kernel, whose type is erased with that of the rule.
template <class T>
struct Attention {
  ErasedRule<T> rule;
  std::function<void(const attn::AttentionOutputs<T>&)> forward;
  std::function<void(const attn::BackwardInputs<T>&, const attn::InputGradients<T>&)> backward;
};

struct Shape {
  Index B, H, G, L, S, E, Ev;
};

template <class T>
class Case {
 public:
  explicit Case(std::uint64_t number) : random_{number} {
    const Index G = 1 + random_.index(2), groups = 1 + random_.index(2);
    shape = {1 + random_.index(2), G * groups, G, length(), length(), size(), size()};
    same_length_ = random_.index(2) == 0;
    if (same_length_) shape.S = shape.L;
    align_ = random_.index(2) == 0 ? attn::Align::upper_left : attn::Align::lower_right;
    rule_ = random_.index(13);
    q = Operand(random_, shape.B, shape.H, shape.L, shape.E);
    k = Operand(random_, shape.B, shape.G, shape.S, shape.E);
    v = Operand(random_, shape.B, shape.G, shape.S, shape.Ev);
    const double logits[] = {0, 0.1, 1, 1, 1, 10};  // of the scores, about
    factor = logits[random_.index(6)];
    for (T& x : q.memory) x *= T(factor);
  }

  Shape shape;
  double factor;

  /// A tensor within memory of its own: contiguous, or with the heads of a row side by side, or
  /// with padded rows, from any address.
  struct Operand {
    Operand() = default;
    Operand(attn::Random& random, Index B, Index H, Index L, Index E) {
      const Index layout = random.index(3), gap = layout == 2 ? 1 + random.index(9) : 0;
      offset = random.index(5);
      shape = {B, H, L, E};
      if (layout == 1) strides = {L * H * E, E, H * E, 1};
      else strides = {H * L * (E + gap), L * (E + gap), E + gap, 1};
      memory.resize(std::size_t(offset + B * H * L * (E + gap) + 1));
      for (T& x : memory) x = nearly_normal(random.bits());
    }
    /// The sum of four numbers, evenly distributed, of variance 1: quicker than a normal one.
    static T nearly_normal(std::uint64_t bits) {
      T sum = 0;
      for (; bits != 0; bits >>= 16) sum += T(bits & 0xFFFF);
      return (sum / T(65536) - T(2)) * T(1.7320508075688772);
    }
    attn::TensorView<const T, 4> view() const { return {memory.data() + offset, shape, strides}; }
    attn::TensorView<T, 4> view() { return {memory.data() + offset, shape, strides}; }

    std::vector<T> memory{};
    Index offset = 0;
    attn::Shape<4> shape{}, strides{};
  };
  Operand q, k, v;

  std::string describe() const {
    const char* rules[] = {"NoMask",
                           "Causal",
                           "Padding",
                           "Keep",
                           "Bias",
                           "SlidingWindow",
                           "Softcap & Causal",
                           "Alibi & Padding",
                           "own rule",
                           "own rule of vectors",
                           "Causal & Padding & Keep",
                           "Bias & SlidingWindow & Softcap",
                           "Bands"};
    std::ostringstream text;
    text << (sizeof(T) == 4 ? "float" : "double") << " B" << shape.B << " H" << shape.H << " G"
         << shape.G << " L" << shape.L << " S" << shape.S << " E" << shape.E << " Ev" << shape.Ev
         << " strides " << attn::to_string(q.strides) << attn::to_string(k.strides)
         << attn::to_string(v.strides) << " offsets " << q.offset << ' ' << k.offset << ' '
         << v.offset << ", " << rules[rule_]
         << (align_ == attn::Align::upper_left ? ", upper left" : ", lower right")
         << ", scores about " << factor;
    return text.str();
  }

  /// Calls f with the rule.
  template <class F>
  void with_rule(F&& f) {
    attn::Random random{random_.seed ^ 0x9E3779B97F4A7C15u};
    const auto [B, H, G, L, S, E, Ev] = shape;
    const attn::Causal causal{align_};
    const attn::SlidingWindow window{.left = random.index(40),
                                     .right = random.index(40),
                                     .align = align_,
                                     .first = std::max<Index>(0, random.index(60) - 30)};
    std::vector<Index> lengths;
    for (Index b = 0; b < B; ++b) lengths.push_back(random.index(S + 1));
    const attn::Padding padding(lengths);
    const auto axis = [&](Index n) { return random.index(2) == 0 ? n : 1; };
    const auto keep = [&] {
      attn::Tensor<bool, 4> mask({axis(B), axis(H), axis(L), axis(S)});
      for (Index i = 0; i < mask.size(); ++i) mask.data()[i] = random.index(3) > 0;
      return attn::Keep{std::move(mask)};
    };
    const auto bias = [&] {
      attn::Tensor<T, 4> table({axis(B), axis(H), axis(L), axis(S)});
      random.normal(table);
      for (Index i = 0; i < table.size(); ++i)
        if (random.index(4) == 0) table.data()[i] = -std::numeric_limits<T>::infinity();
      return attn::Bias{std::move(table)};
    };
    switch (rule_) {
      case 0: return f(attn::NoMask{});
      case 1: return f(causal);
      case 2: return f(padding);
      case 3: return f(keep());
      case 4: return f(bias());
      case 5: return f(window);
      case 6: return f(attn::Softcap{2} & causal);
      case 7: return f(attn::Alibi{attn::Alibi::slopes(H), align_} & padding);
      case 8: return f(attn::combine(Recency{0.02}, Strided{1 + random.index(4)}));
      case 9:
        return f(attn::combine(RecencyOfVectors{0.02}, StridedOfVectors{1 + random.index(4)}));
      case 10: return f(causal & padding & keep());
      case 11: return f(bias() & window & attn::Softcap{3});
      default: return f(Bands{1 + random.index(30)});
    }
  }
  attn::AttentionOptions options() const { return {.align = align_}; }
  attn::AttentionInputs<T> inputs() const { return {q.view(), k.view(), v.view()}; }

  /// Calls f with the attention of the case by the default kernel, under its rule.
  template <class F>
  void with_attention(F&& f) {
    with_rule([&](const auto& rule) {
      const attn::ScaledDotProductAttention<attn::Tiled> tiled(options());
      f(Attention<T>{
          ErasedRule<T>(rule, {shape.B, shape.H, shape.L, shape.S}, align_),
          [&](const attn::AttentionOutputs<T>& outputs) { tiled.forward(inputs(), outputs, rule); },
          [&](const attn::BackwardInputs<T>& given, const attn::InputGradients<T>& gradients) {
            tiled.backward(inputs(), given, rule, gradients);
          }});
    });
  }
  /// The same by the reference implementation.
  Attention<T> reference(const ErasedRule<T>& rule) const {
    const attn::ScaledDotProductAttention<attn::Reference> attend(
        {.align = attn::Align::upper_left});  // the erased rule knows its alignment
    return {rule,
            [this, attend, rule](const attn::AttentionOutputs<T>& outputs) {
              attend.forward(inputs(), outputs, rule);
            },
            [this, attend, rule](const attn::BackwardInputs<T>& given,
                                 const attn::InputGradients<T>& gradients) {
              attend.backward(inputs(), given, rule, gradients);
            }};
  }

 private:
  /// 0 … 300, small ones more often: 192 is the end of a tile.
  Index length() {
    return random_.index(4) == 0 ? random_.index(301)
                                 : random_.index(1 + random_.index(1 + random_.index(150)));
  }
  Index size() {
    const Index usual[] = {1, 8, 16, 20, 33, 64};
    return random_.index(4) == 0 ? random_.index(90) : usual[random_.index(6)];
  }

  attn::Random random_;
  bool same_length_;
  attn::Align align_;
  Index rule_;
};

/// How many cases are drawn; the variable ATTN_CASES overrides it: .ci/run draws fewer.
inline std::uint64_t how_many() {
  const char* number = std::getenv("ATTN_CASES");
  return number ? std::strtoull(number, nullptr, 10) : 4800;
}

}  // namespace attention_cases

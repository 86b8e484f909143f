#pragma once

#include <attn/math/dropout.hpp>
#include <attn/rules/rule.hpp>

namespace attn::inline ATTN_ABI {

/// A rule under which weights are dropped as well: P ∘ M in the place of P, M of a weight's place alone, so that it is never stored
/// [Srivastava14]. It is what training makes of a rule where AttentionOptions::dropout is not 0.
template <Rule R, class T>
struct Dropped {
  R rule;
  DropoutMask<T> mask;

  /// Numbers that a mask for scores of this shape has: those of a key one after the other, in whole vectors.
  static Index size(const ScoreShape& shape) { return shape.batch * shape.heads * shape.keys * row(shape); }
  static Index row(const ScoreShape& shape) { return (shape.queries + 15) / 16 * 16; }

  bool allows(Position) const { return true; }  // what is bound answers, with the rule's own alignment
};

template <Rule R, class T>
class Bound<Dropped<R, T>> : public Bound<R> {
 public:
  Bound(const Dropped<R, T>& dropped, const ScoreShape& shape, std::optional<Align> align)
      : Bound<R>(dropped.rule, shape, align), mask_(dropped.mask), shape_(shape), row_(Dropped<R, T>::row(shape)) {}
  Bound(const Dropped<R, T>&&, const ScoreShape&, std::optional<Align>) = delete;

  static constexpr bool drops = true;

  /// M of one weight, and of the queries of a vector, the first of which is a multiple of its length: 0 or 1 / (1 − p).
  T kept(Position at) const { return mask_(place(at.batch, at.head, at.key, at.query)); }
  simd::Vector<T> kept(const Positions<T>& at) const {
    const Index first = place(at.batch, at.head, at.key, at.query.first);
    simd::Array<T, (simd::lanes<T> + 3) / 4 * 4> factors;
    for (Index i = 0; i < simd::lanes<T>; i += 4) {
      const simd::Array<T, 4> four = mask_.four(first / 4 + i / 4);
      for (Index n = 0; n < 4; ++n) factors[i + n] = four[n];
    }
    return simd::load<simd::Vector<T>>(factors.data + (simd::lanes<T> < 4 ? first % 4 : 0));
  }

 private:
  Index place(Index batch, Index head, Index key, Index query) const { return ((batch * shape_.heads + head) * shape_.keys + key) * row_ + query; }

  DropoutMask<T> mask_;
  ScoreShape shape_;
  Index row_;
};

}  // namespace attn::inline ATTN_ABI

#pragma once

#include <attn/attn.hpp>
#include <attn/mpi/sharded.hpp>

#include "support/small_model.hpp"

/// Layers whose parameters have several chunks, so that three and more ranks share one, a layer
/// that only part 5 uses, and one that no part uses.
template <class T>
struct PartlyUsedModel : attn::Module<PartlyUsedModel<T>, T> {
  static constexpr const char* kind = "PartlyUsedModel";
  attn::Linear<T> wide, narrow, of_part_5, unused;
  attn::Dropout dropout{0.2};

  explicit PartlyUsedModel(attn::Random& random)
      : wide({.in_features = 90, .out_features = 600}, random),
        narrow({.in_features = 600, .out_features = 240}, random),
        of_part_5({.in_features = 240, .out_features = 90}, random),
        unused({.in_features = 3, .out_features = 3}, random) {}
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("wide", self.wide);
    visitor("narrow", self.narrow);
    visitor("of_part_5", self.of_part_5);
    visitor("unused", self.unused);
  }

  /// The loss of a part of a batch of random numbers.
  attn::Variable<T, 1> loss(attn::Index step, attn::Index part, attn::Tape<T>& tape) {
    attn::Random data{static_cast<std::uint64_t>(1000 * step + part)};
    attn::Tensor<T, 2> x({3, 90});
    data.normal(x);
    auto y = narrow(dropout(attn::tanh(wide(tape.constant(x)))));
    if (part == 5) y = dropout(of_part_5(y));  // and draws more than other parts
    return attn::mean(y * y);
  }
};

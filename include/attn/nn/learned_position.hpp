#pragma once

#include <attn/autograd/shape.hpp>
#include <attn/core/option.hpp>
#include <attn/core/random.hpp>
#include <attn/nn/module.hpp>

namespace attn {
inline namespace ATTN_ABI {

struct LearnedPositionOptions {
  Index max_length, d_model;
};

/// PE(pos) = row pos of `weight` (max_length, d_model), which is learned; "nearly identical
/// results"   [Vaswani17 Table 3 (E); Gehring17 §3.1] Zero without a Random, as a layer about to be
/// loaded is; with one, N(0, 0.02²), as Hugging Face's BERT and GPT-2 start.
/// Errors: OptionError for sizes below 1.
template <class T>
class LearnedPosition : public Module<LearnedPosition<T>, T> {
 public:
  static constexpr const char* kind = "LearnedPosition";
  Parameter<T, 2> weight;

  explicit LearnedPosition(const LearnedPositionOptions& options) {
    expect_option(options.max_length >= 1, kind, "max_length", options.max_length, "at least 1");
    expect_option(options.d_model >= 1, kind, "d_model", options.d_model, "at least 1");
    weight = Parameter<T, 2>({options.max_length, options.d_model});
  }
  LearnedPosition(const LearnedPositionOptions& options, Random& random)
      : LearnedPosition(options) {
    random.normal(weight.edit(), 0, 0.02);
  }

  /// PE(pos) for pos = offset … offset + length − 1: (length, d_model), a view of where they lie in
  /// `weight`; with a tape, a variable.
  /// Errors: OptionError if they are not all below max_length.
  template <class Self>
  static auto forward(Self& self, Index length, Index offset = 0) {
    return forward(self, Inference{}, length, offset);
  }
  template <class Self>
  static TensorView<const T, 2> forward(Self& self, Inference, Index length, Index offset = 0) {
    self.check(length, offset);
    return std::as_const(self).weight.value().slice(0, offset, offset + length);
  }
  template <class Self>
  static Variable<T, 2> forward(Self& self, Tape<T>& tape, Index length, Index offset = 0) {
    self.check(length, offset);
    return rows(tape.parameter(self.weight), offset, offset + length);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("weight", self.weight);
  }

 private:
  void check(Index length, Index offset) const {
    const Index max_length = weight.value().shape()[0];
    if (length < 0 || offset < 0 || length > max_length - offset)
      throw OptionError(
          "LearnedPosition: length = " + std::to_string(length) +
          " and offset = " + std::to_string(offset) +
          " must be at least 0 and together at most max_length = " + std::to_string(max_length));
  }
};

}  // namespace ATTN_ABI
}  // namespace attn

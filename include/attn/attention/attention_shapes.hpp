#pragma once

#include <attn/attention/attention_inputs.hpp>
#include <attn/attention/stored_heads.hpp>
#include <attn/core/overlap.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The inputs of a call of attention, its sizes, and the shapes of what it computes.
template <class T, class Keys, class Values>
struct AttentionShapes {
  AttentionInputs<T, Keys, Values> inputs;

  Index batch() const { return inputs.query.shape()[0]; }
  Index heads() const { return inputs.query.shape()[1]; }
  Index queries() const { return inputs.query.shape()[2]; }
  Index key_heads() const { return Shape<4>(inputs.key.shape())[1]; }
  HeadSizes sizes() const {
    const Index E = inputs.query.shape()[3], Ev = Shape<4>(inputs.value.shape())[3];
    const Index unpacked = (UnpackedRows<HeadRows<T, Keys>, T> ? E : 0) +
                           (UnpackedRows<HeadRows<T, Values>, T> ? Ev : 0);
    return {E, Ev, Shape<4>(inputs.key.shape())[2], unpacked};
  }
  ScoreShape scores() const { return {batch(), heads(), queries(), sizes().keys}; }
  Shape<4> output_shape() const { return {batch(), heads(), queries(), sizes().value_dim}; }
  Shape<4> weights_shape() const { return {batch(), heads(), queries(), sizes().keys}; }
  Shape<3> log_sum_exp_shape() const { return {batch(), heads(), queries()}; }

  /// Errors: ShapeError naming `who` and the argument that does not fit.
  void check_inputs(const char* who = "ScaledDotProductAttention") const {
    const Shape<4>& q = inputs.query.shape();
    const Shape<4> k = inputs.key.shape(), v = inputs.value.shape();
    const auto expect = [who](bool good, const char* argument, const Shape<4>& got,
                              const char* rule, Index wanted) {
      if (!good)
        throw ShapeError(std::string(who) + ": " + argument + " " + to_string(got) + " must have " +
                         rule + std::to_string(wanted));
    };
    expect(k[0] == q[0], "key", k, "query's batch B = ", q[0]);
    expect(k[3] == q[3], "key", k, "query's head dimension E = ", q[3]);
    expect(k[1] == q[1] || (k[1] > 0 && q[1] % k[1] == 0), "key", k,
           "a number of heads G that divides query's H = ", q[1]);
    expect(v[0] == k[0], "value", v, "key's batch B = ", k[0]);
    expect(v[1] == k[1], "value", v, "key's number of heads G = ", k[1]);
    expect(v[2] == k[2], "value", v, "key's length S = ", k[2]);
  }

  /// Errors: ShapeError naming the output that does not fit, or that overlaps an input, another
  /// output or itself.
  void check_outputs(const AttentionOutputs<T>& outputs) const {
    check_output(outputs.output, output_shape(), "output", "(B, H, L, Ev)");
    if (outputs.weights) check_output(*outputs.weights, weights_shape(), "weights", "(B, H, L, S)");
    if (outputs.log_sum_exp)
      check_output(*outputs.log_sum_exp, log_sum_exp_shape(), "log_sum_exp", "(B, H, L)");
    if (outputs.weights) check_apart(*outputs.weights, "weights", outputs.output, "output");
    if (!outputs.log_sum_exp) return;
    check_apart(*outputs.log_sum_exp, "log_sum_exp", outputs.output, "output");
    if (outputs.weights)
      check_apart(*outputs.log_sum_exp, "log_sum_exp", *outputs.weights, "weights");
  }

  /// Errors: ShapeError naming what does not fit the inputs.
  void check_backward(const BackwardInputs<T>& given, const InputGradients<T>& gradients) const {
    const auto expect = [](const auto& view, const auto& wanted, const char* argument) {
      if (view.shape() != wanted)
        throw ShapeError(std::string("ScaledDotProductAttention: ") + argument + " " +
                         to_string(view.shape()) + " must have the shape " + to_string(wanted));
    };
    expect(given.output, output_shape(), "output");
    expect(given.log_sum_exp, log_sum_exp_shape(), "log_sum_exp");
    expect(given.d_output, output_shape(), "d_output");
    expect(gradients.query, inputs.query.shape(), "d_query");
    expect(gradients.key, Shape<4>(inputs.key.shape()), "d_key");
    expect(gradients.value, Shape<4>(inputs.value.shape()), "d_value");
  }

 private:
  template <int N>
  void check_output(const TensorView<T, N>& output, const Shape<N>& wanted, const char* name,
                    const char* letters) const {
    if (output.shape() != wanted)
      throw ShapeError(std::string("ScaledDotProductAttention: ") + name + " " +
                       to_string(output.shape()) + " must have the shape " + letters + " = " +
                       to_string(wanted));
    for (std::size_t axis = 0; output.size() > 0 && axis < N; ++axis)
      if (output.strides()[axis] == 0 && wanted[axis] > 1)
        throw ShapeError(std::string("ScaledDotProductAttention: ") + name + " " +
                         to_string(wanted) + " must not overlap itself: its stride along axis " +
                         std::to_string(axis) + " is 0");
    check_apart(output, name, inputs.query, "query");
    check_apart(output, name, inputs.key, "key");
    check_apart(output, name, inputs.value, "value");
  }
  template <int N, class Input>
  static void check_apart(const TensorView<T, N>& output, const char* name, const Input& input,
                          const char* input_name) {
    if constexpr (!KeyHeads<Input>)
      if (overlap(output, input))
        throw ShapeError(std::string("ScaledDotProductAttention: ") + name + " " +
                         to_string(output.shape()) + " must not overlap " + input_name + " " +
                         to_string(input.shape()) + " in memory");
  }
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

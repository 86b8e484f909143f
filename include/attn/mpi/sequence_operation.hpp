#pragma once

#include <attn/attention/operation.hpp>
#include <attn/attention/scaled_dot_product.hpp>
#include <attn/mpi/divided_call.hpp>
#include <attn/mpi/head_exchange.hpp>
#include <attn/mpi/sequence.hpp>
#include <sstream>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {

struct SequenceParallelOptions {
  /// The scale and the dropout; an alignment changes nothing, for L = S.
  AttentionOptions attention = {};
  /// How many ranks exchange heads for positions, a divisor of the ranks and of the heads G of keys
  /// and values; the others divide the positions. By default as many as can be.
  std::optional<Index> ranks_of_heads = std::nullopt;
};

namespace detail {

/// Attention of a divided sequence, as an operation. It refers to the sequence and the rule; what
/// is recorded has a copy of the rule.
template <class Kernel, Rule R, class Heads>
struct SequenceOperation {
  const Sequence& sequence;
  SequenceParallelOptions options;
  Kernel kernel;
  const R& rule;
  Heads heads;

  /// The tensors that this rank computes with, in the layout of the grid, (B, H/U, N, E).
  template <class T>
  struct Saved {
    R rule;
    const RankGrid* grid;
    ScoreShape scores;  // of all ranks
    T scale;
    Tensor<T, 4> query, key, value, output;
    Tensor<T, 3> log_sum_exp;
    std::optional<WeightDropout<T>> dropout;

    AttentionInputs<T> inputs() const { return {query, key, value, dropout}; }
  };

  template <class Q, class K, class V>
  auto forward(const Q& query, const K& key, const V& value) const {
    return attend(view(query), view(key), view(value), nullptr).output;
  }
  template <class T, int N>
  auto forward(const Recording& recording, const Input<T, N>& query, const Input<T, N>& key,
               const Input<T, N>& value) const {
    return attend(query.value().view(), key.value().view(), value.value().view(), recording.random);
  }
  template <class T, int N>
  void backward(const Tensor<T, N>& d_output, const Saved<T>& saved, const Input<T, N>& query,
                const Input<T, N>& key, const Input<T, N>& value) const;

 private:
  /// `random` is null where dropout does not act.
  template <class Number, int N>
  auto attend(const TensorView<Number, N>& query, const TensorView<Number, N>& key,
              const TensorView<Number, N>& value, Random* random) const;

  /// The operation as a text, for ranks to compare. Rules are not compared.
  template <class T>
  std::string describe(const AttentionInputs<T>& inputs, const Random* random) const;
  /// Errors: ShapeError and OptionError, see SequenceParallel.
  template <class T>
  void check(const AttentionInputs<T>& inputs) const;
};

template <class Kernel, Rule R, class Heads>
template <class T>
std::string SequenceOperation<Kernel, R, Heads>::describe(const AttentionInputs<T>& inputs,
                                                          const Random* random) const {
  const auto shape = [&](const TensorView<const T, 4>& x) {
    Shape<4> all = x.shape();
    all[2] = sequence.length();
    return to_string(all);
  };
  const AttentionOptions& attention = options.attention;
  std::ostringstream text;
  text.precision(17);
  text << "SequenceParallel: query " << shape(inputs.query) << "; key " << shape(inputs.key)
       << "; value " << shape(inputs.value) << "; scale "
       << attention.scale_for(inputs.query.shape()[3]) << "; ranks_of_heads ";
  if (options.ranks_of_heads) text << *options.ranks_of_heads;
  else text << "by default";
  if (random)
    text << "; dropout " << attention.dropout << " of seed " << random->seed << " after "
         << random->counter << " draws";
  return text.str();
}

template <class Kernel, Rule R, class Heads>
template <class T>
void SequenceOperation<Kernel, R, Heads>::check(const AttentionInputs<T>& inputs) const {
  using View = TensorView<const T, 4>;
  const attn::detail::AttentionShapes<T, View, View> shapes{inputs};
  shapes.check_inputs("SequenceParallel");
  const auto expect = [&](const char* argument, const Shape<4>& shape) {
    if (shape[2] == sequence.size()) return;
    throw ShapeError(std::string("SequenceParallel: ") + argument + " " + to_string(shape) +
                     " must have the " + std::to_string(sequence.size()) +
                     " positions that are here, of " + std::to_string(sequence.length()));
  };
  expect("query", inputs.query.shape());
  expect("key", inputs.key.shape());
  options.attention.check("SequenceParallel", inputs.query.shape()[3]);
}

template <class Kernel, Rule R, class Heads>
template <class Number, int N>
auto SequenceOperation<Kernel, R, Heads>::attend(const TensorView<Number, N>& query,
                                                 const TensorView<Number, N>& key,
                                                 const TensorView<Number, N>& value,
                                                 Random* random) const {
  using T = std::remove_const_t<Number>;
  const AttentionInputs<T> inputs{heads.query(query), heads.key(key), heads.key(value)};
  const Shape<4>&q = inputs.query.shape(), &k = inputs.key.shape();
  const double dropout = options.attention.dropout;
  Together together(sequence.world(), describe(inputs, random));
  Saved<T> saved{
      rule, nullptr, {q[0], q[1], sequence.length(), sequence.length()}, {}, {}, {}, {}, {},
      {},   {}};
  Tensor<T, N> result;
  std::vector<HeadExchange<T>> exchanges;
  std::optional<BoundRule<R>> bound;
  std::optional<DividedCall<T, Kernel, R>> call;
  together.compute([&] {
    check(inputs);
    saved.grid = &sequence.grid(k[1], options.ranks_of_heads);
    saved.scale = static_cast<T>(options.attention.scale_for(q[3]));
    if (random && dropout > 0) saved.dropout.emplace(dropout, saved.scores, *random);
    bound.emplace(rule, saved.scores, options.attention.align);
    call.emplace(*saved.grid, kernel, *bound, saved.scores, saved.scale);
    result = Tensor<T, N>::for_overwrite(heads.output_shape(query.shape(), value.shape()));
    for (const Shape<4>& shape : {q, k, inputs.value.shape(), heads.query(result.view()).shape()})
      exchanges.emplace_back(*saved.grid, shape);
    const Shape<4>& here = exchanges[3].tensor.shape();
    saved.log_sum_exp = Tensor<T, 3>::for_overwrite({here[0], here[1], here[2]});
  });
  together.finish();

  exchanges[0].start_to_heads(inputs.query);
  exchanges[1].start_to_heads(inputs.key);
  exchanges[2].start_to_heads(inputs.value);
  for (std::size_t n = 0; n < 3; ++n) exchanges[n].finish_to_heads();
  saved.query = std::move(exchanges[0].tensor);
  saved.key = std::move(exchanges[1].tensor);
  saved.value = std::move(exchanges[2].tensor);
  call->forward(together, saved.inputs(),
                {exchanges[3].tensor.view(), std::nullopt, saved.log_sum_exp.view()});
  exchanges[3].start_to_positions();
  exchanges[3].finish_to_positions(heads.query(result.view()));
  together.finish();
  saved.output = std::move(exchanges[3].tensor);
  return OutputAndSaved{std::move(result), std::move(saved)};
}

template <class Kernel, Rule R, class Heads>
template <class T, int N>
void SequenceOperation<Kernel, R, Heads>::backward(const Tensor<T, N>& d_output,
                                                   const Saved<T>& saved, const Input<T, N>& query,
                                                   const Input<T, N>& key,
                                                   const Input<T, N>& value) const {
  Together together(sequence.world(), "SequenceParallel: gradients of " +
                                          std::to_string(saved.scores.heads) + " heads; of " +
                                          std::to_string(saved.scores.queries) + " positions");
  Tensor<T, N> d_query, d_key, d_value;
  std::vector<HeadExchange<T>> exchanges;
  std::optional<BoundRule<R>> bound;
  std::optional<DividedCall<T, Kernel, R>> call;
  together.compute([&] {
    bound.emplace(saved.rule, saved.scores, options.attention.align);
    call.emplace(*saved.grid, kernel, *bound, saved.scores, saved.scale);
    d_query = Tensor<T, N>::for_overwrite(query.shape());
    d_key = Tensor<T, N>::for_overwrite(key.shape());
    d_value = Tensor<T, N>::for_overwrite(value.shape());
    for (const Shape<4>& shape :
         {heads.query(d_query.view()).shape(), heads.key(d_key.view()).shape(),
          heads.key(d_value.view()).shape(), heads.query(d_output.view()).shape()})
      exchanges.emplace_back(*saved.grid, shape);
  });
  together.finish();

  exchanges[3].start_to_heads(heads.query(d_output.view()));
  exchanges[3].finish_to_heads();
  call->backward(together, saved.inputs(), {saved.output, saved.log_sum_exp, exchanges[3].tensor},
                 {exchanges[0].tensor, exchanges[1].tensor, exchanges[2].tensor});
  for (std::size_t n = 0; n < 3; ++n) exchanges[n].start_to_positions();
  exchanges[0].finish_to_positions(heads.query(d_query.view()));
  exchanges[1].finish_to_positions(heads.key(d_key.view()));
  exchanges[2].finish_to_positions(heads.key(d_value.view()));
  together.finish();
  query.add(std::move(d_query));
  key.add(std::move(d_key));
  value.add(std::move(d_value));
}

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn

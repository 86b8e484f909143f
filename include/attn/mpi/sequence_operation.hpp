#pragma once

#include <attn/attention/operation.hpp>
#include <attn/attention/scaled_dot_product.hpp>
#include <attn/mpi/divided_call.hpp>
#include <attn/mpi/divided_rule_gradients.hpp>
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

  /// Whether the rule has parameters or a sink that are learned.
  static constexpr bool learns = BoundRule<R>::has_parameters || BoundRule<R>::learns_sink;

  /// What the backward pass reads; what it does not read is empty. The tensors of this rank's
  /// positions, with all heads, and those of the grid, (B, H/U, N, E), if heads are exchanged.
  template <class T, int N>
  struct Saved {
    R rule;
    Heads heads;
    const RankGrid* grid;
    ScoreShape scores;  // of all ranks
    T scale = 0;
    std::shared_ptr<const Tensor<T, N>> query = {}, key = {}, value = {}, output = {};
    Tensor<T, 4> grid_query = {}, grid_key = {}, grid_value = {}, grid_output = {};
    Tensor<T, 3> log_sum_exp = {};  // of the grid
    std::optional<WeightDropout<T>> dropout = {};

    bool is_alone() const { return grid->row.size() == 1; }
    AttentionInputs<T> inputs_here() const {
      return {heads.query(query->view()), heads.key(key->view()), heads.key(value->view()),
              dropout};
    }
    AttentionInputs<T> inputs() const {
      if (is_alone()) return inputs_here();
      return {grid_query, grid_key, grid_value, dropout};
    }
    TensorView<const T, 4> output_of_grid() const {
      return is_alone() ? heads.query(output->view()) : TensorView<const T, 4>(grid_output);
    }
  };

  template <class Q, class K, class V, class... Learned>
  auto forward(const Q& query, const K& key, const V& value, const Learned&...) const {
    return attend(view(query), view(key), view(value), nullptr).output;
  }
  template <class T, int N, class... Learned>
  auto forward(const Recording& recording, const Input<T, N>& query, const Input<T, N>& key,
               const Input<T, N>& value, const Learned&...) const;
  /// dQ, dK and dV, and the gradients of the rule. `inputs` are query, key, value, and the
  /// variables of the rule.
  template <class T, int N, class... I>
  void backward(const Tensor<T, N>& d_output, const Saved<T, N>& saved, const I&... inputs) const;

 private:
  /// `random` is null where dropout does not act.
  template <class Number, int N>
  auto attend(const TensorView<Number, N>& query, const TensorView<Number, N>& key,
              const TensorView<Number, N>& value, Random* random) const;
  template <class T, int N>
  void add_rule_gradients(const BoundRule<R>& bound, const Saved<T, N>& saved,
                          const TensorView<const T, 4>& d_output) const;

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
    return detail::type_name<T>() + " " + to_string(all);
  };
  const AttentionOptions& attention = options.attention;
  std::ostringstream text;
  text.precision(17);
  text << "SequenceParallel: query " << shape(inputs.query) << "; key " << shape(inputs.key)
       << "; value " << shape(inputs.value) << "; rule " << detail::type_name<R>() << "; scale "
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
  Saved<T, N> saved{rule, heads, nullptr, {q[0], q[1], sequence.length(), sequence.length()}};
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
    saved.log_sum_exp = Tensor<T, 3>::for_overwrite(
        {q[0], q[1] / saved.grid->row.size(), saved.grid->positions().size()});
  });
  together.finish();

  const TensorView<T, 4> output = heads.query(result.view());
  exchanges[0].start_to_heads(inputs.query);
  exchanges[1].start_to_heads(inputs.key);
  exchanges[2].start_to_heads(inputs.value);
  for (std::size_t n = 0; n < 3; ++n) exchanges[n].finish_to_heads();
  call->forward(together,
                {exchanges[0].heads_or(inputs.query), exchanges[1].heads_or(inputs.key),
                 exchanges[2].heads_or(inputs.value), saved.dropout},
                {exchanges[3].heads_or(output), std::nullopt, saved.log_sum_exp.view()});
  exchanges[3].start_to_positions();
  exchanges[3].finish_to_positions(output);
  together.finish();
  saved.grid_query = std::move(exchanges[0].tensor);
  saved.grid_key = std::move(exchanges[1].tensor);
  saved.grid_value = std::move(exchanges[2].tensor);
  saved.grid_output = std::move(exchanges[3].tensor);
  return OutputAndSaved{std::move(result), std::move(saved)};
}

template <class Kernel, Rule R, class Heads>
template <class T, int N, class... Learned>
auto SequenceOperation<Kernel, R, Heads>::forward(const Recording& recording,
                                                  const Input<T, N>& query, const Input<T, N>& key,
                                                  const Input<T, N>& value,
                                                  const Learned&...) const {
  auto [result, saved] =
      attend(query.value().view(), key.value().view(), value.value().view(), recording.random);
  auto output = std::make_shared<const Tensor<T, N>>(std::move(result));
  if (learns || saved.is_alone()) {
    saved.query = query.shared_value();
    saved.key = key.shared_value();
    saved.value = value.shared_value();
    saved.output = output;
  }
  return OutputAndSaved{std::move(output), std::move(saved)};
}

template <class Kernel, Rule R, class Heads>
template <class T, int N, class... I>
void SequenceOperation<Kernel, R, Heads>::backward(const Tensor<T, N>& d_output,
                                                   const Saved<T, N>& saved,
                                                   const I&... inputs) const {
  const auto all = std::tie(inputs...);
  const Input<T, N>& query = std::get<0>(all);
  const Input<T, N>& key = std::get<1>(all);
  const Input<T, N>& value = std::get<2>(all);
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
    d_query = Tensor<T, N>(query.shape());
    d_key = Tensor<T, N>(key.shape());
    d_value = Tensor<T, N>(value.shape());
    for (const Shape<4>& shape :
         {heads.query(d_query.view()).shape(), heads.key(d_key.view()).shape(),
          heads.key(d_value.view()).shape(), heads.query(d_output.view()).shape()})
      exchanges.emplace_back(*saved.grid, shape);
  });
  together.finish();

  const TensorView<T, 4> dq = heads.query(d_query.view()), dk = heads.key(d_key.view()),
                         dv = heads.key(d_value.view());
  const TensorView<const T, 4> d_output_here = heads.query(d_output.view());
  exchanges[3].start_to_heads(d_output_here);
  exchanges[3].finish_to_heads();
  call->backward(together, saved.inputs(),
                 {saved.output_of_grid(), saved.log_sum_exp, exchanges[3].heads_or(d_output_here)},
                 {exchanges[0].heads_or(dq), exchanges[1].heads_or(dk), exchanges[2].heads_or(dv)});
  for (std::size_t n = 0; n < 3; ++n) exchanges[n].start_to_positions();
  exchanges[0].finish_to_positions(dq);
  exchanges[1].finish_to_positions(dk);
  exchanges[2].finish_to_positions(dv);
  together.finish();
  if constexpr (learns) add_rule_gradients(*bound, saved, d_output_here);
  query.add(std::move(d_query));
  key.add(std::move(d_key));
  value.add(std::move(d_value));
}

template <class Kernel, Rule R, class Heads>
template <class T, int N>
void SequenceOperation<Kernel, R, Heads>::add_rule_gradients(
    const BoundRule<R>& bound, const Saved<T, N>& saved,
    const TensorView<const T, 4>& d_output) const {
  Together together(sequence.world(), "SequenceParallel: gradients of a rule");
  const auto [B, H, n, Ev] = d_output.shape();
  Tensor<T, 3> log_sum_exp;
  std::optional<HeadExchange<T>> exchange;
  std::optional<DividedRuleGradients<T, R>> gradients;
  const Shape<3> shape{B, H, n};
  together.compute([&] {
    log_sum_exp = Tensor<T, 3>::for_overwrite(shape);
    exchange.emplace(*saved.grid, attn::detail::with_trailing_axis(log_sum_exp.view()).shape());
    const auto& from = saved.log_sum_exp;
    std::copy_n(from.data(), from.size(),
                saved.is_alone() ? log_sum_exp.data() : exchange->tensor.data());
    const BackwardInputs<T> given{heads.query(saved.output->view()), log_sum_exp, d_output};
    gradients.emplace(sequence, bound, saved.inputs_here(), given, saved.scale);
  });
  together.finish();
  exchange->start_to_positions();
  exchange->finish_to_positions(attn::detail::with_trailing_axis(log_sum_exp.view()));
  gradients->add();
}

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn

#pragma once

#include <attn/attention/operation.hpp>
#include <attn/attention/scaled_dot_product.hpp>
#include <attn/mpi/head_exchange.hpp>
#include <attn/mpi/sequence.hpp>
#include <attn/mpi/windowed_attention.hpp>

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

/// Attention of the positions of all ranks, as an operation. Tensors in this layout are
/// (B, H/U, N, E): see HeadExchange.
template <class T, class Kernel, Rule R>
struct DividedCall {
  const Sequence& sequence;
  const RankGrid& grid;
  const Kernel& kernel;
  const BoundRule<R>& rule;
  AttentionInputs<T> inputs;
  T scale;

  void forward(Together& together, const AttentionOutputs<T>& outputs) const {
    if (grid.column.size() > 1) return windows().forward(together, outputs);
    together.compute([&] { whole().forward(kernel, rule, outputs); });
  }
  void backward(Together& together, const BackwardInputs<T>& given,
                const InputGradients<T>& gradients) const {
    if (grid.column.size() > 1) return windows().backward(together, given, gradients);
    together.compute([&] { whole().backward(kernel, rule, given, gradients); });
  }

 private:
  using Call = attn::detail::AttentionCall<T, TensorView<const T, 4>, TensorView<const T, 4>>;

  Index first_head() const { return grid.row.rank() * inputs.query.shape()[1]; }
  WindowedAttention<T, Kernel, R> windows() const {
    return {grid.column, grid.column_blocks, kernel,       rule,
            inputs,      sequence.length(),  first_head(), scale};
  }
  /// All positions are here.
  Call whole() const { return {{inputs}, scale, first_head()}; }
};

}  // namespace detail

/// Attention of a sequence that is divided between ranks, bitwise that of one process:
///
///   const attn::mpi::Sequence sequence(world, S);
///   const attn::mpi::SequenceParallel attend{sequence};
///   const auto o = attend(q, k, v, attn::Causal{});
///
/// query (B, H, n, E), key (B, G, n, E) and value (B, G, n, Ev) are the rows of the positions that
/// are here, and so is the result (B, H, n, Ev). They are tensors, or variables, for which the call
/// is recorded; the gradients are bitwise those of one process, too. Rules and dropout are asked in
/// positions of the whole sequence.
///
/// Two schemes, and their product: ranks exchange heads for positions, all-to-all (DeepSpeed
/// Ulysses [Jacobs23]), while their number divides G; beyond that, keys pass by all ranks in
/// windows, in ascending order, and each query keeps its state, so that its sum has the order of
/// one process. A ring [Liu23] would merge the keys in another order on each rank.
/// Everything is collective: all ranks call it, and the backward pass of their tapes, alike. What
/// one rank throws, all throw.
/// Cost: a rank receives (2·E·H + 2·Ev·H)·S/P elements where heads are exchanged and G = H, and
/// (E + Ev)·G·S/U where keys pass by; the backward pass then computes 7 products in place of 5.
/// Errors: ShapeError naming the argument that does not fit; OptionError for a scale that is not
/// finite, a dropout that is no probability, or ranks_of_heads that does not divide; what the rule
/// throws.
template <class Kernel = Tiled>
class SequenceParallel {
 public:
  SequenceParallelOptions options;
  [[no_unique_address]] Kernel kernel;

  explicit SequenceParallel(const Sequence& sequence, SequenceParallelOptions the_options = {},
                            Kernel the_kernel = {})
      : options(the_options), kernel(the_kernel), sequence_(&sequence) {}

  const Sequence& sequence() const { return *sequence_; }

  template <class Q, class K, class V, Rule R = NoMask>
  auto operator()(const Q& query, const K& key, const V& value, const R& rule = {}) const {
    return attend(query, key, value, rule, attn::detail::SeparateHeads{});
  }
  /// The same of operands in the layout that `heads` reads, as layers have it.
  template <class Q, class K, class V, Rule R, class Heads>
  auto attend(const Q& query, const K& key, const V& value, const R& rule,
              const Heads& heads) const;

 private:
  template <Rule R, class Heads>
  struct Operation;

  const Sequence* sequence_;
};

/// The operation refers to the rule; what is recorded has a copy.
template <class Kernel>
template <Rule R, class Heads>
struct SequenceParallel<Kernel>::Operation {
  SequenceParallel<Kernel> attention;
  const R& rule;
  Heads heads;

  /// What a rank computes with, in the layout of the grid: the tensors, and whose they are.
  template <class T>
  struct Computed {
    const detail::RankGrid* grid;
    ScoreShape scores;  // of all ranks
    T scale;
    Tensor<T, 4> query, key, value, output;
    Tensor<T, 3> log_sum_exp;
    std::optional<WeightDropout<T>> dropout;

    AttentionInputs<T> inputs() const { return {query, key, value, dropout}; }
  };
  template <class T>
  struct Saved {
    Computed<T> computed;
    R rule;
  };

  template <class Q, class K, class V>
  auto forward(const Q& query, const K& key, const V& value) const {
    using T = typename Q::Scalar;
    constexpr int N = Q::axes;
    Computed<T> computed;
    return attend<T, N>(view(query), view(key), view(value), nullptr, computed);
  }
  template <class T, int N>
  auto forward(const Recording& recording, const Input<T, N>& query, const Input<T, N>& key,
               const Input<T, N>& value) const {
    Computed<T> computed;
    auto output = attend<T, N>(query.value().view(), key.value().view(), value.value().view(),
                               recording.random, computed);
    return OutputAndSaved{std::move(output), Saved<T>{std::move(computed), rule}};
  }
  template <class T, int N>
  void backward(const Tensor<T, N>& d_output, const Saved<T>& saved, const Input<T, N>& query,
                const Input<T, N>& key, const Input<T, N>& value) const;

 private:
  /// `random` is null where dropout does not act.
  template <class T, int N>
  Tensor<T, N> attend(const TensorView<const T, N>& query, const TensorView<const T, N>& key,
                      const TensorView<const T, N>& value, Random* random,
                      Computed<T>& computed) const;
  /// The operation as a text, for ranks to compare.
  template <class T>
  std::string describe(const AttentionInputs<T>& inputs, const Random* random) const;
  template <class T>
  void check(const AttentionInputs<T>& inputs) const;
  template <class T>
  void prepare(const AttentionInputs<T>& inputs, Random* random, Computed<T>& computed) const;
};

template <class Kernel>
template <class Q, class K, class V, Rule R, class Heads>
auto SequenceParallel<Kernel>::attend(const Q& query, const K& key, const V& value, const R& rule,
                                      const Heads& heads) const {
  static_assert(DivisibleKernel<Kernel, float>,
                "SequenceParallel needs a kernel whose keys can be divided");
  static_assert(!BoundRule<R>::has_parameters,
                "SequenceParallel takes no rule with parameters: their gradients are sums over all "
                "scores of all ranks");
  return apply(Operation<R, Heads>{*this, rule, heads}, query, key, value);
}

template <class Kernel>
template <Rule R, class Heads>
template <class T>
std::string SequenceParallel<Kernel>::Operation<R, Heads>::describe(
    const AttentionInputs<T>& inputs, const Random* random) const {
  const Sequence& sequence = *attention.sequence_;
  const auto shape = [&](const TensorView<const T, 4>& x) {
    Shape<4> all = x.shape();
    all[2] = sequence.length();
    return to_string(all);
  };
  const AttentionOptions& options = attention.options.attention;
  std::string text = "SequenceParallel: query " + shape(inputs.query) + "; key " +
                     shape(inputs.key) + "; value " + shape(inputs.value) + "; scale " +
                     std::to_string(options.scale_for(inputs.query.shape()[3]));
  if (const auto ranks = attention.options.ranks_of_heads)
    text += "; ranks_of_heads " + std::to_string(*ranks);
  if (random)
    text += "; dropout " + std::to_string(options.dropout) + " of seed " +
            std::to_string(random->seed) + " after " + std::to_string(random->counter) + " draws";
  return text;
}

template <class Kernel>
template <Rule R, class Heads>
template <class T>
void SequenceParallel<Kernel>::Operation<R, Heads>::check(const AttentionInputs<T>& inputs) const {
  const attn::detail::AttentionShapes<T, TensorView<const T, 4>, TensorView<const T, 4>> shapes{
      inputs};
  shapes.check_inputs("SequenceParallel");
  const Index n = attention.sequence_->size();
  const auto expect = [&](const char* argument, const Shape<4>& shape) {
    if (shape[2] == n) return;
    throw ShapeError(std::string("SequenceParallel: ") + argument + " " + to_string(shape) +
                     " must have the " + std::to_string(n) + " positions that are here, of " +
                     std::to_string(attention.sequence_->length()));
  };
  expect("query", inputs.query.shape());
  expect("key", inputs.key.shape());
  attention.options.attention.check("SequenceParallel", inputs.query.shape()[3]);
}

template <class Kernel>
template <Rule R, class Heads>
template <class T>
void SequenceParallel<Kernel>::Operation<R, Heads>::prepare(const AttentionInputs<T>& inputs,
                                                            Random* random,
                                                            Computed<T>& computed) const {
  const Sequence& sequence = *attention.sequence_;
  const AttentionOptions& options = attention.options.attention;
  const Shape<4>&q = inputs.query.shape(), &k = inputs.key.shape();
  computed.grid = &sequence.grid(k[1], attention.options.ranks_of_heads);
  computed.scores = {q[0], q[1], sequence.length(), sequence.length()};
  computed.scale = static_cast<T>(options.scale_for(q[3]));
  if (random && options.dropout > 0)
    computed.dropout.emplace(options.dropout, computed.scores, *random);
  const Index U = computed.grid->row.size(), N = computed.grid->positions().size();
  const auto tensor = [&](const Shape<4>& shape, Index E) {
    return Tensor<T, 4>::for_overwrite({shape[0], shape[1] / U, N, E});
  };
  const Index Ev = inputs.value.shape()[3];
  computed.query = tensor(q, q[3]);
  computed.key = tensor(k, k[3]);
  computed.value = tensor(k, Ev);
  computed.output = tensor(q, Ev);
  computed.log_sum_exp = Tensor<T, 3>::for_overwrite({q[0], q[1] / U, N});
}

template <class Kernel>
template <Rule R, class Heads>
template <class T, int N>
Tensor<T, N> SequenceParallel<Kernel>::Operation<R, Heads>::attend(
    const TensorView<const T, N>& query, const TensorView<const T, N>& key,
    const TensorView<const T, N>& value, Random* random, Computed<T>& computed) const {
  const AttentionInputs<T> inputs{heads.query(query), heads.key(key), heads.key(value)};
  Together together(attention.sequence_->world(), describe(inputs, random));
  Tensor<T, N> result;
  std::optional<BoundRule<R>> bound;
  std::vector<detail::HeadExchange<T>> exchanges;
  together.compute([&] {
    check(inputs);
    prepare(inputs, random, computed);
    bound.emplace(rule, computed.scores, attention.options.attention.align);
    result = Tensor<T, N>::for_overwrite(heads.output_shape(query.shape(), value.shape()));
    for (const auto& x : {inputs.query, inputs.key, inputs.value,
                          TensorView<const T, 4>(heads.query(result.view()))})
      exchanges.emplace_back(*computed.grid, x.shape());
  });
  together.finish();
  exchanges[0].start_to_heads(inputs.query);
  exchanges[1].start_to_heads(inputs.key);
  exchanges[2].start_to_heads(inputs.value);
  exchanges[0].finish_to_heads(computed.query.view());
  exchanges[1].finish_to_heads(computed.key.view());
  exchanges[2].finish_to_heads(computed.value.view());
  const detail::DividedCall<T, Kernel, R> call{*attention.sequence_, *computed.grid,
                                               attention.kernel,     *bound,
                                               computed.inputs(),    computed.scale};
  call.forward(together, {computed.output.view(), std::nullopt, computed.log_sum_exp.view()});
  exchanges[3].start_to_positions(computed.output.view());
  exchanges[3].finish_to_positions(heads.query(result.view()));
  together.finish();
  return result;
}

template <class Kernel>
template <Rule R, class Heads>
template <class T, int N>
void SequenceParallel<Kernel>::Operation<R, Heads>::backward(const Tensor<T, N>& d_output,
                                                             const Saved<T>& saved,
                                                             const Input<T, N>& query,
                                                             const Input<T, N>& key,
                                                             const Input<T, N>& value) const {
  const Computed<T>& computed = saved.computed;
  Together together(attention.sequence_->world(),
                    "SequenceParallel: the gradient of an output of " +
                        std::to_string(computed.scores.heads) + " heads of " +
                        std::to_string(computed.scores.queries) + " positions");
  struct Gradient {
    Tensor<T, N> here;
    Tensor<T, 4> computed;
    detail::HeadExchange<T> exchange;
  };
  std::vector<Gradient> gradients;
  std::optional<detail::HeadExchange<T>> exchange;
  Tensor<T, 4> d_o;
  std::optional<BoundRule<R>> bound;
  together.compute([&] {
    bound.emplace(saved.rule, computed.scores, attention.options.attention.align);
    const auto add = [&](const Input<T, N>& input, const Tensor<T, 4>& like, const auto& layout) {
      auto here = Tensor<T, N>::for_overwrite(input.shape());
      const Shape<4> shape = layout(here.view()).shape();
      gradients.push_back({std::move(here), Tensor<T, 4>(like.shape()),
                           detail::HeadExchange<T>(*computed.grid, shape)});
    };
    const auto query_layout = [&](const auto& x) { return heads.query(x); };
    const auto key_layout = [&](const auto& x) { return heads.key(x); };
    add(query, computed.query, query_layout);
    add(key, computed.key, key_layout);
    add(value, computed.value, key_layout);
    d_o = Tensor<T, 4>::for_overwrite(computed.output.shape());
    exchange.emplace(*computed.grid, heads.query(d_output.view()).shape());
  });
  together.finish();
  exchange->start_to_heads(heads.query(d_output.view()));
  exchange->finish_to_heads(d_o.view());
  const detail::DividedCall<T, Kernel, R> call{*attention.sequence_, *computed.grid,
                                               attention.kernel,     *bound,
                                               computed.inputs(),    computed.scale};
  call.backward(together, {computed.output, computed.log_sum_exp, d_o},
                {gradients[0].computed, gradients[1].computed, gradients[2].computed});
  for (Gradient& one : gradients) one.exchange.start_to_positions(one.computed.view());
  gradients[0].exchange.finish_to_positions(heads.query(gradients[0].here.view()));
  gradients[1].exchange.finish_to_positions(heads.key(gradients[1].here.view()));
  gradients[2].exchange.finish_to_positions(heads.key(gradients[2].here.view()));
  together.finish();
  query.add(std::move(gradients[0].here));
  key.add(std::move(gradients[1].here));
  value.add(std::move(gradients[2].here));
}

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn

// A kernel that a user wrote, and what a kernel is promised: rows, keys and gradients of its task.
#include <gtest/gtest.h>
#include <attn/attention/scaled_dot_product.hpp>

#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Range, attn::Tensor;

/// The softmax of a row by two passes over the keys, with nothing in memory but the row's maximum
/// and sum: as short as a kernel can be.
struct TwoPasses {
  template <class T>
  attn::KernelPlan plan(const attn::HeadSizes& sizes) const {
    return {.queries = 5,
            .workspace_size = 0,
            .backward_workspace_size = 0,
            .segment = std::max<Index>(1, sizes.keys / 3)};
  }

  template <class Task, class R, class T = typename Task::Scalar>
  void forward(const Task& task, const R& rule, const attn::HeadOutputs<T>& outputs, T*) const {
    for (Index i = 0; i < task.Q.rows(); ++i) {
      T sum = 0;
      for_each_key(task, rule, i, [&](Index, const attn::Dual<T>& s) { sum += std::exp(s.value); });
      auto O = outputs.output.matrix();
      O.row(i).setZero();
      if (outputs.weights) outputs.weights->matrix().row(i).setZero();
      for_each_key(task, rule, i, [&](Index j, const attn::Dual<T>& s) {
        const T p = std::exp(s.value) / sum;
        const T M = task.dropout ? (*task.dropout)(task.at(i, j)) : T(1);
        for (Index e = 0; e < task.V.columns(); ++e) O(i, e) += p * M * element(task.V, j, e);
        if (outputs.weights) (*outputs.weights)(i, j) = p;
      });
      if (outputs.log_sum_exp) (*outputs.log_sum_exp)(i) = std::log(sum);
    }
  }

  template <class Task, class R, class T = typename Task::Scalar>
  void backward(const Task& task, const R& rule, const attn::HeadResults<T>& results,
                const attn::HeadGradients<T>& gradients, T*) const {
    for (Index i = 0; i < task.Q.rows(); ++i) {
      const T D = results.dO.row(i).dot(results.O.row(i));
      for_each_key(task, rule, i, [&](Index j, const attn::Dual<T>& s) {
        const T p = std::exp(s.value - results.log_sum_exp(i));
        const T M = task.dropout ? (*task.dropout)(task.at(i, j)) : T(1);
        T dP = 0;
        for (Index e = 0; e < task.V.columns(); ++e) {
          dP += results.dO(i, e) * element(task.V, j, e);
          gradients.value(j - task.keys.begin, e) += p * M * results.dO(i, e);
        }
        const T dS = p * (M * dP - D) * s.slope * task.scale;
        for (Index e = 0; e < task.K.columns(); ++e) {
          gradients.query(i, e) += dS * element(task.K, j, e);
          gradients.key(j - task.keys.begin, e) += dS * task.Q(i, e);
        }
      });
    }
  }

 private:
  template <class Rows>
  static auto element(const Rows& rows, Index j, Index e) {
    const auto row = rows.tile({j, j + 1});
    return row.load(row.at(0, e), 0);
  }
  /// f(j, score and slope) for each key that query i attends to.
  template <class Task, class R, class F>
  static void for_each_key(const Task& task, const R& rule, Index i, F&& f) {
    using T = typename Task::Scalar;
    for (Index j = task.keys.begin; j < task.keys.end; ++j) {
      if (!rule.allows(task.at(i, j))) continue;
      T dot = 0;
      for (Index e = 0; e < task.K.columns(); ++e) dot += task.Q(i, e) * element(task.K, j, e);
      const auto s = rule.score(attn::Dual<T>(task.scale * dot, T(1)), task.at(i, j));
      if (s.value != -std::numeric_limits<T>::infinity()) f(j, s);
    }
  }
};
static_assert(attn::AttentionKernel<TwoPasses, float> && attn::AttentionKernel<TwoPasses, double>);
struct NoKernel {};
static_assert(!attn::AttentionKernel<NoKernel, float>);

template <class Kernel, class R>
std::vector<Tensor<double, 4>> computed(const Kernel& kernel, const R& rule,
                                        const attn::AttentionInputs<double>& inputs) {
  const attn::ScaledDotProductAttention attend({.align = attn::Align::lower_right}, kernel);
  auto out = attend.with_weights(inputs.query, inputs.key, inputs.value, rule);
  Tensor<double, 4> o(out.output.shape()), dq(inputs.query.shape()), dk(inputs.key.shape()),
      dv(inputs.value.shape());
  Tensor<double, 3> log_sum_exp({o.shape()[0], o.shape()[1], o.shape()[2]});
  attend.forward(inputs, {o, std::nullopt, log_sum_exp.view()}, rule);
  attend.backward(inputs, {o, log_sum_exp, o}, rule, {dq, dk, dv});
  return {out.output, out.weights, o, dq, dk, dv};
}

TEST(UserKernel, IsTheReferenceImplementationUnderRules) {
  attn::Random random{4};
  const auto q = normal<double, 4>(random, {2, 4, 13, 5});
  const auto k = normal<double, 4>(random, {2, 2, 40, 5}),
             v = normal<double, 4>(random, {2, 2, 40, 6});
  const auto compare = [&](const auto& rule) {
    for (const double p : {0.0, 0.3}) {
      attn::Random draws{5};
      attn::AttentionInputs<double> inputs{q, k, v};
      if (p > 0) inputs.dropout.emplace(p, attn::ScoreShape{2, 4, 13, 40}, draws);
      const auto got = computed(TwoPasses{}, rule, inputs),
                 wanted = computed(attn::Reference{}, rule, inputs);
      for (std::size_t n = 0; n < got.size(); ++n)
        EXPECT_LT(largest_gap(got[n], wanted[n]), 1e-12) << "result " << n << ", dropout " << p;
    }
  };
  compare(attn::NoMask{});
  compare(attn::Causal{} & attn::Softcap{2});
  compare(attn::Padding{{17, 40}} & attn::Alibi{attn::Alibi::slopes(4)});
  compare(attn::SlidingWindow{.left = 3});
}

/// The gradients of one head, from a task of some of its rows and keys after the other.
template <class Kernel>
std::vector<Tensor<double, 2>> of_head(const Kernel& kernel, const std::vector<Range>& rows,
                                       const std::vector<Range>& keys) {
  attn::Random random{6}, draws{7};
  const Index L = 61, S = 230, E = 7;
  const auto q = normal<double, 4>(random, {1, 1, L, E}),
             k = normal<double, 4>(random, {1, 1, S, E}),
             v = normal<double, 4>(random, {1, 1, S, E}),
             d = normal<double, 4>(random, {1, 1, L, E});
  const auto rule =
      attn::Alibi{{0.1}, attn::Align::lower_right} & attn::Causal{attn::Align::lower_right};
  const attn::BoundRule bound(rule, attn::ScoreShape{1, 1, L, S}, std::nullopt);
  const attn::WeightDropout<double> dropout(0.2, {1, 1, L, S}, draws);
  const attn::AttentionInputs<double> inputs{q, k, v, dropout};
  Tensor<double, 4> o(q.shape());
  Tensor<double, 3> log_sum_exp({1, 1, L});
  const attn::ScaledDotProductAttention attend({.scale = 0.5}, kernel);
  attend.forward(inputs, {o, std::nullopt, log_sum_exp.view()}, rule);

  std::vector<Tensor<double, 2>> gradients{Tensor<double, 2>({L, E}), Tensor<double, 2>({S, E}),
                                           Tensor<double, 2>({S, E})};
  const attn::KernelPlan plan = kernel.template plan<double>({E, E, S});
  std::vector<double> workspace(std::size_t(plan.backward_workspace_size));
  using Rows = attn::StridedRows<double>;
  for (const Range& row : rows)
    for (const Range& key : keys) {
      const auto part = [&](const Tensor<double, 4>& x) {
        return x[0][0].slice(0, row.begin, row.end).matrix();
      };
      const attn::HeadTask<double> task{part(q), Rows(k[0][0]), Rows(v[0][0]), 0.5,    0,
                                        0,       row.begin,     key,           dropout};
      kernel.backward(
          task, bound,
          attn::HeadResults<double>{part(o), part(d),
                                    std::as_const(log_sum_exp)[0][0].slice(0, row.begin, row.end)},
          attn::HeadGradients<double>{gradients[0].slice(0, row.begin, row.end),
                                      gradients[1].slice(0, key.begin, key.end),
                                      gradients[2].slice(0, key.begin, key.end)},
          workspace.data());
    }
  return gradients;
}

TEST(Kernels, AddTheGradientsOfSomeQueriesAndSomeKeys) {
  const auto compare = [](const auto& kernel) {
    const auto whole = of_head(kernel, {{0, 61}}, {{0, 230}});
    const auto parts =
        of_head(kernel, {{0, 3}, {3, 20}, {20, 61}}, {{0, 96}, {96, 100}, {100, 230}});
    for (std::size_t n = 0; n < 3; ++n) {
      EXPECT_LT(largest_gap(parts[n], whole[n]), 1e-13) << n;
      EXPECT_GT(whole[n].flat().norm(), 0.1) << n;
    }
    return whole;
  };
  const auto tiled = compare(attn::Tiled{}), reference = compare(attn::Reference{});
  for (std::size_t n = 0; n < 3; ++n) EXPECT_LT(largest_gap(tiled[n], reference[n]), 1e-12) << n;
}

/// A head whose queries and keys are computed in parts.
struct PartsOfAHead {
  Index L = 203, S = 1600, E = 12;
  attn::Random random{8}, draws{9};
  Tensor<float, 4> q = normal<float, 4>(random, {1, 1, L, E}),
                   k = normal<float, 4>(random, {1, 1, S, E}),
                   v = normal<float, 4>(random, {1, 1, S, E}),
                   d = normal<float, 4>(random, {1, 1, L, E}), o{q.shape()};
  Tensor<float, 3> log_sum_exp{attn::Shape<3>{1, 1, L}};
  attn::Causal rule{attn::Align::lower_right};
  attn::BoundRule<attn::Causal> bound{rule, {1, 1, L, S}, std::nullopt};
  attn::WeightDropout<float> dropout{0.2, {1, 1, L, S}, draws};
  attn::KernelPlan plan = attn::Tiled{}.plan<float>({E, E, S});
  std::vector<float> workspace =
      std::vector<float>(std::size_t(std::max(plan.workspace_size, plan.backward_workspace_size)));

  /// The rows of a part of the keys alone are in memory.
  attn::HeadTask<float> task(Range rows, Range keys) const {
    const auto of = [&](const Tensor<float, 4>& x) {
      return attn::StridedRows<float>(x[0][0].slice(0, keys.begin, keys.end), keys.begin, S);
    };
    return {of_rows(q, rows), of(k), of(v), 0.3f, 0, 0, rows.begin, keys, dropout};
  }
  static typename attn::TensorView<const float, 2>::MatrixMap of_rows(const Tensor<float, 4>& x,
                                                                      Range rows) {
    return x[0][0].slice(0, rows.begin, rows.end).matrix();
  }
  attn::HeadResults<float> results(Range rows) const {
    return {of_rows(o, rows), of_rows(d, rows), log_sum_exp[0][0].slice(0, rows.begin, rows.end)};
  }
};

TEST(DivisibleKernel, AddsKeysToAStateInPartsToTheBitsOfForward) {
  PartsOfAHead head;
  attn::Tiled kernel;
  const Index tile = head.plan.tile_keys;
  for (const Range rows : {Range{0, 3}, Range{0, 61}, Range{150, 203}}) {
    Tensor<float, 2> wanted({rows.size(), head.E}), got(wanted.shape());
    Tensor<float, 1> wanted_sums({rows.size()}), got_sums(wanted_sums.shape());
    const auto whole = head.task(rows, {0, head.S});
    kernel.forward(whole, head.bound,
                   attn::HeadOutputs<float>{wanted, std::nullopt, wanted_sums.view()},
                   head.workspace.data());
    std::vector<float> state(std::size_t(kernel.state_size(whole)));
    kernel.begin_state(whole, state.data());
    for (const Range keys : {Range{0, tile}, Range{tile, 4 * tile}, Range{4 * tile, 4 * tile},
                             Range{4 * tile, head.S}})
      kernel.forward_state(head.task(rows, keys), head.bound, state.data(), head.workspace.data());
    kernel.merge_states(whole, std::span<const float>(state),
                        attn::HeadOutputs<float>{got, std::nullopt, got_sums.view()},
                        head.workspace.data());
    EXPECT_TRUE(same_bits(got, wanted)) << rows.begin;
    EXPECT_TRUE(same_bits(got_sums, wanted_sums)) << rows.begin;
    EXPECT_GT(wanted.flat().norm(), 0.1);
  }
}

TEST(DivisibleKernel, ComputesGradientsInPartsToTheBitsOfBackward) {
  PartsOfAHead head;
  attn::Tiled kernel;
  attn::AttentionInputs<float> inputs{head.q, head.k, head.v, head.dropout};
  const attn::ScaledDotProductAttention attend({.scale = 0.3f});
  attend.forward(inputs, {head.o, std::nullopt, head.log_sum_exp.view()}, head.rule);
  const Range rows{0, head.L}, keys{0, head.S};
  Tensor<float, 2> dQ({head.L, head.E}), dK({head.S, head.E}), dV(dK.shape()), dQ_parts(dQ.shape()),
      dK_parts(dK.shape()), dV_parts(dK.shape());
  kernel.backward(head.task(rows, keys), head.bound, head.results(rows),
                  attn::HeadGradients<float>{dQ, dK, dV}, head.workspace.data());

  const Index segment = head.plan.segment, some = head.plan.queries;
  ASSERT_LT(2 * segment, head.S);
  for (const Range part : {Range{0, segment}, Range{segment, head.S}})
    for (const Range mine : {Range{0, 17}, Range{17, head.L}})
      kernel.backward(head.task(mine, part), head.bound, head.results(mine),
                      attn::QueryGradient<float>{dQ_parts.slice(0, mine.begin, mine.end)},
                      head.workspace.data());
  for (const Range part : {Range{0, 96}, Range{96, 384}, Range{384, head.S}})
    for (const Range mine : {Range{0, some}, Range{some, head.L}})
      kernel.backward(head.task(mine, part), head.bound, head.results(mine),
                      attn::KeyGradients<float>{dK_parts.slice(0, part.begin, part.end),
                                                dV_parts.slice(0, part.begin, part.end)},
                      head.workspace.data());
  EXPECT_TRUE(same_bits(dQ_parts, dQ));
  EXPECT_TRUE(same_bits(dK_parts, dK));
  EXPECT_TRUE(same_bits(dV_parts, dV));
  for (const auto* gradient : {&dQ, &dK, &dV}) EXPECT_GT(gradient->flat().norm(), 1);
}

}  // namespace

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
          gradients.value(j, e) += p * M * results.dO(i, e);
        }
        const T dS = p * (M * dP - D) * s.slope * task.scale;
        for (Index e = 0; e < task.K.columns(); ++e) {
          gradients.query(i, e) += dS * element(task.K, j, e);
          gradients.key(j, e) += dS * task.Q(i, e);
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
                                      gradients[1].view(), gradients[2].view()},
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

}  // namespace

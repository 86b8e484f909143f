#pragma once

#include <array>
#include <attn/autograd/input.hpp>
#include <attn/autograd/tape.hpp>
#include <optional>
#include <tuple>

namespace attn {
inline namespace ATTN_ABI {

/// What a recorded operation is told about its tape.
struct Recording {
  Random* random;  ///< the source of dropout; null if dropout does not act
};

/// The result of a recorded operation, and what its backward pass needs besides the inputs.
template <class Output, class Saved>
struct OutputAndSaved {
  Output output;
  Saved saved;
};
template <class Output, class Saved>
OutputAndSaved(Output, Saved) -> OutputAndSaved<Output, Saved>;

namespace detail {

/// A tensor, a view of one, or an Eigen expression.
template <class X>
concept TensorOrExpression =
    is_tensor<std::remove_cvref_t<X>> ||
    std::is_base_of_v<Eigen::DenseBase<std::remove_cvref_t<X>>, std::remove_cvref_t<X>>;

// A parameter, or rows of one, as forward takes it where nothing is recorded.
template <class T, int N>
const Tensor<T, N>& parameter_value(const Parameter<T, N>& p) {
  return p.value();
}
template <class T, int N>
std::optional<TensorView<const T, N>> parameter_value(const std::optional<Parameter<T, N>>& p) {
  if (!p) return std::nullopt;
  return p->value().view();
}
template <class P>
auto parameter_value(const ParameterRows<P>& rows) {
  const Range range = rows.range;
  if constexpr (IsParameter<P>) {
    return std::as_const(rows.parameter).value().slice(0, range.begin, range.end);
  } else {
    auto all = parameter_value(rows.parameter);
    if (all) *all = all->slice(0, range.begin, range.end);
    return all;
  }
}
template <class P>
auto parameter_value(const WeightRows<P>& rows) {
  return std::as_const(rows.parameter).factor(rows.range);
}
template <class P>
const P& parameter_value(const TableRows<P>& rows) {
  return rows.table;
}

/// An input of `apply` where nothing is recorded: what forward is called with.
template <class X>
decltype(auto) plain(X&& x) {
  if constexpr (requires { parameter_value(x); }) return parameter_value(x);
  else return std::forward<X>(x);
}

// An input of `apply` that is recorded.
template <class T, int N>
Input<T, N> recorded(const Variable<T, N>& x) {
  return {x.shared_value(), x.shared_gradient()};
}
/// A tensor beside a variable is a constant.
template <TensorOrExpression X>
auto recorded(X&& x) {
  auto owned = to_tensor(std::forward<X>(x));
  using Owned = std::remove_cvref_t<decltype(owned)>;
  return Input<typename Owned::Scalar, Owned::axes>(std::make_shared<const Owned>(std::move(owned)),
                                                    nullptr);
}
template <class T, int N>
Input<T, N> recorded(Parameter<T, N>& p) {
  return {{std::shared_ptr<void>(), &p.value()}, {std::shared_ptr<void>(), &p.gradient()}};
}
template <class T, int N>
Input<T, N> recorded(const Parameter<T, N>& p) {
  return {{std::shared_ptr<void>(), &p.value()}, nullptr};
}
template <class P>
  requires IsParameter<typename P::value_type>
auto recorded(P& p) {
  using Recorded = decltype(recorded(*p));
  return p ? std::optional<Recorded>(recorded(*p)) : std::nullopt;
}
template <class R>
auto recorded_rows(const R& rows) {
  using P = std::remove_reference_t<decltype(rows.parameter)>;
  if constexpr (IsParameter<P>) {
    return InputRows(recorded(rows.parameter), rows.range);
  } else {
    using Recorded = decltype(InputRows(recorded(*rows.parameter), rows.range));
    if (!rows.parameter) return std::optional<Recorded>();
    return std::optional<Recorded>(InputRows(recorded(*rows.parameter), rows.range));
  }
}
template <class P>
auto recorded(const ParameterRows<P>& rows) {
  return recorded_rows(rows);
}
template <class P>
auto recorded(const WeightRows<P>& rows) {
  return recorded_rows(rows);
}

template <class P>
auto recorded(const TableRows<P>& rows) {
  return recorded(rows.table);
}

/// An input's value, as forward takes it.
template <class I>
decltype(auto) value_of(const I& input) {
  return input.value();
}
template <class I>
auto value_of(const std::optional<I>& input) {
  using Value = std::optional<decltype(view(input->value()))>;
  return input ? Value(view(input->value())) : Value();
}
template <class I>
bool needs_gradient(const I& input) {
  return input.needs_gradient();
}
template <class I>
bool needs_gradient(const std::optional<I>& input) {
  return input && input->needs_gradient();
}
template <class I>
void release(I& input) {
  input.release();
}
template <class I>
void release(std::optional<I>& input) {
  if (input) input->release();
}

/// Views and Eigen expressions as tensors, for operations that take tensors only.
template <class X>
decltype(auto) owned(X&& x) {
  if constexpr (requires { to_tensor(std::forward<X>(x)); }) return to_tensor(std::forward<X>(x));
  else return std::forward<X>(x);
}
template <class Op, class... X>
decltype(auto) run_forward(const Op& op, X&&... x) {
  if constexpr (requires { op.forward(std::forward<X>(x)...); })
    return op.forward(std::forward<X>(x)...);
  else return op.forward(owned(std::forward<X>(x))...);
}

template <class T, int N>
std::shared_ptr<const Tensor<T, N>> shared(Tensor<T, N> y) {
  return std::make_shared<const Tensor<T, N>>(std::move(y));
}
template <class T, int N>
std::shared_ptr<const Tensor<T, N>> shared(const TensorView<T, N>& y) {
  return shared(y.copy());
}
template <class T, int N>
std::shared_ptr<const Tensor<T, N>> shared(std::shared_ptr<const Tensor<T, N>> y) {
  return y;
}

/// The tape of the first variable, after a check that all belong to it.
template <class... X>
AnyTape& tape_of(const X&... x) {
  AnyTape* tape = nullptr;
  const auto look = [&]<class V>(const V& variable) {
    if constexpr (is_variable<V>) {
      if (!tape) tape = AnyTape::of(variable);
      tape->expect_usable(variable, "an operation");
    }
  };
  (look(x), ...);
  return *tape;
}

template <class Op, class Output, class Back, class... I>
auto record_step(AnyTape& tape, Output output, Back back, const I&... inputs) {
  auto y = shared(std::move(output));
  using Y = std::remove_const_t<typename decltype(y)::element_type>;
  if ((needs_gradient(inputs) || ...)) return tape.step(std::move(y), std::move(back));
  return tape.leaf<typename Y::Scalar, Y::axes>(std::move(y), nullptr);
}

template <class Op, class... I>
auto record(const Op& op, AnyTape& tape, I... inputs) {
  const Recording recording{tape.random()};
  if constexpr (requires { op.forward(recording, inputs...); }) {
    auto result = op.forward(recording, inputs...);
    (release(inputs), ...);
    return record_step<Op>(
        tape, std::move(result.output),
        [op, saved = std::move(result.saved), inputs...](auto dy) {
          op.backward(std::move(dy), saved, inputs...);
        },
        inputs...);
  } else {
    auto y = run_forward(op, value_of(inputs)...);
    if constexpr (requires { Op::keeps_inputs; }) (release(inputs), ...);
    return record_step<Op>(
        tape, std::move(y), [op, inputs...](auto dy) { op.backward(std::move(dy), inputs...); },
        inputs...);
  }
}

}  // namespace detail

/// Applies an operation. If one of the inputs is a variable, the operation is recorded on its tape
/// and the result is a variable; otherwise nothing is recorded, and the result is what `forward`
/// returns. This function is the only place that makes the distinction.
///
/// An operation is a copyable struct, whose members are its options:
///
///   struct Cube {
///     template <class T, int N>
///     Tensor<T, N> forward(const Tensor<T, N>& x) const;                       // y = x³
///     template <class T, int N>
///     void backward(const Tensor<T, N>& dy, const Input<T, N>& x) const {      // dx = dy · 3x²
///       if (x.needs_gradient()) x.add(…);
///     }
///   };
///   const auto y = apply(Cube{}, x);
///
/// `forward` gets the values of the inputs, and `backward` the gradient of its result and one Input
/// for each input, to which it adds the input's gradient. Inputs may be variables, tensors, views,
/// Eigen expressions, parameters, optional parameters, and rows of parameters. An operation says
/// `static constexpr bool keeps_inputs = false` if backward reads no values of its inputs. If it
/// needs more than its inputs, or draws random numbers, it has another overload,
///
///   auto forward(const Recording& recording, const Input<T, N>& x) const;
///
/// which is called where the operation is recorded and returns OutputAndSaved{y, saved}. Then
/// backward is called as `backward(dy, saved, x…)`, and what it reads of the inputs' values must be
/// part of `saved`.
template <class Op, class... X>
auto apply(const Op& op, X&&... x) {
  if constexpr (AnyVariable<X...>)
    return detail::record(op, detail::tape_of(x...), detail::recorded(std::forward<X>(x))...);
  else return detail::run_forward(op, detail::plain(std::forward<X>(x))...);
}

namespace detail {
template <class Tuple>
inline constexpr bool has_variable = false;
template <class... X>
inline constexpr bool has_variable<std::tuple<X...>> = AnyVariable<X...>;
}  // namespace detail

/// The results of an operation for one input with each of some tuples of further inputs, as an
/// array: apply(op, x, others…) for each tuple. Where no input is a variable they are computed
/// together, by `op.forward_each(x, tuples…)`.
template <class Op, class X, class... Others>
auto apply_each(const Op& op, const X& x, const Others&... others) {
  if constexpr (AnyVariable<X> || (detail::has_variable<Others> || ...)) {
    const auto one = [&](auto&&... other) { return apply(op, x, other...); };
    return std::array{std::apply(one, others)...};
  } else {
    const auto plain = [](const auto&... other) { return std::tuple{detail::plain(other)...}; };
    return op.forward_each(x, std::apply(plain, others)...);
  }
}

}  // namespace ATTN_ABI
}  // namespace attn

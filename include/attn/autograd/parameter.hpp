#pragma once

#include <attn/autograd/gradient.hpp>
#include <attn/autograd/packed_rows.hpp>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {

template <class U>
class NamedParameter;

/// A tensor that a layer learns, its gradient, and for matrices the packed form in which products
/// read it. The gradient and the packed form have no memory before they are needed. Each change
/// gives the parameter a new version, so that a packed form of an old value is never used.
template <class T, int N>
class Parameter {
 public:
  using Scalar = T;
  static constexpr int axes = N;

  Parameter() = default;
  explicit Parameter(const Shape<N>& shape) : value_(shape), gradient_(shape) { version_.renew(); }

  const Tensor<T, N>& value() const { return value_; }
  const Shape<N>& shape() const { return value_.shape(); }
  /// The value, to be changed at once. Call `edit` again for a later change: a change through a
  /// reference that was kept goes unnoticed.
  Tensor<T, N>& edit() {
    version_.renew();
    return value_;
  }
  const Version& version() const { return version_; }
  Gradient<T, N>& gradient() { return gradient_; }

  /// The transpose of some rows of a weight (out, in), packed. Valid until the weight changes.
  const PackedMatrix<T>& packed(Range rows) const
    requires(N == 2)
  {
    return packed_.get(value_, version_, rows);
  }

 private:
  template <class>
  friend class NamedParameter;

  Tensor<T, N> value_;
  Gradient<T, N> gradient_;
  Version version_;
  [[no_unique_address]] std::conditional_t<N == 2, detail::PackedRows<T>, detail::NotPacked>
      packed_;
};

template <class P>
inline constexpr bool is_parameter = false;
template <class T, int N>
inline constexpr bool is_parameter<Parameter<T, N>> = true;
/// A Parameter, const or not.
template <class P>
concept IsParameter = is_parameter<std::remove_cvref_t<P>>;

/// Rows of a parameter, or of one that a layer may be without, as an input of an operation.
template <class P>
struct ParameterRows {
  P& parameter;
  Range range;
};
/// The same rows of a weight, as the right factor of a product: packed where nothing is recorded.
template <class P>
struct WeightRows {
  P& parameter;
  Range range;
};

template <IsParameter P>
ParameterRows<P> rows(P& parameter, Index begin, Index end) {
  return {parameter, {begin, end}};
}
template <IsParameter P>
ParameterRows<std::optional<P>> rows(std::optional<P>& parameter, Index begin, Index end) {
  return {parameter, {begin, end}};
}
template <IsParameter P>
ParameterRows<const std::optional<P>> rows(const std::optional<P>& parameter, Index begin,
                                           Index end) {
  return {parameter, {begin, end}};
}
template <IsParameter P>
WeightRows<P> weight_rows(P& weight, Index begin, Index end) {
  return {weight, {begin, end}};
}
/// All rows.
template <IsParameter P>
WeightRows<P> weight_rows(P& weight) {
  return {weight, {0, weight.shape()[0]}};
}

}  // namespace ATTN_ABI
}  // namespace attn

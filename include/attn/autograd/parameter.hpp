#pragma once

#include <attn/autograd/gradient.hpp>
#include <attn/autograd/lazy_tensor.hpp>
#include <attn/autograd/packed_rows.hpp>
#include <attn/gemm/round_weight.hpp>
#include <attn/gemm/weight_factor.hpp>
#include <memory>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {

template <class U>
class NamedParameter;

/// A tensor that a layer learns, its gradient, and for matrices the packed form in which products
/// read it. The gradient and the packed form have no memory before they are needed. Each change
/// gives the parameter a new version, so that a packed form of an old value is never used.
///
/// A matrix may be stored as products read it instead, in fewer bits or as floats, for inference:
/// then it is in memory once, and has neither a value nor a gradient; asking for them is an
/// OptionError.
template <class T, int N>
class Parameter {
 public:
  using Scalar = T;
  static constexpr int axes = N;

  Parameter() = default;
  explicit Parameter(const Shape<N>& shape) : value_(shape), gradient_(shape) { version_.renew(); }

  const Tensor<T, N>& value() const {
    expect_value();
    return value_.get();
  }
  const Shape<N>& shape() const { return value_.shape(); }
  /// The value, to be changed at once. Call `edit` again for a later change: a change through a
  /// reference that was kept goes unnoticed.
  Tensor<T, N>& edit() {
    expect_value();
    version_.renew();
    return value_.get();
  }
  /// The same, where every element is overwritten.
  Tensor<T, N>& overwrite() {
    expect_value();
    version_.renew();
    return value_.overwrite();
  }
  const Version& version() const { return version_; }
  Gradient<T, N>& gradient() {
    expect_value();
    return gradient_;
  }

  /// How the weight is stored, if not as its value.
  std::optional<Storage> storage() const {
    if (!stored_) return std::nullopt;
    return stored_->format().storage;
  }
  /// Stores the weight, whose values must be finite, and frees its value. Errors: OptionError for a
  /// weight that is stored already.
  void store(Storage storage)
    requires(N == 2)
  {
    store(round_weight<T>(value().view(), storage));
  }
  /// Replaces the weight by a stored one of its shape.
  void store(StoredMatrix stored)
    requires(N == 2)
  {
    expect_value();
    if (shape() != Shape<2>{stored.rows(), stored.columns()})
      throw ShapeError("Parameter: the stored weight " +
                       to_string(Shape<2>{stored.rows(), stored.columns()}) +
                       " must have the shape " + to_string(shape()));
    stored_ = std::make_shared<const StoredMatrix>(std::move(stored));
    value_.release();
    gradient_ = Gradient<T, N>(Shape<N>{});
    version_.renew();
  }

  /// Whether products with a weight that is stored in 8 or 4 bits round their left factor to
  /// integers too, see `IntegerRowsOf`.
  void round_activations(bool rounds)
    requires(N == 2)
  {
    rounds_activations_ = rounds;
  }

  /// Errors: OptionError for a weight that is stored.
  void expect_value() const {
    if (stored_)
      throw OptionError("Parameter: a weight that is stored as " +
                        to_string(stored_->format().storage) +
                        " is for inference, and cannot be read, changed or trained; a model "
                        "that is loaded with keep_storage = false can");
  }

  /// The transpose of some rows of a weight (out, in), as products read it. Valid until the weight
  /// changes.
  WeightFactor<T> factor(Range rows) const
    requires(N == 2)
  {
    if (stored_ && rounds_activations_ && stored_->format().has_scales())
      return IntegerRowsOf{*stored_, rows};
    if (stored_) return StoredRowsOf{*stored_, rows};
    return packed_.get(value_.get(), version_, rows);
  }
  /// Writes row i of a weight.
  void read_row(Index i, T* to) const
    requires(N == 2)
  {
    const Index width = shape()[1];
    if (!stored_) std::copy_n(value_.get().data() + i * width, width, to);
    else
      for (Index k = 0; k < width; ++k) to[k] = static_cast<T>((*stored_)(i, k));
  }

 private:
  template <class>
  friend class NamedParameter;

  detail::LazyTensor<T, N> value_;
  std::shared_ptr<const StoredMatrix> stored_;  ///< copies of a layer share it
  bool rounds_activations_ = false;
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

/// A weight as a table, of which an operation takes single rows.
template <class P>
struct TableRows {
  P& table;
};
template <IsParameter P>
TableRows<P> table_rows(P& table) {
  return {table};
}

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

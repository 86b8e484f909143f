#pragma once

#include <attn/autograd/parameter.hpp>
#include <attn/core/range.hpp>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// The gradient of a named parameter: a range of as many elements as the parameter has, zero where
/// nothing has been accumulated.
template <class T>
class NamedGradient {
 public:
  explicit NamedGradient(AnyGradient<T>& gradient) : gradient_(&gradient) {}

  /// True if nothing has been accumulated since the gradient was made or cleared.
  bool empty() const { return gradient_->empty(); }
  void clear() const { gradient_->clear(); }
  std::span<T> values() const { return gradient_->values(); }
  operator std::span<const T>() const { return values(); }

 private:
  AnyGradient<T>* gradient_;
};

namespace detail {
struct NoGradient {};
}  // namespace detail

/// A parameter of any rank under its full name, such as "self_attn.in_proj_weight". It is valid as
/// long as its layer. U is T if the layer may be changed, and const T otherwise.
template <class U>
class NamedParameter {
  using T = std::remove_const_t<U>;
  static constexpr bool changeable = !std::is_const_v<U>;

 public:
  std::string name;
  std::vector<Index> shape;
  std::span<const T> value;
  /// Present if the layer may be changed.
  [[no_unique_address]] std::conditional_t<changeable, NamedGradient<T>, detail::NoGradient> grad;

  template <class P>
  NamedParameter(std::string full_name, P& parameter)
      : name(std::move(full_name)),
        shape(parameter.shape().begin(), parameter.shape().end()),
        value(std::as_const(parameter).value().data(),
              static_cast<std::size_t>(std::as_const(parameter).value().size())),
        grad(gradient_of(parameter)),
        data_(parameter.value_.get().data()),
        version_(&parameter.version_) {}

  /// The value, to be changed at once, as Parameter::edit gives it.
  std::span<T> edit() const
    requires changeable
  {
    version_->renew();
    return {data_, value.size()};
  }

  /// Some of the elements in row-major order, under the name and with the shape of the whole, and
  /// with a gradient of their own.
  NamedParameter part(Range elements, AnyGradient<T>& gradient) const
    requires changeable
  {
    NamedParameter result = *this;
    result.value = value.subspan(static_cast<std::size_t>(elements.begin),
                                 static_cast<std::size_t>(elements.size()));
    result.grad = NamedGradient<T>(gradient);
    result.data_ = data_ + elements.begin;
    return result;
  }

 private:
  template <class P>
  static auto gradient_of(P& parameter) {
    if constexpr (changeable) return NamedGradient<T>(parameter.gradient());
    else return detail::NoGradient{};
  }

  U* data_;
  std::conditional_t<changeable, Version, const Version>* version_;
};

}  // namespace ATTN_ABI
}  // namespace attn

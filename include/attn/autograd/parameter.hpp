#pragma once

#include <atomic>
#include <attn/autograd/gradient.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Stands for a value of a parameter: no other value has had it, and none will.
class Stamp {
 public:
  void renew() { number_ = last.fetch_add(1, std::memory_order_relaxed) + 1; }
  friend bool operator==(const Stamp&, const Stamp&) = default;

 private:
  static inline std::atomic<std::uint64_t> last = 0;
  std::uint64_t number_ = 0;
};

/// A tensor that a layer learns, and its gradient, which has no memory before it is needed. After
/// each change its stamp is another, so that what is made from the value, such as packed weights,
/// is made anew when it is used next.
template <class T, int N>
class Parameter {
 public:
  Parameter() = default;
  explicit Parameter(const Shape<N>& shape) : value_(shape), gradient_(shape) { stamp_.renew(); }

  const Tensor<T, N>& value() const { return value_; }
  /// The value, to be changed now. Call it again for a later change: one through a reference that
  /// was kept is not noticed.
  Tensor<T, N>& edit() {
    stamp_.renew();
    return value_;
  }
  const Stamp& stamp() const { return stamp_; }
  Gradient<T, N>& gradient() { return gradient_; }

 private:
  template <class>
  friend class NamedParameter;

  Tensor<T, N> value_;
  Gradient<T, N> gradient_;
  Stamp stamp_;
};

/// What is made from a parameter and kept until the parameter changes. A const layer that several
/// threads use makes it once.
template <class Made>
class MadeFrom {
 public:
  MadeFrom() = default;
  MadeFrom(const MadeFrom& other) { *this = other; }
  MadeFrom& operator=(const MadeFrom& other) {
    if (this == &other) return *this;
    const std::scoped_lock lock(mutex_, other.mutex_);
    made_ = other.made_, stamp_ = other.stamp_;
    return *this;
  }
  ~MadeFrom() = default;

  /// `make()`, or what it gave when the parameter had the same stamp. It must not wait for other
  /// threads.
  template <class Make>
  std::shared_ptr<const Made> get(const Stamp& stamp, Make&& make) const {
    const std::lock_guard lock(mutex_);
    if (!made_ || stamp_ != stamp) {
      made_.reset();  // before the new one needs its memory
      made_ = std::make_shared<const Made>(make()), stamp_ = stamp;
    }
    return made_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Made> made_;
  mutable Stamp stamp_;
};

/// A parameter's gradient, under its name: a range of as many numbers as the parameter has, zeros
/// where nothing has arrived.
template <class T>
class NamedGradient {
 public:
  explicit NamedGradient(AnyGradient<T>& gradient) : gradient_(&gradient) {}

  /// Whether nothing has arrived since it was made or cleared.
  bool empty() const { return gradient_->empty(); }
  void clear() const { gradient_->clear(); }
  std::span<T> values() const { return gradient_->values(); }
  operator std::span<const T>() const { return values(); }

 private:
  AnyGradient<T>* gradient_;
};
struct NoGradient {};

/// A parameter under its full name, "self_attn.in_proj_weight", whatever its number of axes; valid
/// as long as the layer. U is T where the layer may be changed, const T where not.
template <class U>
class NamedParameter {
  using T = std::remove_const_t<U>;
  static constexpr bool changeable = !std::is_const_v<U>;

 public:
  std::string name;
  std::vector<Index> shape;
  std::span<const T> value;
  /// Of a layer that may be changed.
  [[no_unique_address]] std::conditional_t<changeable, NamedGradient<T>, NoGradient> grad;

  template <class P>
  NamedParameter(std::string full_name, P& parameter)
      : name(std::move(full_name)),
        shape(parameter.value().shape().begin(), parameter.value().shape().end()),
        value(parameter.value_.data(), static_cast<std::size_t>(parameter.value_.size())),
        grad(gradient_of(parameter)),
        data_(parameter.value_.data()),
        stamp_(&parameter.stamp_) {}

  /// The value, to be changed now, as Parameter::edit gives it.
  std::span<T> edit() const
    requires changeable
  {
    stamp_->renew();
    return {data_, value.size()};
  }

 private:
  template <class P>
  static auto gradient_of(P& parameter) {
    if constexpr (changeable) return NamedGradient<T>(parameter.gradient());
    else return NoGradient{};
  }

  U* data_;
  std::conditional_t<changeable, Stamp, const Stamp>* stamp_;
};

}  // namespace ATTN_ABI
}  // namespace attn

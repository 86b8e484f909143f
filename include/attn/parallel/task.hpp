#pragma once

#include <attn/core/config.hpp>
#include <concepts>
#include <memory>
#include <type_traits>

// Outside of ATTN_ABI on purpose: a program has one executor, whatever instruction sets its parts
// are compiled for.
namespace attn {

/// Refers to a callable `void(Arguments…)` that somebody else owns: two pointers, copied freely,
/// nothing allocated. It must not outlive the callable.
template <class... Arguments>
class CallableRef {
 public:
  /// Does nothing.
  CallableRef() : callable_(nullptr), call_([](const void*, Arguments...) {}) {}
  template <class F>
    requires(!std::same_as<std::remove_const_t<F>, CallableRef> && std::is_object_v<F> &&
             std::invocable<F&, Arguments...>)
  CallableRef(F& f)
      : callable_(std::addressof(f)), call_([](const void* callable, Arguments... arguments) {
          (*static_cast<F*>(const_cast<void*>(callable)))(arguments...);
        }) {}
  /// A temporary lives until the end of the full expression: long enough to be an argument.
  template <class F>
    requires(!std::same_as<std::remove_const_t<F>, CallableRef> && std::is_object_v<F> &&
             std::invocable<F&, Arguments...>)
  CallableRef(F&& f) : CallableRef(f) {}

  void operator()(Arguments... arguments) const { call_(callable_, arguments...); }

 private:
  const void* callable_;
  void (*call_)(const void*, Arguments...);
};

/// Refers to a callable `void(Index)`: what a loop does for each of its numbers.
using Task = CallableRef<Eigen::Index>;

}  // namespace attn

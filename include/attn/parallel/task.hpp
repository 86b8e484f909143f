#pragma once

#include <attn/core/config.hpp>
#include <concepts>
#include <memory>
#include <type_traits>

// Outside of ATTN_ABI on purpose: a program has one executor, whatever instruction sets its parts
// are compiled for.
namespace attn {

/// Refers to a callable `void(Index)` that somebody else owns: two pointers, copied freely, nothing
/// allocated. It must not outlive the callable.
class Task {
 public:
  /// Does nothing.
  Task() : callable_(nullptr), call_([](const void*, Eigen::Index) {}) {}
  template <class F>
    requires(!std::same_as<std::remove_const_t<F>, Task> && std::is_object_v<F> &&
             std::invocable<F&, Eigen::Index>)
  Task(F& f)
      : callable_(std::addressof(f)), call_([](const void* callable, Eigen::Index i) {
          (*static_cast<F*>(const_cast<void*>(callable)))(i);
        }) {}
  /// A temporary lives until the end of the full expression: long enough to be an argument.
  template <class F>
    requires(!std::same_as<std::remove_const_t<F>, Task> && std::is_object_v<F> &&
             std::invocable<F&, Eigen::Index>)
  Task(F&& f) : Task(f) {}

  void operator()(Eigen::Index i) const { call_(callable_, i); }

 private:
  const void* callable_;
  void (*call_)(const void*, Eigen::Index);
};

}  // namespace attn

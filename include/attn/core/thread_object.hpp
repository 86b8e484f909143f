#pragma once

#include <attn/core/config.hpp>

#ifdef __MINGW32__
#include <cxxabi.h>
#endif

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

#ifdef __MINGW32__

/// This thread's object of type T, made at its first use and destroyed when the thread ends. MinGW
/// frees the memory of thread_local variables before it calls their destructors: the object lies on
/// the heap, and only a pointer to it is thread_local.
template <class T>
T& thread_object() {
  static constinit thread_local T* object = nullptr;
  static char in_this_module = 0;
  if (!object) {
    object = new T;
    const auto destroy = [](void* it) { delete static_cast<T*>(it); };
    abi::__cxa_thread_atexit(destroy, object, &in_this_module);
  }
  return *object;
}

#else

/// This thread's object of type T, made at its first use and destroyed when the thread ends.
template <class T>
T& thread_object() {
  static thread_local T object;
  return object;
}

#endif

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

#pragma once

#include <attn/mpi/call.hpp>
#include <exception>
#include <span>
#include <utility>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {

namespace detail {

/// Messages under way, and the counts that MPI may read until they have come.
struct Messages {
  std::vector<MPI_Request> requests;
  std::vector<int> counts = {};
};

}  // namespace detail

/// Values that are on their way. The memory that they come from and go to must stay as it is until
/// `wait` has returned: wait before an exception can leave the scope of that memory, as Together
/// makes sure of.
template <class T>
class [[nodiscard]] Gathering {
 public:
  Gathering(std::span<T> received, detail::Messages messages)
      : received_(received), messages_(std::move(messages)) {}
  Gathering(Gathering&& other) noexcept
      : received_(other.received_), messages_(std::exchange(other.messages_, {})) {}
  Gathering& operator=(Gathering&& other) noexcept {
    std::swap(received_, other.received_);
    std::swap(messages_, other.messages_);
    return *this;
  }
  /// Waits, but not while an exception unwinds the stack.
  ~Gathering() {
    if (std::uncaught_exceptions() == 0)
      MPI_Waitall(count(), messages_.requests.data(), MPI_STATUSES_IGNORE);
  }

  /// Lets MPI progress, without waiting. True if all values are here.
  bool is_complete() {
    int complete = 1;
    detail::expect_success(
        MPI_Testall(count(), messages_.requests.data(), &complete, MPI_STATUSES_IGNORE),
        "MPI_Testall");
    return complete != 0;
  }
  /// Waits, and returns the values that were received.
  std::span<T> wait() {
    detail::expect_success(MPI_Waitall(count(), messages_.requests.data(), MPI_STATUSES_IGNORE),
                           "MPI_Waitall");
    return received_;
  }

 private:
  int count() const { return static_cast<int>(messages_.requests.size()); }

  std::span<T> received_;
  detail::Messages messages_;  // requests that are complete are MPI_REQUEST_NULL
};

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn

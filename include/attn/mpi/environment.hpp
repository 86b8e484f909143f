#pragma once

#include <attn/mpi/call.hpp>
#include <exception>
#include <utility>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {
namespace detail {

/// MPI, initialized by this object unless the program has done so already. The destructor finalizes
/// what the constructor initialized, but not while an exception unwinds the stack: finalizing waits
/// for the other ranks.
class Environment {
 public:
  Environment(int* argc, char*** argv) {
    int initialized = 0;
    expect_success(MPI_Initialized(&initialized), "MPI_Initialized");
    if (initialized) return;
    int level = MPI_THREAD_SINGLE;
    expect_success(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &level), "MPI_Init_thread");
    finalizes_ = true;
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    if (finalizes_ && std::uncaught_exceptions() == 0 && !is_finalized()) MPI_Finalize();
  }

  /// What MPI promises to programs with threads, MPI_THREAD_FUNNELED for example.
  static int thread_level() {
    int level = MPI_THREAD_SINGLE;
    expect_success(MPI_Query_thread(&level), "MPI_Query_thread");
    return level;
  }
  static bool is_finalized() {
    int finalized = 0;
    return MPI_Finalized(&finalized) == MPI_SUCCESS && finalized;
  }

 private:
  bool finalizes_ = false;
};

/// Owns a communicator, whose functions return their errors. It is freed at the end, but not while
/// an exception unwinds the stack: other ranks may not come to free it.
class Communicator {
 public:
  /// Takes over a communicator that a function of MPI has made.
  explicit Communicator(MPI_Comm comm) : comm_(comm) {
    expect_success(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  }
  static Communicator duplicate(MPI_Comm parent) {
    MPI_Comm comm = MPI_COMM_NULL;
    expect_success(MPI_Comm_dup(parent, &comm), "MPI_Comm_dup");
    return Communicator(comm);
  }
  Communicator(Communicator&& other) noexcept : comm_(std::exchange(other.comm_, MPI_COMM_NULL)) {}
  Communicator& operator=(Communicator&& other) noexcept {
    std::swap(comm_, other.comm_);
    return *this;
  }
  ~Communicator() {
    if (comm_ == MPI_COMM_NULL || std::uncaught_exceptions() > 0) return;
    if (!Environment::is_finalized()) MPI_Comm_free(&comm_);
  }

  MPI_Comm get() const { return comm_; }
  Index rank() const {
    int rank = 0;
    expect_success(MPI_Comm_rank(comm_, &rank), "MPI_Comm_rank");
    return rank;
  }
  Index size() const {
    int size = 1;
    expect_success(MPI_Comm_size(comm_, &size), "MPI_Comm_size");
    return size;
  }

 private:
  MPI_Comm comm_;
};

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn

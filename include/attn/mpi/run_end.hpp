#pragma once

#include <attn/mpi/world.hpp>
#include <chrono>
#include <cstdio>
#include <thread>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {
namespace detail {

/// How a run ends if an exception escapes: one line is printed, and all ranks end. A rank that has
/// failed tells the others so, and waits a moment for what they tell; the lowest of those that have
/// failed prints its line. If all ranks have thrown the same exception, they end in order, and
/// otherwise MPI_Abort ends them, because some may be waiting for a message that never comes.
class RunEnd {
 public:
  explicit RunEnd(MPI_Comm comm) : comm_(Communicator::duplicate(comm)) {}

  /// After an exception that only this rank has thrown, as far as it knows.
  int fail(const std::string& sentence) noexcept {
    using namespace std::chrono_literals;
    return end(who() + ": " + sentence, false, 250ms);
  }
  /// After an exception that all ranks of a world have thrown.
  int fail_together(const std::string& sentence, const ThrownByAll& thrown) noexcept {
    using namespace std::chrono_literals;
    if (thrown.ranks != comm_.size()) return fail(sentence);
    return end(sentence, true, 5s);
  }

 private:
  std::string who() const {
    return rank_of(static_cast<std::size_t>(comm_.rank()), static_cast<std::size_t>(comm_.size()));
  }

  int end(const std::string& line, bool is_common, std::chrono::milliseconds patience) noexcept {
    try {
      const std::vector<Notice> notices = exchange(is_common, patience);
      const auto failed = [](Notice notice) { return notice != Notice::none; };
      const auto common = [](Notice notice) { return notice == Notice::common; };
      const auto first = std::find_if(notices.begin(), notices.end(), failed) - notices.begin();
      const bool prints = first == comm_.rank();
      if (prints) print(line);
      if (std::all_of(notices.begin(), notices.end(), common)) return 1;
      if (!prints) std::this_thread::sleep_for(std::chrono::seconds(1));  // the other rank aborts
    } catch (const std::exception&) {
      print(line);
    }
    MPI_Abort(comm_.get(), 1);
    return 1;
  }

  /// What a rank says of itself in a message of one byte.
  enum class Notice : char { none, single, common };

  /// What every rank says, as far as it is known within the time.
  std::vector<Notice> exchange(bool is_common, std::chrono::milliseconds patience) {
    const Notice own = is_common ? Notice::common : Notice::single;
    std::vector<Notice> notices(static_cast<std::size_t>(comm_.size()), Notice::none);
    std::vector<MPI_Request> requests;
    for (std::size_t rank = 0; rank < notices.size(); ++rank) {
      if (static_cast<Index>(rank) == comm_.rank()) {
        notices[rank] = own;
        continue;
      }
      const int other = static_cast<int>(rank);
      expect_success(
          MPI_Irecv(&notices[rank], 1, MPI_BYTE, other, 0, comm_.get(), &requests.emplace_back()),
          "MPI_Irecv");
      expect_success(MPI_Isend(&own, 1, MPI_BYTE, other, 0, comm_.get(), &requests.emplace_back()),
                     "MPI_Isend");
    }
    const auto end = std::chrono::steady_clock::now() + patience;
    for (int complete = 0; !complete && std::chrono::steady_clock::now() < end;) {
      expect_success(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &complete,
                                 MPI_STATUSES_IGNORE),
                     "MPI_Testall");
      if (!complete) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return notices;
  }

  static void print(std::string line) {
    std::replace(line.begin(), line.end(), '\n', ' ');
    line += '\n';
    std::fflush(stdout);
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
  }

  Communicator comm_;
};

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn

#pragma once

#include <attn/mpi/world.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {
namespace detail {

template <class X>
constexpr const char* signature() {
  return __PRETTY_FUNCTION__;
}
/// The name of a type as the compiler writes it: "… signature() [with X = float]".
template <class X>
std::string full_name() {
  const std::string text = signature<X>();
  const std::size_t begin = text.find("X = ") + 4;
  return text.substr(begin, text.size() - 1 - begin);
}
/// The name of a type, which ranks compare; without the inline namespace of the library, which says
/// how a rank's program was compiled.
template <class X>
std::string type_name() {
  const std::string world = full_name<World>();  // "attn::…::mpi::World"
  const std::size_t begin = world.find("::") + 2, end = world.find("mpi::World");
  const std::string own = world.substr(begin, end - begin);
  std::string name = full_name<X>();
  for (std::size_t at; !own.empty() && (at = name.find(own)) != std::string::npos;)
    name.erase(at, own.size());
  return name;
}

/// The parts of a text that stand between separators.
inline std::vector<std::string> split_text(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + separator.size());
  }
}

/// The name of an operation and the first item of its text.
inline std::string beginning_of(const std::string& text) { return text.substr(0, text.find("; ")); }

/// "SequenceParallel: rank 2 of 4 says key (1, 8, 96, 64), rank 0 says key (1, 8, 64, 64)": the
/// first item of the texts that differs.
inline std::string difference_of(const std::vector<std::string>& texts) {
  const std::size_t other = first_that_differs(texts);
  const std::string who = rank_of(other, texts.size());
  const std::size_t end = texts[0].find(": ");
  const std::string name = texts[0].substr(0, end);
  if (end == std::string::npos || texts[other].substr(0, texts[other].find(": ")) != name)
    return who + " calls " + beginning_of(texts[other]) + ", rank 0 calls " +
           beginning_of(texts[0]);
  const auto items = split_text(std::string_view(texts[other]).substr(end + 2), "; ");
  const auto items0 = split_text(std::string_view(texts[0]).substr(end + 2), "; ");
  std::size_t i = 0;
  while (i < items.size() && i < items0.size() && items[i] == items0[i]) ++i;
  const auto item = [i](const auto& of) { return i < of.size() ? of[i] : "nothing more"; };
  return name + ": " + who + " says " + item(items) + ", rank 0 says " + item(items0);
}

}  // namespace detail

/// An operation that all ranks of a world compute together. What one of them throws, all of them
/// throw, so that none is left waiting for a message:
///
///   Together together(world, "SequenceParallel: query (1, 8, 96, 64); key (1, 8, 96, 64)");
///   together.compute([&] { … });  // may throw, sends nothing
///   all_gather(…).wait();         // a message, which every rank sends, whether it failed or not
///   together.compute([&] { … });  // is skipped where this rank has failed
///   together.finish();            // throws on all ranks if one of them has failed
///
/// The text names the operation before ": ", and then what must be the same on all ranks: shapes
/// and options, in items between "; ". If ranks say different things, the constructor throws a
/// ShapeError on all of them that shows the first item that differs.
/// `finish` throws the exception of the lowest rank that has failed, with its type if that is
/// ShapeError, OptionError or FileError, and otherwise as Error, with "rank 2 of 4: " before its
/// sentence. A rank that is alone throws its exception as it is.
/// Cost: a small reduction each in the constructor and in `finish`.
class Together {
 public:
  Together(const World& world, const std::string& what) : world_(world) {
    if (world.size() == 1) return;
    const std::vector<std::string> texts = detail::texts_that_differ(world.comm(), what);
    if (texts.empty()) return;
    const detail::Failure failure{detail::Failure::Type::shape, detail::difference_of(texts)};
    failure.throw_by_all(world.size());
  }
  Together(const Together&) = delete;
  Together& operator=(const Together&) = delete;

  /// Calls f, unless this rank has failed before, and keeps what it throws.
  template <class F>
  void compute(F&& f) {
    if (failed()) return;
    try {
      std::forward<F>(f)();
    } catch (...) {
      exception_ = std::current_exception();
    }
  }
  /// Whether this rank has failed.
  bool failed() const { return exception_ != nullptr; }

  /// Agrees on whether a rank has failed since the constructor or the last `finish`.
  void finish() {
    const std::exception_ptr exception = std::exchange(exception_, nullptr);
    if (world_.size() == 1) {
      if (exception) std::rethrow_exception(exception);
      return;
    }
    int first = static_cast<int>(exception ? world_.rank() : world_.size());
    detail::expect_success(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, world_.comm()),
                           "MPI_Allreduce");
    if (first < world_.size()) throw_of(first, exception);
  }

 private:
  /// Throws the exception of rank `first` on all ranks.
  [[noreturn]] void throw_of(int first, const std::exception_ptr& exception) const {
    detail::Failure failure;
    if (world_.rank() == first) failure = detail::Failure::of(exception);
    int head[2] = {static_cast<int>(failure.type), static_cast<int>(failure.sentence.size())};
    detail::expect_success(MPI_Bcast(head, 2, MPI_INT, first, world_.comm()), "MPI_Bcast");
    failure.type = static_cast<detail::Failure::Type>(head[0]);
    failure.sentence.resize(static_cast<std::size_t>(head[1]));
    detail::expect_success(
        MPI_Bcast(failure.sentence.data(), head[1], MPI_CHAR, first, world_.comm()), "MPI_Bcast");
    const auto who =
        detail::rank_of(static_cast<std::size_t>(first), static_cast<std::size_t>(world_.size()));
    failure.sentence = who + ": " + failure.sentence;
    failure.throw_by_all(world_.size());
  }

  const World& world_;
  std::exception_ptr exception_;
};

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn

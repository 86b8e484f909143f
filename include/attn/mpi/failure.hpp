#pragma once

#include <attn/mpi/compare_texts.hpp>
#include <exception>
#include <type_traits>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {
namespace detail {

/// Marks an exception that all ranks of a world throw at once.
struct ThrownByAll {
  Index ranks;
};

/// An exception of type E that all ranks throw at once.
template <class E>
struct CommonError final : E, ThrownByAll {
  CommonError(const std::string& sentence, Index all) : E(sentence), ThrownByAll{all} {}
};

/// What a message says of an exception: its type, as far as other ranks can throw it, and its
/// sentence.
struct Failure {
  enum class Type : int { other, shape, option, file };
  Type type = Type::other;
  std::string sentence = "an exception that is no std::exception";

  static Failure of(const std::exception_ptr& exception) {
    try {
      std::rethrow_exception(exception);
    } catch (const ShapeError& error) {
      return {Type::shape, error.what()};
    } catch (const OptionError& error) {
      return {Type::option, error.what()};
    } catch (const FileError& error) {
      return {Type::file, error.what()};
    } catch (const std::exception& error) {
      return {Type::other, error.what()};
    } catch (...) {
      return {};
    }
  }

  [[noreturn]] void throw_by_all(Index ranks) const {
    switch (type) {
      case Type::shape: throw CommonError<ShapeError>(sentence, ranks);
      case Type::option: throw CommonError<OptionError>(sentence, ranks);
      case Type::file: throw CommonError<FileError>(sentence, ranks);
      case Type::other: break;
    }
    throw CommonError<Error>(sentence, ranks);
  }
};

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn

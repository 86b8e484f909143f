#pragma once

#include <attn/core/error.hpp>
#include <attn/files/mapped_file.hpp>
#include <attn/io/byte_order.hpp>
#include <string>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Reads integers and strings one after the other from the bytes of a GGUF file, and never beyond
/// the last one. A string is 8 bytes of length and then its bytes, without a zero at the end.
/// Errors: FileError, a sentence that begins with `where` and names what is cut short: a part, such
/// as "the key", of a subject, such as "metadata 3".
class GgufReader {
 public:
  GgufReader(std::span<const std::byte> bytes, std::string where)
      : bytes_(bytes), where_(std::move(where)) {}

  /// What the following parts belong to.
  void set_subject(std::string subject) { subject_ = std::move(subject); }
  const std::string& subject() const { return subject_; }
  /// A part as an error names it.
  std::string text_of(const char* part) const {
    return subject_.empty() ? part : part + (" of " + subject_);
  }
  std::size_t position() const { return position_; }
  std::span<const std::byte> rest() const { return bytes_.subspan(position_); }

  std::span<const std::byte> bytes(std::size_t size, const char* part) {
    if (size > rest().size()) fail("the file ends within " + text_of(part));
    position_ += size;
    return bytes_.subspan(position_ - size, size);
  }
  template <class T>
  T integer(const char* part) {
    return static_cast<T>(from_little_endian(bytes(sizeof(T), part)));
  }
  /// A view into the bytes.
  std::string_view string(const char* part) {
    const auto length = integer<std::uint64_t>(part);
    if (length > rest().size())
      fail(text_of(part) + " has the length " + std::to_string(length) + ", but " +
           std::to_string(rest().size()) + " bytes follow");
    const auto text = bytes(static_cast<std::size_t>(length), part);
    return detail::text_of(text);
  }

  [[noreturn]] void fail(const std::string& what) const { throw FileError(where_ + ": " + what); }

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
  std::string where_, subject_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

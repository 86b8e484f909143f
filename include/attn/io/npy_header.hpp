#pragma once

#include <array>
#include <attn/core/shape.hpp>
#include <attn/files/mapped_file.hpp>
#include <attn/io/byte_order.hpp>
#include <attn/io/dtype.hpp>
#include <attn/io/names.hpp>
#include <bit>
#include <charconv>
#include <utility>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// NumPy's name of every Dtype, in the same order. NumPy has no bfloat16.
inline constexpr std::array<std::string_view, 13> npy_names{"b1", "u1", "i1", "i2", "u2", "f2", "",
                                                            "i4", "u4", "f4", "f8", "i8", "u8"};

/// NumPy's name of a C++ type; empty where it has none.
template <class T>
constexpr std::string_view npy_name() {
  constexpr std::optional<Dtype> dtype = dtype_if_any<T>();
  return dtype ? npy_names[static_cast<std::size_t>(*dtype)] : "";
}

/// What the header of a .npy file says of its array.
struct NpyHeader {
  Dtype dtype{};
  std::endian order{};
  bool fortran_order = false;
  std::vector<Index> shape;
};

/// Reads a header, which is a Python dict:
/// `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.
/// Errors: FileError, a sentence that begins with `where`.
class NpyHeaderReader {
 public:
  NpyHeaderReader(std::string_view text, std::string where)
      : text_(text), where_(std::move(where)) {}

  NpyHeader read() {
    std::vector<std::string_view> keys;
    const auto has = [&](std::string_view key) {
      return std::find(keys.begin(), keys.end(), key) != keys.end();
    };
    expect("{");
    while (!take("}")) {
      const std::string_view key = quoted();
      if (has(key)) fail("the header has two keys " + in_quotes(key));
      keys.push_back(key);
      expect(":");
      if (key == "descr") read_descr();
      else if (key == "fortran_order") read_fortran_order();
      else if (key == "shape") read_shape();
      else
        fail("the header has a key " + in_quotes(key) +
             ", but must have exactly descr, fortran_order and shape");
      if (take(",")) continue;
      expect("}");
      break;
    }
    skip_spaces();
    if (at_ != text_.size()) no_dict();
    for (const char* key : {"descr", "fortran_order", "shape"})
      if (!has(key)) fail(std::string("the header has no ") + key);
    return std::move(header_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw FileError(where_ + ": " + what); }
  [[noreturn]] void no_dict() const {
    fail(
        "the header must be a Python dict of descr, fortran_order and shape, which it is not at "
        "its byte " +
        std::to_string(at_ + 1));
  }

  void skip_spaces() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  /// Skips spaces, and the word if it follows.
  bool take(std::string_view word) {
    skip_spaces();
    const bool follows = text_.substr(at_).starts_with(word);
    at_ += follows ? word.size() : 0;
    return follows;
  }
  void expect(std::string_view word) {
    if (!take(word)) no_dict();
  }
  std::string_view quoted() {
    const char mark = take("'") ? '\'' : '"';
    if (mark == '"') expect("\"");
    const std::size_t length = text_.substr(at_).find(mark);
    if (length == text_.npos) no_dict();
    return text_.substr(std::exchange(at_, at_ + length + 1), length);
  }

  void read_descr() {
    if (take("[") || take("("))
      fail("the descr must be one type of number, such as '<f4', but it is a structure");
    const std::string_view descr = quoted();
    if (descr.ends_with('O'))
      fail("the descr " + in_quotes(descr) +
           " is of Python objects, kept as a pickle, which is a program and is not run");
    const auto name = std::find(npy_names.begin(), npy_names.end(),
                                descr.substr(std::min<std::size_t>(1, descr.size())));
    const auto dtype = static_cast<Dtype>(name - npy_names.begin());
    const bool is_known = descr.size() == 3 && name != npy_names.end();
    const std::string_view orders = is_known && size_of(dtype) == 1 ? "|<>" : "<>";
    if (!is_known || orders.find(descr[0]) == orders.npos)
      fail("the descr " + in_quotes(descr) +
           " is not supported; these are, after < or >: " + known_names());
    header_.dtype = dtype;
    header_.order = descr[0] == '>' ? std::endian::big : std::endian::little;
  }
  static std::string known_names() {
    std::string known;
    for (const std::string_view name : npy_names)
      if (!name.empty()) known += (known.empty() ? "" : ", ") + std::string(name);
    return known;
  }
  void read_fortran_order() {
    header_.fortran_order = take("True");
    if (!header_.fortran_order && !take("False")) fail("the fortran_order must be True or False");
  }
  void read_shape() {
    const std::string rule =
        "the shape must be a tuple of non-negative integers, such as (2, 3) or (2,)";
    if (!take("(")) fail(rule);
    while (!take(")")) {
      const std::string_view rest = text_.substr(at_);
      const std::string_view digits = rest.substr(0, rest.find_first_not_of("0123456789"));
      if (digits.empty() || (digits.size() > 1 && digits[0] == '0')) fail(rule);
      Index extent = 0;
      if (std::from_chars(digits.data(), digits.data() + digits.size(), extent).ec != std::errc())
        fail("the shape has more bytes than this machine can address");
      header_.shape.push_back(extent);
      at_ += digits.size();
      take("L");  // as Python 2 wrote
      if (take(",")) continue;
      if (header_.shape.size() < 2 || !take(")")) fail(rule);
      break;
    }
  }

  std::string_view text_;
  std::string where_;
  std::size_t at_ = 0;
  NpyHeader header_;
};

/// Takes a .npy file apart into header and data, which it checks. Errors: FileError, a sentence
/// that begins with `where`.
inline std::pair<NpyHeader, std::span<const std::byte>> split_npy(std::span<const std::byte> bytes,
                                                                  const std::string& where) {
  const auto fail = [&](const std::string& what) { throw FileError(where + ": " + what); };
  const auto size_at_least = [&](std::size_t size) {
    if (bytes.size() < size)
      fail("the file has " + std::to_string(bytes.size()) + " bytes and must have at least " +
           std::to_string(size));
  };
  const std::string_view text = text_of(bytes);
  if (text.starts_with("PK\3\4"))
    fail(
        "the file is a zip of arrays, as numpy.savez writes; save one array by itself with "
        "numpy.save");
  if (!text.starts_with("\x93NUMPY"))
    fail("the file must begin with \\x93NUMPY, as numpy.save writes");
  size_at_least(10);
  const int major = std::to_integer<int>(bytes[6]), minor = std::to_integer<int>(bytes[7]);
  if (major < 1 || major > 3 || minor != 0)
    fail("the format's version " + std::to_string(major) + "." + std::to_string(minor) +
         " is not supported; these are: 1.0, 2.0, 3.0");
  const std::size_t prefix = major == 1 ? 10 : 12;
  size_at_least(prefix);
  const std::uint64_t length = from_little_endian(bytes.subspan(8, prefix - 8));
  if (length > bytes.size() - prefix)
    fail("the header's length " + std::to_string(length) + " must be at most the " +
         std::to_string(bytes.size() - prefix) + " bytes after it");
  const auto header_size = static_cast<std::size_t>(length);
  NpyHeader header = NpyHeaderReader(text.substr(prefix, header_size), where).read();
  const std::span<const std::byte> data = bytes.subspan(prefix + header_size);
  Index size = 0;
  try {
    size = checked_size(header.shape, size_of(header.dtype)) * size_of(header.dtype);
  } catch (const ShapeError&) {
    fail("the shape has more bytes than this machine can address");
  }
  if (static_cast<std::size_t>(size) != data.size())
    fail("the shape " + to_string(header.shape) + " has " + std::to_string(size) + " bytes in " +
         to_string(header.dtype) + ", but the file has " + std::to_string(data.size()));
  return {std::move(header), data};
}

/// The start of a .npy file of version 1.0, as numpy.save writes it: with spaces after which the
/// first extent could grow to 21 digits, and more so that the data begin at a multiple of 64.
inline std::string npy_start(std::string_view type, std::span<const Index> shape) {
  std::string extents = to_string(shape);
  if (shape.size() == 1) extents.insert(extents.size() - 1, ",");
  std::string header =
      "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': " + extents + ", }";
  header.append(21 - std::to_string(shape.front()).size(), ' ');
  header.resize((header.size() + 11) / 64 * 64 + 53, ' ');
  header += '\n';
  return std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size() & 0xFF) +
         static_cast<char>(header.size() >> 8) + header;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

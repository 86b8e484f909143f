#pragma once

#include <algorithm>
#include <attn/core/shape.hpp>
#include <attn/io/names.hpp>
#include <attn/io/safetensors_dtypes.hpp>
#include <map>
#include <nlohmann/json.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// What the header of a safetensors file says of a tensor; its bytes are [begin, end) of what
/// follows the header. The dtype is as the file spells it, which may be one that cannot be read.
struct SafeTensorsEntry {
  std::string dtype;
  std::vector<Index> shape;
  Index begin, end;
};

struct SafeTensorsHeader {
  static constexpr std::size_t max_size = 100'000'000;
  std::map<std::string, std::string> metadata;
  std::map<std::string, SafeTensorsEntry> entries;
};

/// Reads the JSON of a header from the parser's events, so that nothing is kept but what the format
/// allows, and nothing nests deeper.
/// Errors: FileError, a sentence that begins with `where`.
class SafeTensorsHeaderReader {
 public:
  explicit SafeTensorsHeaderReader(std::string where) : where_(std::move(where)) {}

  SafeTensorsHeader read(std::string_view text) {
    if (text.empty() || text.front() != '{') fail("the header must begin with {");
    // The parser would take a zero byte for the end of the text.
    if (const auto at = text.find('\0'); at != text.npos) fail_at_byte(at + 1);
    nlohmann::json::sax_parse(text.begin(), text.end(), this);
    return std::move(header_);
  }

  // The parser's events, by the names that nlohmann/json gives them.
  bool start_object(std::size_t) {
    if (at_ == At::nothing) {
      at_ = At::file;
      return true;
    }
    if (at_ != At::file) fail_at_value("an object");
    draft_ = {};
    at_ = name_ == metadata ? At::metadata : At::entry;
    return true;
  }
  bool key(std::string& key) {
    if (at_ == At::file) start_entry(std::move(key));
    else start_member(std::move(key));
    return true;
  }
  bool end_object() {
    if (at_ == At::entry) header_.entries.emplace(name_, finish());
    at_ = At::file;
    return true;
  }
  bool start_array(std::size_t) {
    if (at_ == At::entry && key_ == "shape") {
      at_ = At::shape;
      draft_.shape.emplace();
    } else if (at_ == At::entry && key_ == "data_offsets") {
      at_ = At::offsets;
      draft_.offsets.emplace();
    } else {
      fail_at_value("an array");
    }
    return true;
  }
  bool end_array() {
    if (at_ == At::offsets && draft_.offsets->size() < 2) fail_at_value("fewer");
    at_ = At::entry;
    return true;
  }
  bool string(std::string& text) {
    if (at_ == At::metadata) {
      header_.metadata.emplace(key_, std::move(text));
      return true;
    }
    if (at_ != At::entry || key_ != "dtype") fail_at_value("a string");
    if (!is_dtype_name(text))
      fail("the dtype of " + in_quotes(name_) +
           " must be a name in capital letters, digits and _, such as F32, not " + in_quotes(text));
    draft_.dtype = std::move(text);
    return true;
  }
  bool number_unsigned(std::uint64_t value) {
    if (at_ == At::offsets && draft_.offsets->size() == 2) fail_at_value("more");
    if ((at_ != At::shape && at_ != At::offsets) || !std::in_range<std::int64_t>(value))
      fail_at_value(std::to_string(value));
    if (!std::in_range<Index>(value)) fail_at_size(at_ == At::shape ? "shape" : "data_offsets");
    (at_ == At::shape ? draft_.shape : draft_.offsets)->push_back(static_cast<Index>(value));
    return true;
  }
  bool number_integer(std::int64_t value) {
    fail_at_value(value == 0 ? "-0" : std::to_string(value));
  }
  bool number_float(double, const std::string& text) { fail_at_value(text.substr(0, 30)); }
  bool boolean(bool value) { fail_at_value(value ? "true" : "false"); }
  bool null() { fail_at_value("null"); }
  bool binary(nlohmann::json::binary_t&) { fail_at_value("binary data"); }
  template <class Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception&) {
    fail_at_byte(position);
  }

 private:
  enum class At { nothing, file, metadata, entry, shape, offsets };
  struct Draft {
    std::optional<std::string> dtype;
    std::optional<std::vector<Index>> shape, offsets;

    bool has(std::string_view key) const {
      if (key == "dtype") return dtype.has_value();
      return key == "shape" ? shape.has_value() : offsets.has_value();
    }
  };
  static constexpr std::string_view metadata = "__metadata__";

  [[noreturn]] void fail(const std::string& what) const { throw FileError(where_ + ": " + what); }
  [[noreturn]] void fail_at_byte(std::size_t position) const {
    fail("the header must be JSON in UTF-8, which it is not at its byte " +
         std::to_string(position));
  }
  [[noreturn]] void fail_at_size(const std::string& key) const {
    fail("the " + key + " of " + in_quotes(name_) +
         " has more bytes than this machine can address");
  }
  /// Refuses a value where the format has another.
  [[noreturn]] void fail_at_value(const std::string& value) const {
    fail(expectation() + ", not " + value);
  }
  /// What the format has at the reader's place.
  std::string expectation() const {
    const std::string entry = in_quotes(name_);
    const bool in_entry = at_ == At::entry;
    if (at_ == At::metadata || (at_ == At::file && name_ == metadata))
      return "entry \"__metadata__\" must be an object of strings";
    if (at_ == At::shape || (in_entry && key_ == "shape"))
      return "the shape of " + entry + " must be an array of non-negative integers";
    if (at_ == At::offsets || (in_entry && key_ == "data_offsets"))
      return "the data_offsets of " + entry + " must be an array of two non-negative integers";
    if (in_entry) return "the dtype of " + entry + " must be a string";
    return "entry " + entry + " must be an object of dtype, shape and data_offsets";
  }

  void start_entry(std::string name) {
    const bool is_twice =
        name == metadata ? std::exchange(has_metadata_, true) : header_.entries.contains(name);
    if (is_twice) fail("the header has two entries " + in_quotes(name));
    name_ = std::move(name);
  }
  void start_member(std::string key) {
    if (at_ == At::entry && key != "dtype" && key != "shape" && key != "data_offsets")
      fail("entry " + in_quotes(name_) + " has a key " + in_quotes(key) +
           ", but must have exactly dtype, shape and data_offsets");
    if (at_ == At::entry ? draft_.has(key) : header_.metadata.contains(key))
      fail("entry " + in_quotes(name_) + " has two keys " + in_quotes(key));
    key_ = std::move(key);
  }

  SafeTensorsEntry finish() {
    for (const char* key : {"dtype", "shape", "data_offsets"})
      if (!draft_.has(key)) fail("entry " + in_quotes(name_) + " has no " + key);
    SafeTensorsEntry entry{*std::move(draft_.dtype), *std::move(draft_.shape),
                           draft_.offsets->front(), draft_.offsets->back()};
    check_size(entry);
    return entry;
  }
  /// The bytes must be those of the shape; of a dtype without a known size, the number of elements
  /// must fit an Index.
  void check_size(const SafeTensorsEntry& entry) const {
    const std::string offsets =
        "data_offsets [" + std::to_string(entry.begin) + ", " + std::to_string(entry.end) + "]";
    if (entry.begin > entry.end)
      fail("the " + offsets + " of " + in_quotes(name_) + " must not end before they begin");
    const std::optional<Index> bits = bits_of(entry.dtype);
    const Index count = checked_count(entry.shape, (bits.value_or(1) + 7) / 8);
    if (!bits) return;
    if (count % 8 * *bits % 8 != 0)
      fail("the shape of " + in_quotes(name_) + " must fill whole bytes in " + entry.dtype +
           ", which has " + std::to_string(*bits) + " bits");
    const Index size = count / 8 * *bits + count % 8 * *bits / 8;
    if (entry.end - entry.begin != size)
      fail("the " + offsets + " of " + in_quotes(name_) + " must hold the " + std::to_string(size) +
           " bytes of its shape in " + entry.dtype);
  }
  Index checked_count(const std::vector<Index>& shape, Index element_size) const {
    try {
      return checked_size(shape, element_size);
    } catch (const ShapeError&) {
      fail_at_size("shape");
    }
  }

  std::string where_, name_, key_;
  At at_ = At::nothing;
  bool has_metadata_ = false;
  Draft draft_;
  SafeTensorsHeader header_;
};

/// Checks that the entries lie one after the other, without holes or overlaps, from the data's
/// first byte to its last.
inline void check_offsets(const SafeTensorsHeader& header, std::size_t data_size,
                          const std::string& where) {
  using Named = const std::pair<const std::string, SafeTensorsEntry>*;
  std::vector<Named> order;
  for (const auto& named : header.entries) order.push_back(&named);
  const auto extent = [](Named named) { return std::pair(named->second.begin, named->second.end); };
  std::sort(order.begin(), order.end(), [&](Named a, Named b) { return extent(a) < extent(b); });
  Index end = 0;
  for (const Named named : order) {
    if (named->second.begin != end)
      throw FileError(where + ": the data of " + in_quotes(named->first) + " must begin at " +
                      std::to_string(end) + ", where the data before it ends, not at " +
                      std::to_string(named->second.begin));
    end = named->second.end;
  }
  if (static_cast<std::size_t>(end) != data_size)
    throw FileError(where + ": the entries have " + std::to_string(end) +
                    " bytes of data, but the file has " + std::to_string(data_size));
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

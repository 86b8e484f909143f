#pragma once

#include <algorithm>
#include <attn/core/shape.hpp>
#include <attn/io/dtype.hpp>
#include <attn/io/names.hpp>
#include <map>
#include <nlohmann/json.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// What the header of a safetensors file says of a tensor; its bytes are [begin, end) of what
/// follows the header.
struct SafeTensorsEntry {
  Dtype dtype;
  std::vector<Index> shape;
  Index begin, end;
};

struct SafeTensorsHeader {
  static constexpr std::size_t longest = 100'000'000;
  std::map<std::string, std::string> metadata;
  std::map<std::string, SafeTensorsEntry> entries;
};

/// Reads the JSON of a header as its events come, so that nothing is kept but what the format
/// allows, and nothing nests deeper.
/// Errors: FileError, a sentence that begins with `where`.
class SafeTensorsHeaderReader {
 public:
  explicit SafeTensorsHeaderReader(std::string where) : where_(std::move(where)) {}

  SafeTensorsHeader read(std::string_view text) {
    if (text.empty() || text.front() != '{') fail("the header must begin with {");
    if (const auto at = text.find('\0'); at != text.npos)
      no_json(at + 1);  // the parser would take it for the end
    nlohmann::json::sax_parse(text.begin(), text.end(), this);
    return std::move(header_);
  }

  // The events.
  bool start_object(std::size_t) {
    if (at_ == At::nothing) return at_ = At::file, true;
    if (at_ != At::file) unfit("an object");
    draft_ = {};
    at_ = name_ == metadata ? At::metadata : At::entry;
    return true;
  }
  bool key(std::string& key) {
    if (at_ == At::file) {
      if (key == metadata ? std::exchange(has_metadata_, true) : header_.entries.contains(key))
        fail("the header has two entries " + in_quotes(key));
      name_ = std::move(key);
    } else {
      if (at_ == At::entry && key != "dtype" && key != "shape" && key != "data_offsets")
        fail("entry " + in_quotes(name_) + " has a key " + in_quotes(key) +
             ", but must have exactly dtype, shape and data_offsets");
      if (at_ == At::entry ? draft_.has(key) : header_.metadata.contains(key))
        fail("entry " + in_quotes(name_) + " has two keys " + in_quotes(key));
      key_ = std::move(key);
    }
    return true;
  }
  bool end_object() {
    if (at_ == At::entry) header_.entries.emplace(name_, finish());
    at_ = At::file;
    return true;
  }
  bool start_array(std::size_t) {
    if (at_ == At::entry && key_ == "shape") return at_ = At::shape, draft_.shape.emplace(), true;
    if (at_ == At::entry && key_ == "data_offsets")
      return at_ = At::offsets, draft_.offsets.emplace(), true;
    unfit("an array");
  }
  bool end_array() {
    if (at_ == At::offsets && draft_.offsets->size() < 2) unfit("fewer");
    at_ = At::entry;
    return true;
  }
  bool string(std::string& text) {
    if (at_ == At::metadata) return header_.metadata.emplace(key_, std::move(text)), true;
    if (at_ != At::entry || key_ != "dtype") unfit("a string");
    draft_.dtype = dtype_named(text);
    if (draft_.dtype) return true;
    std::string known;
    for (const std::string_view name : dtype_names)
      known += (known.empty() ? "" : ", ") + std::string(name);
    fail("the dtype of " + in_quotes(name_) + ", " + in_quotes(text) +
         ", is not supported; these are: " + known);
  }
  bool number_unsigned(std::uint64_t value) {
    if (at_ == At::offsets && draft_.offsets->size() == 2) unfit("more");
    if ((at_ != At::shape && at_ != At::offsets) || !std::in_range<Index>(value))
      unfit(std::to_string(value));
    (at_ == At::shape ? draft_.shape : draft_.offsets)->push_back(static_cast<Index>(value));
    return true;
  }
  bool number_integer(std::int64_t value) { unfit(value == 0 ? "-0" : std::to_string(value)); }
  bool number_float(double, const std::string& text) { unfit(text.substr(0, 30)); }
  bool boolean(bool value) { unfit(value ? "true" : "false"); }
  bool null() { unfit("null"); }
  bool binary(nlohmann::json::binary_t&) { unfit("binary data"); }  // of other formats than JSON
  template <class Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception&) {
    no_json(position);
  }

 private:
  enum class At { nothing, file, metadata, entry, shape, offsets };
  struct Draft {
    std::optional<Dtype> dtype;
    std::optional<std::vector<Index>> shape, offsets;

    bool has(std::string_view key) const {
      return key == "dtype"   ? dtype.has_value()
             : key == "shape" ? shape.has_value()
                              : offsets.has_value();
    }
  };
  static constexpr std::string_view metadata = "__metadata__";

  [[noreturn]] void fail(const std::string& what) const { throw FileError(where_ + ": " + what); }
  [[noreturn]] void no_json(std::size_t position) const {
    fail("the header must be JSON in UTF-8, which it is not at its byte " +
         std::to_string(position));
  }
  /// A value stands where the format has another.
  [[noreturn]] void unfit(const std::string& what) const {
    const bool in_entry = at_ == At::entry,
               of_shape = at_ == At::shape || (in_entry && key_ == "shape");
    const bool of_offsets = at_ == At::offsets || (in_entry && key_ == "data_offsets");
    std::string rule =
        "entry " + in_quotes(name_) + " must be an object of dtype, shape and data_offsets";
    if (at_ == At::metadata || (at_ == At::file && name_ == metadata))
      rule = "entry \"__metadata__\" must be an object of strings";
    else if (of_shape)
      rule = "the shape of " + in_quotes(name_) + " must be an array of non-negative integers";
    else if (of_offsets)
      rule = "the data_offsets of " + in_quotes(name_) +
             " must be an array of two non-negative integers";
    else if (in_entry) rule = "the dtype of " + in_quotes(name_) + " must be a string";
    fail(rule + ", not " + what);
  }

  SafeTensorsEntry finish() {
    for (const char* key : {"dtype", "shape", "data_offsets"})
      if (!draft_.has(key)) fail("entry " + in_quotes(name_) + " has no " + key);
    SafeTensorsEntry entry{*draft_.dtype, *std::move(draft_.shape), draft_.offsets->front(),
                           draft_.offsets->back()};
    const std::string offsets =
        "data_offsets [" + std::to_string(entry.begin) + ", " + std::to_string(entry.end) + "]";
    if (entry.begin > entry.end)
      fail("the " + offsets + " of " + in_quotes(name_) + " must not end before they begin");
    Index size = 0;
    try {
      size = checked_size(entry.shape, size_of(entry.dtype)) * size_of(entry.dtype);
    } catch (const ShapeError&) {
      fail("the shape of " + in_quotes(name_) + " has more bytes than 64 bits can address");
    }
    if (entry.end - entry.begin != size)
      fail("the " + offsets + " of " + in_quotes(name_) + " must hold the " + std::to_string(size) +
           " bytes of its shape in " + to_string(entry.dtype));
    return entry;
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

/// The header's text, as the reference implementation writes it: entries in the order of their
/// data, and spaces at the end so that the data, after 8 bytes of length, begin at a multiple of 8.
/// Errors: FileError if a text is not UTF-8 or the whole too long.
inline std::string safetensors_header_text(
    const std::map<std::string, std::string>& metadata,
    const std::vector<std::pair<std::string, SafeTensorsEntry>>& entries,
    const std::string& where) {
  const auto json = [&](std::string text) {
    try {
      return nlohmann::json(text).dump();
    } catch (const nlohmann::json::exception&) {
      std::replace_if(
          text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; },
          '?');
      throw FileError(where + ": names and metadata must be UTF-8, which " + in_quotes(text) +
                      " is not");
    }
  };
  std::string text = "{";
  for (const auto& [key, value] : metadata)
    text += (text.size() == 1 ? "\"__metadata__\":{" : ",") + json(key) + ":" + json(value);
  if (!metadata.empty()) text += "}";
  for (const auto& [name, entry] : entries) {
    text += (text.size() == 1 ? "" : ",") + json(name) + ":{\"dtype\":\"" + to_string(entry.dtype) +
            "\",\"shape\":[";
    for (std::size_t i = 0; i < entry.shape.size(); ++i)
      text.append(i == 0 ? "" : ",").append(std::to_string(entry.shape[i]));
    text += "],\"data_offsets\":[" + std::to_string(entry.begin) + "," + std::to_string(entry.end) +
            "]}";
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > SafeTensorsHeader::longest)
    throw FileError(where + ": the header has " + std::to_string(text.size()) +
                    " bytes and must have at most " + std::to_string(SafeTensorsHeader::longest));
  return text;
}

}  // namespace ATTN_ABI
}  // namespace attn

#pragma once

#include <attn/core/config.hpp>
#include <attn/core/error.hpp>
#include <attn/files/mapped_file.hpp>
#include <attn/io/names.hpp>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Parses a file's text, and refuses what a JSON parser may pass: a key twice, and values that nest
/// deeper than anything here needs.
/// Errors: FileError, a sentence that begins with `where`.
inline nlohmann::json parse_json(std::string_view text, const std::string& where) {
  constexpr int deepest = 40;
  std::vector<std::unordered_set<std::string>> keys;
  using Event = nlohmann::json::parse_event_t;
  const auto check = [&](int depth, Event event, nlohmann::json& parsed) {
    if (depth > deepest) throw FileError(where + " nests deeper than 40 levels");
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(parsed.get_ref<const std::string&>()).second)
      throw FileError(where + " has the key " + in_quotes(parsed.get_ref<const std::string&>()) +
                      " twice in one object");
    return true;
  };
  const auto at_byte = [&](std::size_t position) {
    return FileError(where + " must be JSON in UTF-8, which it is not at its byte " +
                     std::to_string(position));
  };
  // The parser would take a zero byte for the end of the text.
  if (const auto at = text.find('\0'); at != text.npos) throw at_byte(at + 1);
  try {
    return nlohmann::json::parse(text.begin(), text.end(), check);
  } catch (const nlohmann::json::parse_error& error) {
    throw at_byte(error.byte);
  } catch (const nlohmann::json::exception&) {  // a number that no type holds
    throw FileError(where + " has a number that is too large");
  }
}

/// Parses a file. Errors: FileError, a sentence that begins with the function and the path.
inline nlohmann::json read_json(const std::filesystem::path& path, const std::string& function) {
  const MappedFile file(path, function);
  return parse_json(text_of(file.bytes()), function + ": \"" + path.string() + "\"");
}

/// A value of a JSON file together with its place, which an error names: model.merges[3].
class JsonNode {
 public:
  /// `where` begins each error, and must outlive the node.
  JsonNode(const nlohmann::json& value, std::string place, const std::string& where)
      : value_(&value), place_(std::move(place)), where_(&where) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw FileError(*where_ + ": " + (place_.empty() ? "the file" : place_) + " " + what);
  }

  /// A member that must be there.
  JsonNode operator[](const std::string& key) const {
    expect_object();
    const auto member = value_->find(key);
    if (member == value_->end()) fail("has no key " + in_quotes(key));
    return {*member, place_of(key), *where_};
  }
  /// A member, unless it is not there or null.
  std::optional<JsonNode> find(const std::string& key) const {
    expect_object();
    const auto member = value_->find(key);
    if (member == value_->end() || member->is_null()) return std::nullopt;
    return JsonNode(*member, place_of(key), *where_);
  }
  bool flag(const std::string& key, bool otherwise) const {
    const auto member = find(key);
    return member ? member->flag() : otherwise;
  }
  Index index(const std::string& key, Index otherwise) const {
    const auto member = find(key);
    return member ? member->index() : otherwise;
  }
  double number(const std::string& key, double otherwise) const {
    const auto member = find(key);
    return member ? member->number() : otherwise;
  }

  const std::string& text() const {
    if (!value_->is_string()) fail_at_value("a string");
    return value_->get_ref<const std::string&>();
  }
  bool flag() const {
    if (!value_->is_boolean()) fail_at_value("true or false");
    return value_->get<bool>();
  }
  Index index() const {
    if (!value_->is_number_unsigned() || !std::in_range<Index>(value_->get<std::uint64_t>()))
      fail_at_value("a non-negative integer");
    return static_cast<Index>(value_->get<std::uint64_t>());
  }
  double number() const {
    if (!value_->is_number()) fail_at_value("a number");
    return value_->get<double>();
  }
  bool is_text() const { return value_->is_string(); }
  bool is_object() const { return value_->is_object(); }
  bool is_null() const { return value_->is_null(); }

  std::vector<JsonNode> elements() const {
    if (!value_->is_array()) fail_at_value("an array");
    std::vector<JsonNode> nodes;
    for (std::size_t i = 0; i < value_->size(); ++i)
      nodes.emplace_back((*value_)[i], place_ + "[" + std::to_string(i) + "]", *where_);
    return nodes;
  }
  std::vector<std::pair<std::string, JsonNode>> members() const {
    expect_object();
    std::vector<std::pair<std::string, JsonNode>> nodes;
    for (const auto& [key, value] : value_->items())
      nodes.emplace_back(key, JsonNode(value, place_ + "[" + in_quotes(key) + "]", *where_));
    return nodes;
  }

  /// Refuses a member that is none of these: it would be ignored otherwise.
  void expect_keys(std::initializer_list<std::string_view> known) const {
    expect_object();
    for (const auto& member : value_->items())
      if (std::find(known.begin(), known.end(), member.key()) == known.end())
        fail("has a key " + in_quotes(member.key()) + ", which is not supported");
  }
  /// Refuses a value of the file, in words and as it is.
  [[noreturn]] void fail_at_value(const std::string& expected) const {
    std::string shown = value_->dump();
    if (value_->is_string()) shown = in_quotes(value_->get_ref<const std::string&>());
    if (value_->is_object()) shown = "an object";
    if (value_->is_array()) shown = "an array";
    fail("must be " + expected + ", not " + shown);
  }

 private:
  void expect_object() const {
    if (!value_->is_object()) fail_at_value("an object");
  }
  std::string place_of(const std::string& key) const {
    return place_.empty() ? key : place_ + "." + key;
  }

  const nlohmann::json* value_;
  std::string place_;
  const std::string* where_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

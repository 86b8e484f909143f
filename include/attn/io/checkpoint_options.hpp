#pragma once

#include <attn/core/error.hpp>
#include <attn/io/names.hpp>
#include <attn/train/parameter_group.hpp>
#include <nlohmann/json.hpp>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The groups as the JSON text that a checkpoint's metadata hold:
/// `[{"options":{"decay":0.999},"parameters":["weight","bias"]}]`. Every value is read back
/// exactly.
inline std::string to_json_text(const std::vector<ParameterGroup>& groups) {
  auto list = nlohmann::json::array();
  for (const ParameterGroup& group : groups) {
    auto options = nlohmann::json::object();
    for (const auto& [name, value] : group.options)
      std::visit([&, &key = name](auto v) { options[key] = v; }, value);
    list.push_back({{"parameters", group.parameters}, {"options", std::move(options)}});
  }
  // A name that is not UTF-8 is refused where its tensor is saved.
  return list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// The group that an object of the list above describes, or nothing where it describes none.
inline std::optional<ParameterGroup> group_from_json(const nlohmann::json& object) {
  const auto member = [&](const char* name) {
    return object.is_object() && object.contains(name) ? object[name] : nlohmann::json();
  };
  const nlohmann::json parameters = member("parameters"), options = member("options");
  if (!parameters.is_array() || !options.is_object()) return std::nullopt;
  ParameterGroup group;
  for (const auto& name : parameters) {
    if (!name.is_string()) return std::nullopt;
    group.parameters.push_back(name.get<std::string>());
  }
  for (const auto& [name, value] : options.items()) {
    if (value.is_boolean()) group.options[name] = value.template get<bool>();
    else if (value.is_number()) group.options[name] = value.template get<double>();
    else return std::nullopt;
  }
  return group;
}

/// The groups of such a text. Errors: FileError, a sentence that begins with `where`.
inline std::vector<ParameterGroup> groups_from_json_text(const std::string& text,
                                                         const std::string& where) {
  std::vector<ParameterGroup> groups;
  const nlohmann::json list = nlohmann::json::parse(text, nullptr, false);
  bool is_good = list.is_array();
  for (std::size_t i = 0; is_good && i < list.size(); ++i) {
    const std::optional<ParameterGroup> group = group_from_json(list[i]);
    is_good = group.has_value();
    if (is_good) groups.push_back(*group);
  }
  if (!is_good)
    throw FileError(where + " must be a JSON array of groups of parameters and options, not " +
                    in_quotes(text));
  return groups;
}

/// "beta1 = 0.8 instead of 0.9 and eps = 1e-06 instead of 1e-08" for every option that differs.
inline std::string option_differences(const std::map<std::string, OptionValue>& own,
                                      const std::map<std::string, OptionValue>& stored) {
  std::map<std::string, std::pair<std::string, std::string>> values;  // own and stored
  const auto text_of = [](const OptionValue& value) {
    return std::visit([](auto v) { return nlohmann::json(v).dump(); }, value);
  };
  for (const auto& [name, value] : own) values[name].first = text_of(value);
  for (const auto& [name, value] : stored) values[name].second = text_of(value);
  std::string text;
  for (const auto& [name, both] : values) {
    const auto& [now, before] = both;
    if (now == before) continue;
    text += (text.empty() ? "" : " and ") + name + " = " + (now.empty() ? "nothing" : now) +
            " instead of " + (before.empty() ? "nothing" : before);
  }
  return text;
}

/// "weight, bias, norm.weight and 9 more".
inline std::string list_of_names(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), shown); ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > shown) text += " and " + std::to_string(names.size() - shown) + " more";
  return text;
}

/// "beta1 = 0.8 instead of 0.9 in group 0 (weight, bias), …" for the parameters that own and stored
/// groups share; empty where each has the same options in both. How the parameters are divided into
/// groups makes no difference by itself.
inline std::string group_differences(const std::vector<ParameterGroup>& own,
                                     const std::vector<ParameterGroup>& stored) {
  std::map<std::string, std::size_t> stored_group_of;
  for (std::size_t k = 0; k < stored.size(); ++k)
    for (const std::string& name : stored[k].parameters) stored_group_of[name] = k;
  std::string text;
  for (std::size_t g = 0; g < own.size(); ++g) {
    std::map<std::size_t, std::vector<std::string>> names;  // by their group in the file
    for (const std::string& name : own[g].parameters)
      if (const auto at = stored_group_of.find(name); at != stored_group_of.end())
        names[at->second].push_back(name);
    for (const auto& [k, shared] : names) {
      const std::string differences = option_differences(own[g].options, stored[k].options);
      if (differences.empty()) continue;
      text += (text.empty() ? "" : ", ") + differences + " in group " + std::to_string(g) + " (" +
              list_of_names(shared) + ")";
    }
  }
  return text;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

#pragma once

#include <algorithm>
#include <attn/files/utf8.hpp>
#include <optional>

#include "date_letters.hpp"
#include "dates.hpp"

// Reads a date by rules, without a model: to refuse a text that is not a date, and to know what a
// model should write.

/// The parts of a text between spaces, joined by single spaces.
inline std::string tidied(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    const bool is_space = letter == ' ' || (letter >= '\t' && letter <= '\r');
    if (!is_space) result += letter;
    else if (!result.empty() && result.back() != ' ') result += ' ';
  }
  if (result.ends_with(' ')) result.pop_back();
  return result;
}

/// The runs of letters of a text, in lower case, and its runs of digits.
inline std::vector<std::string> runs_of(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), date_letters::folded);
  const auto kind = [](char c) { return c >= '0' && c <= '9' ? 1 : c >= 'a' && c <= 'z' ? 2 : 0; };
  std::vector<std::string> runs;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kind(text[i]) == 0) continue;
    if (i == 0 || kind(text[i]) != kind(text[i - 1])) runs.emplace_back();
    runs.back() += text[i];
  }
  return runs;
}

/// The index of the name that a word is, or abbreviates to its first three letters or more.
template <std::size_t N>
std::optional<std::size_t> name_meant(std::string_view word,
                                      const std::array<std::string_view, N>& names) {
  if (word.size() < 3) return std::nullopt;
  const auto begins = [&](std::string_view name) {
    return runs_of(std::string(name)).front().starts_with(word);
  };
  const auto at = std::find_if(names.begin(), names.end(), begins);
  return at == names.end() ? std::nullopt
                           : std::optional(static_cast<std::size_t>(at - names.begin()));
}

/// The date that a text states, with its parts in any order. Of two numbers the first is the day,
/// unless the year precedes them.
/// Errors: std::invalid_argument, one sentence, if the text is not a date from 1900 to 2099, has
/// another weekday than that date, or has a letter that no date has.
inline Date read_date(const std::string& given) {
  const std::string text = tidied(given), shown = attn::in_quotes(given);
  if (!attn::is_utf8(given))
    throw std::invalid_argument("the date has bytes that are not UTF-8; it must be text in UTF-8");
  date_letters::encode(text);
  const std::invalid_argument no_date("the date " + shown +
                                      " must be one from 1900 to 2099, such as \"12 June 2017\", "
                                      "\"Mon, June 12th, 2017\" or \"12/6/2017\"");

  std::optional<std::size_t> month, weekday;
  std::vector<int> numbers;
  std::size_t years = 0, year_at = 0;
  const auto once = [&](auto& part, const auto& found) {
    if (part) throw no_date;
    part = found;
  };
  for (const std::string& run : runs_of(text)) {
    if (run[0] <= '9') {
      if (run.size() == 3 || run.size() > 4) throw no_date;
      if (run.size() == 4) {
        ++years;
        year_at = numbers.size();
      }
      numbers.push_back(std::stoi(run));
    } else if (const auto found = name_meant(run, month_names)) {
      once(month, found);
    } else if (const auto day = name_meant(run, weekday_names)) {
      once(weekday, day);
    } else if (run != "the" && run != "of" && run != "on" &&
               (numbers.empty() ||
                ordinal(numbers.back()) != std::to_string(numbers.back()) + run)) {
      throw no_date;
    }
  }
  if (years != 1 || numbers.size() != (month ? 2 : 3) || (!month && year_at == 1)) throw no_date;
  const int year = numbers[year_at];
  numbers.erase(numbers.begin() + static_cast<std::ptrdiff_t>(year_at));
  if (!month && year_at == 0) std::swap(numbers[0], numbers[1]);
  const auto day = static_cast<unsigned>(numbers[0]);
  const auto month_number =
      static_cast<unsigned>(month ? static_cast<int>(*month) + 1 : numbers[1]);
  const Date date{std::chrono::year{year}, std::chrono::month{month_number}, std::chrono::day{day}};
  if (year < 1900 || year > 2099) throw no_date;
  if (!date.ok())
    throw std::invalid_argument("the date " + shown +
                                " does not exist; it must be one of the calendar's");
  if (weekday && weekday_names[*weekday] != weekday_name(date))
    throw std::invalid_argument("the date " + shown + " must have its own weekday, " +
                                std::string(weekday_name(date)));
  return date;
}

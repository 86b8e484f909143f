#pragma once

#include <array>
#include <attn/core/random.hpp>
#include <cctype>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// A date of the calendar.
using Date = std::chrono::year_month_day;

/// The dates from 1 January 1900 to 31 December 2099 are numbered from 0 to number_of_dates − 1.
inline constexpr std::chrono::sys_days first_date =
    std::chrono::sys_days{std::chrono::year{1900} / 1 / 1};
inline constexpr attn::Index number_of_dates =
    (std::chrono::sys_days{std::chrono::year{2100} / 1 / 1} - first_date).count();

inline Date date_of(attn::Index number) {
  return Date{first_date + std::chrono::days{static_cast<int>(number)}};
}
inline attn::Index number_of(Date date) {
  return (std::chrono::sys_days{date} - first_date).count();
}

inline constexpr std::array<std::string_view, 12> month_names{
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
inline constexpr std::array<std::string_view, 7> weekday_names{
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

inline int day_of(Date date) { return static_cast<int>(static_cast<unsigned>(date.day())); }
inline int month_of(Date date) { return static_cast<int>(static_cast<unsigned>(date.month())); }
inline std::string_view month_name(Date date) {
  return month_names.at(static_cast<std::size_t>(month_of(date) - 1));
}
inline std::string_view weekday_name(Date date) {
  return weekday_names.at(std::chrono::weekday{std::chrono::sys_days{date}}.c_encoding());
}

inline std::string two_digits(int number) {
  std::string text = std::to_string(number);
  if (text.size() == 1) text.insert(text.begin(), '0');
  return text;
}
/// 1st, 2nd, 3rd, 4th, …, 11th, 12th, 13th, …, 21st.
inline std::string ordinal(int number) {
  const int last = number % 10;
  const bool is_teen = number / 10 % 10 == 1;
  return std::to_string(number) + (last == 1 && !is_teen   ? "st"
                                   : last == 2 && !is_teen ? "nd"
                                   : last == 3 && !is_teen ? "rd"
                                                           : "th");
}

/// The date in the form of ISO 8601, such as "1998-03-05".
inline std::string iso(Date date) {
  return std::to_string(static_cast<int>(date.year())) + '-' + two_digits(month_of(date)) + '-' +
         two_digits(day_of(date));
}

/// Ways to write a date. %Y is 1998; %B March, %b Mar, %m 3, %M 03; %d 5, %D 05, %o 5th; %A
/// Thursday, %a Thu. Of two numbers the first is the day, unless the year precedes them, and a year
/// has four digits. So no two dates have a form in common.
inline constexpr std::string_view date_formats[] = {
    // numbers
    "%Y-%M-%D", "%Y/%M/%D", "%Y.%M.%D", "%d/%m/%Y", "%D/%M/%Y", "%d.%m.%Y", "%D.%M.%Y", "%d-%m-%Y",
    "%D-%M-%Y", "%d. %m. %Y", "%d %m %Y",
    // the day first
    "%d %B %Y", "%D %B %Y", "%o %B %Y", "%d %B, %Y", "%o %B, %Y", "%d. %B %Y", "%o of %B %Y",
    "the %o of %B, %Y", "the %o of %B %Y", "%d %b %Y", "%D %b %Y", "%d-%b-%Y", "%D-%b-%Y",
    "%o %b %Y", "%d. %b %Y",
    // the month first
    "%B %d, %Y", "%B %d %Y", "%B %o, %Y", "%B %o %Y", "%B the %o, %Y", "%B the %o %Y", "%b %d, %Y",
    "%b. %d, %Y", "%b %d %Y", "%b %o, %Y", "%b %o %Y",
    // the weekday, the year
    "%A, %d %B %Y", "%A %d %B %Y", "%A, %o %B %Y", "%A, %B %d, %Y", "%A, %B %o, %Y",
    "%A the %o of %B, %Y", "%a, %d %b %Y", "%a %d %b %Y", "%a %b %d %Y", "%a, %D %b %Y",
    "%a %d/%m/%Y", "%Y %B %d", "%Y %b %D"};

/// Further differences in how a date is written: all letters in lower or upper case, and the
/// abbreviation Sept for September.
enum class Letters { as_names, lower, upper };
struct Spelling {
  Letters letters = Letters::as_names;
  bool sept = false;
};

inline std::string written(Date date, std::string_view format, const Spelling& spelling = {}) {
  std::string text;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text += format[i];
      continue;
    }
    switch (format[++i]) {
      case 'Y': text += std::to_string(static_cast<int>(date.year())); break;
      case 'B': text += month_name(date); break;
      case 'b':
        text += month_name(date).substr(0, spelling.sept && month_of(date) == 9 ? 4 : 3);
        break;
      case 'm': text += std::to_string(month_of(date)); break;
      case 'M': text += two_digits(month_of(date)); break;
      case 'd': text += std::to_string(day_of(date)); break;
      case 'D': text += two_digits(day_of(date)); break;
      case 'o': text += ordinal(day_of(date)); break;
      case 'A': text += weekday_name(date); break;
      case 'a': text += weekday_name(date).substr(0, 3); break;
      default:
        throw std::invalid_argument("written: the format \"" + std::string(format) +
                                    "\" must have one of Y B b m M d D o A a after each %");
    }
  }
  for (char& letter : text) {
    if (spelling.letters == Letters::lower)
      letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    if (spelling.letters == Letters::upper)
      letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return text;
}

/// The date in a spelling that is drawn. Half of them have the case of the names.
inline std::string written(Date date, std::string_view format, attn::Random& random) {
  const attn::Index letters = random.index(4), sept = random.index(2);
  return written(date, format,
                 {letters == 0   ? Letters::lower
                  : letters == 1 ? Letters::upper
                                 : Letters::as_names,
                  sept == 1});
}
/// The date in a format and a spelling that are drawn.
inline std::string written(Date date, attn::Random& random) {
  const auto format = static_cast<std::size_t>(random.index(std::ssize(date_formats)));
  return written(date, date_formats[format], random);
}

/// The training dates, and 2,000 held-out dates that are not among them in any form. The split is
/// always the same.
struct DateSplit {
  std::vector<Date> training, held_out;

  explicit DateSplit(std::size_t held_out_count = 2000) {
    std::vector<attn::Index> numbers(static_cast<std::size_t>(number_of_dates));
    std::iota(numbers.begin(), numbers.end(), attn::Index{0});
    attn::Random random{2017};
    for (std::size_t i = 0; i < held_out_count; ++i) {
      const attn::Index others = number_of_dates - static_cast<attn::Index>(i);
      std::swap(numbers[i], numbers[i + static_cast<std::size_t>(random.index(others))]);
    }
    for (std::size_t i = 0; i < numbers.size(); ++i)
      (i < held_out_count ? held_out : training).push_back(date_of(numbers[i]));
  }
};

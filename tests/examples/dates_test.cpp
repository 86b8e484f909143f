#include "examples/dates.hpp"

#include <gmock/gmock.h>

#include <set>

#include "examples/date_letters.hpp"
#include "examples/read_date.hpp"
#include "support/expect_error.hpp"

using attn::Index;

namespace {

/// [Sakamoto 1993]: 0 is Sunday.
int plain_weekday(int year, int month, int day) {
  static constexpr int shift[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
  if (month < 3) --year;
  return (year + year / 4 - year / 100 + year / 400 + shift[month - 1] + day) % 7;
}

Date date(int year, unsigned month, unsigned day) {
  return {std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}};
}

std::string plain_iso(int year, int month, int day) {
  char text[16];
  std::snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, day);
  return text;
}

}  // namespace

TEST(Dates, AreThoseOfTheCalendarWithTheirWeekdays) {
  Index number = 0;
  for (int year = 1900; year < 2100; ++year)
    for (int month = 1; month <= 12; ++month) {
      const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
      const int days = month == 2                                              ? (leap ? 29 : 28)
                       : month == 4 || month == 6 || month == 9 || month == 11 ? 30
                                                                               : 31;
      for (int day = 1; day <= days; ++day, ++number) {
        const Date d = date_of(number);
        ASSERT_EQ(iso(d), plain_iso(year, month, day));
        ASSERT_EQ(number_of(d), number);
        ASSERT_EQ(weekday_name(d),
                  weekday_names[static_cast<std::size_t>(plain_weekday(year, month, day))])
            << iso(d);
      }
    }
  EXPECT_EQ(number, 73049);
  EXPECT_EQ(number, number_of_dates);
}

TEST(Dates, AreWrittenInManyFormats) {
  std::set<std::string> forms;
  for (const auto format : date_formats) forms.insert(written(date(1998, 3, 5), format));
  EXPECT_EQ(forms.size(), std::size(date_formats));
  EXPECT_GE(forms.size(), 25u);
  for (const char* form :
       {"1998-03-05", "Thursday, 5 March 1998", "Mar 5th 1998", "the 5th of March, 1998",
        "5/3/1998", "March the 5th, 1998", "05.03.1998", "Thu Mar 5 1998"})
    EXPECT_EQ(forms.count(form), 1u) << form;
  EXPECT_EQ(written(date(2031, 9, 22), "%b. %d", {Letters::upper, true}), "SEPT. 22");
  EXPECT_EQ(written(date(2031, 9, 22), "%a %b", {Letters::lower, false}), "mon sep");
  EXPECT_EQ(sentence_of<std::invalid_argument>([] { written(date(2031, 9, 22), "%d %x"); }),
            "written: the format \"%d %x\" must have one of Y B b m M d D o A a after each %");
}

TEST(Dates, HaveOrdinals) {
  const char* const expected[] = {"1st",  "2nd",  "3rd",  "4th",  "5th",  "6th",  "7th",  "8th",
                                  "9th",  "10th", "11th", "12th", "13th", "14th", "15th", "16th",
                                  "17th", "18th", "19th", "20th", "21st", "22nd", "23rd", "24th",
                                  "25th", "26th", "27th", "28th", "29th", "30th", "31st"};
  for (int day = 1; day <= 31; ++day) EXPECT_EQ(ordinal(day), expected[day - 1]);
}

TEST(Dates, HaveNoFormInCommon) {
  std::vector<std::pair<std::size_t, Index>> meant;  // a form's hash, and which date it is
  for (Index number = 0; number < number_of_dates; ++number)
    for (const auto format : date_formats)
      for (const bool sept : {false, true}) {
        if (sept && month_of(date_of(number)) != 9) continue;
        const std::string form = written(date_of(number), format, {Letters::lower, sept});
        meant.emplace_back(std::hash<std::string>{}(form), number);
        ASSERT_LE(form.size(), static_cast<std::size_t>(date_letters::longest)) << form;
        ASSERT_EQ(form.find_first_not_of(date_letters::letters), form.npos) << form;
      }
  std::sort(meant.begin(), meant.end());
  const auto alike = [](const auto& a, const auto& b) {
    return a.first == b.first && a.second != b.second;
  };
  const auto found = std::adjacent_find(meant.begin(), meant.end(), alike);
  if (found != meant.end())
    FAIL() << iso(date_of(found->second)) << " and " << iso(date_of(std::next(found)->second));
}

TEST(Dates, AreReadBackByRules) {
  attn::Random random{5};
  for (Index number = 0; number < number_of_dates; ++number) {
    const auto format = date_formats[static_cast<std::size_t>(number) % std::size(date_formats)];
    const std::string form = written(date_of(number), format, random);
    ASSERT_EQ(read_date(form), date_of(number)) << form;
  }
}

TEST(Dates, ThatAPersonWritesAreReadOrRefusedInOneSentence) {
  for (const char* text : {"12 June 2017", " 12  june\t2017 ", "12th of JUNE 2017",
                           "Monday, the 12th of June, 2017", "mon 12/06/2017", "2017/6/12",
                           "2017 June 12", "12.6.2017", "June 12 2017", "on June the 12th, 2017"})
    EXPECT_EQ(read_date(text), date(2017, 6, 12)) << text;
  const auto refusal = [](const std::string& text) {
    return sentence_of<std::invalid_argument>([&] { read_date(text); });
  };
  for (const std::string text :
       {"12 June", "12/6/17", "12 June 1899", "1/1/2100", "12st June 2017", "June July 2017",
        "12 June 2017 2018", "hello", "12/2017/6", "-", "00012 June 2017", "12 June 20170"})
    EXPECT_EQ(refusal(text), "the date \"" + text +
                                 "\" must be one from 1900 to 2099, such as \"12 June 2017\", "
                                 "\"Mon, June 12th, 2017\" or \"12/6/2017\"");
  for (const std::string text : {"31 February 2017", "29/2/1900", "12 13 2017", "0/6/2017"})
    EXPECT_EQ(refusal(text),
              "the date \"" + text + "\" does not exist; it must be one of the calendar's");
  EXPECT_EQ(refusal("Tuesday, 12 June 2017"),
            "the date \"Tuesday, 12 June 2017\" must have its own weekday, Monday");
  EXPECT_EQ(refusal("12 März 2017"),
            "the date \"12 März 2017\" has \"ä\"; it must be written in a to z, digits, spaces and "
            ", . / -");
  EXPECT_EQ(refusal(" \n"), "the date \"\" has 0 letters; it must have 1 to 40");
  EXPECT_EQ(refusal(std::string(41, '1')),
            "the date \"" + std::string(41, '1') + "\" has 41 letters; it must have 1 to 40");
  EXPECT_EQ(refusal("12 June\xff 2017"),
            "the date has bytes that are not UTF-8; it must be text in UTF-8");
}

TEST(Dates, HaveSingleSpacesOnceTidied) {
  EXPECT_EQ(tidied(" 12\t June\n 2017  "), "12 June 2017");
}

TEST(Dates, ThatAreHeldOutAreNotForTraining) {
  const DateSplit split;
  std::set<Index> held_out, training;
  for (const Date d : split.held_out) held_out.insert(number_of(d));
  for (const Date d : split.training) training.insert(number_of(d));
  EXPECT_EQ(held_out.size(), 2000u);
  EXPECT_EQ(training.size(), 71049u);
  for (const Index number : held_out) EXPECT_FALSE(training.contains(number));
  EXPECT_EQ(DateSplit().held_out, split.held_out);
}

TEST(DateLetters, AreEncodedAndDecoded) {
  const std::vector<Index> tokens = date_letters::encode("5 Mar");
  EXPECT_EQ(tokens.size(), 5u);
  EXPECT_EQ(date_letters::decode(tokens.data(), 5), "5 mar");
  for (const Index token : date_letters::encode(date_letters::letters.substr(0, 40)))
    EXPECT_TRUE(token >= 3 && token < date_letters::vocabulary);

  const date_letters::Texts texts({"5/3/1998", "the 5th"});
  EXPECT_EQ(texts.tokens.shape(), (attn::Shape<2>{2, 8}));
  EXPECT_EQ(texts.lengths, (std::vector<Index>{8, 7}));
  EXPECT_EQ(texts.tokens(1, 7), date_letters::pad);

  const date_letters::IsoTargets targets({"1998-03-05"});
  EXPECT_EQ(targets.in(0, 0), date_letters::start);
  EXPECT_EQ(targets.out(0, 10), date_letters::end);
  EXPECT_EQ(date_letters::decode(targets.out.data(), 11), "1998-03-05");
  for (Index i = 0; i < 10; ++i) EXPECT_EQ(targets.in(0, i + 1), targets.out(0, i));
}

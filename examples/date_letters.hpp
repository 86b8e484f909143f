#pragma once

#include <algorithm>
#include <attn/core/tensor.hpp>
#include <attn/files/utf8.hpp>
#include <attn/io/names.hpp>
#include <attn/rules/padding.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// Dates as tokens: 0 is padding, 1 the start, 2 the end, and the letters follow. Upper case is
/// read as lower case.
namespace date_letters {

using attn::Index;

inline constexpr Index pad = 0, start = 1, end = 2;
inline constexpr std::string_view letters = " ,./-0123456789abcdefghijklmnopqrstuvwxyz";
inline constexpr Index vocabulary = 3 + static_cast<Index>(letters.size());
inline constexpr Index longest = 40;     ///< letters of a date that is read
inline constexpr Index iso_length = 10;  ///< letters of a date that is written

inline char folded(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

/// The tokens of a text of 1 to 40 letters.
/// Errors: std::invalid_argument that names the letter or the length.
inline std::vector<Index> encode(std::string_view text) {
  std::vector<Index> tokens;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t at = letters.find(folded(text[i]));
    if (at == letters.npos)
      throw std::invalid_argument(
          "the date " + attn::in_quotes(text) + " has " +
          attn::in_quotes(attn::encode_utf8(attn::decode_utf8(text.substr(i)).substr(0, 1))) +
          "; it must be written in a to z, digits, spaces and , . / -");
    tokens.push_back(3 + static_cast<Index>(at));
  }
  if (tokens.empty() || tokens.size() > static_cast<std::size_t>(longest))
    throw std::invalid_argument("the date " + attn::in_quotes(text) + " has " +
                                std::to_string(tokens.size()) + " letters; it must have 1 to " +
                                std::to_string(longest));
  return tokens;
}

/// The letters of tokens, up to the end token.
inline std::string decode(const Index* tokens, Index count) {
  std::string text;
  for (Index i = 0; i < count && tokens[i] != end; ++i)
    text += tokens[i] < 3 ? '?' : letters.at(static_cast<std::size_t>(tokens[i] - 3));
  return text;
}

/// Dates as the input of a model: tokens (B, S) and the B lengths.
struct Texts {
  attn::Tensor<Index, 2> tokens;
  std::vector<Index> lengths;

  explicit Texts(const std::vector<std::string>& texts) {
    std::vector<std::vector<Index>> rows;
    for (const std::string& text : texts) {
      rows.push_back(encode(text));
      lengths.push_back(static_cast<Index>(rows.back().size()));
    }
    const Index S = lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
    tokens = attn::Tensor<Index, 2>({static_cast<Index>(rows.size()), S});
    for (std::size_t b = 0; b < rows.size(); ++b)
      std::copy(rows[b].begin(), rows[b].end(), tokens.data() + static_cast<Index>(b) * S);
  }
  attn::Padding padding() const { return attn::Padding{lengths}; }
};

/// Dates in ISO form as the targets of a model, (B, 11): `in` is the start token and the letters,
/// `out` the letters and the end token.
struct IsoTargets {
  attn::Tensor<Index, 2> in, out;

  explicit IsoTargets(const std::vector<std::string>& dates)
      : in({static_cast<Index>(dates.size()), iso_length + 1}),
        out({static_cast<Index>(dates.size()), iso_length + 1}) {
    for (Index b = 0; b < in.shape()[0]; ++b) {
      const std::vector<Index> tokens = encode(dates[static_cast<std::size_t>(b)]);
      if (static_cast<Index>(tokens.size()) != iso_length)
        throw std::invalid_argument("IsoTargets: \"" + dates[static_cast<std::size_t>(b)] +
                                    "\" must have 10 letters, as 1998-03-05 has");
      in(b, 0) = start;
      for (Index i = 0; i < iso_length; ++i)
        out(b, i) = in(b, i + 1) = tokens[static_cast<std::size_t>(i)];
      out(b, iso_length) = end;
    }
  }
};

}  // namespace date_letters

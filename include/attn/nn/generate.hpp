#pragma once

#include <attn/core/tensor.hpp>
#include <attn/nn/beam.hpp>
#include <numeric>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// One step of the search: extends each beam by the logits (B·num_beams, V) of its hypotheses, and
/// updates the last tokens and the parents.
template <class Logits>
void extend_beams(std::vector<Beam>& beams, const Logits& logits, std::vector<Index>& tokens,
                  std::vector<Index>& parents) {
  const Index K = static_cast<Index>(tokens.size() / beams.size());
  for (std::size_t b = 0; b < beams.size(); ++b) {
    Beam& beam = beams[b];
    if (beam.is_done()) continue;
    const Index first = static_cast<Index>(b) * K;
    std::vector<std::vector<double>> next;
    for (std::size_t h = 0; h < beam.alive().size(); ++h) {
      const auto row = logits[first + static_cast<Index>(h)];
      next.push_back(
          log_probabilities(std::span(row.data(), static_cast<std::size_t>(row.size()))));
    }
    beam.extend(next);
    for (std::size_t h = 0; h < beam.alive().size(); ++h) {
      const std::size_t at = static_cast<std::size_t>(first) + h;
      tokens[at] = beam.alive()[h].tokens.back();
      parents[at] = first + beam.alive()[h].parent;
    }
  }
}

}  // namespace detail

/// Generates B sequences by beam search, or greedily if there is one beam. `next(tokens, parents)`
/// appends a token to each hypothesis and gives the logits (B·num_beams, V) of the next one;
/// hypothesis h extends what hypothesis parents[h] was, and those of a sentence lie side by side.
/// Returns (B, max_length), without the start token, and with `pad` after the end token.
/// Errors: those of GenerateOptions::check.
template <class Next>
Tensor<Index, 2> generate(Index batch, const GenerateOptions& options, Next&& next) {
  options.check();
  std::vector<detail::Beam> beams(static_cast<std::size_t>(batch), detail::Beam(options));
  std::vector<Index> tokens(static_cast<std::size_t>(batch * options.num_beams), options.start);
  std::vector<Index> parents(tokens.size());
  std::iota(parents.begin(), parents.end(), Index{0});
  const auto is_done = [](const detail::Beam& beam) { return beam.is_done(); };
  for (Index step = 0; step < options.max_length; ++step) {
    if (std::all_of(beams.begin(), beams.end(), is_done)) break;
    detail::extend_beams(beams, next(tokens, parents), tokens, parents);
  }
  Tensor<Index, 2> sequences({batch, options.max_length});
  std::fill_n(sequences.data(), sequences.size(), options.pad);
  for (Index b = 0; b < batch; ++b) {
    const std::vector<Index>& best = beams[static_cast<std::size_t>(b)].best().tokens;
    std::copy(best.begin(), best.end(), sequences[b].data());
  }
  return sequences;
}

}  // namespace ATTN_ABI
}  // namespace attn

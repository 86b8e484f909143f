#pragma once

#include <attn/rules/rule.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// A rule on one step of decoding: every query stands at row `step` of the scores that the rule was
/// bound to, L×S of all steps. It refers to what the rule is bound to.
template <Rule R>
class AtStep {
 public:
  AtStep(const Bound<R>& rule, Index step) : rule_(&rule), step_(step) {}

  bool allows(Position at) const
    requires(Bound<R>::masks)
  {
    return rule_->allows(moved(at));
  }
  template <class T>
  T score(T s, Position at) const
    requires(Bound<R>::changes_scores)
  {
    return rule_->score(s, moved(at));
  }
  Cover cover(Tile tile) const {
    tile.query_begin = step_, tile.query_end = step_ + 1;
    return rule_->cover(tile);
  }

 private:
  Position moved(Position at) const {
    at.query = step_;
    return at;
  }

  const Bound<R>* rule_;
  Index step_;
};

}  // namespace ATTN_ABI
}  // namespace attn

#pragma once

#include <attn/core/config.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Indices from `begin` up to but without `end`.
struct Range {
  Index begin = 0, end = 0;
  Index size() const { return end - begin; }
};

}  // namespace ATTN_ABI
}  // namespace attn

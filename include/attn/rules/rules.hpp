#pragma once

// Every rule of the library.
#include <attn/rules/alibi.hpp>
#include <attn/rules/bias.hpp>
#include <attn/rules/causal.hpp>
#include <attn/rules/combine.hpp>
#include <attn/rules/keep.hpp>
#include <attn/rules/no_mask.hpp>
#include <attn/rules/packed.hpp>
#include <attn/rules/padding.hpp>
#include <attn/rules/sink.hpp>
#include <attn/rules/sliding_window.hpp>
#include <attn/rules/softcap.hpp>

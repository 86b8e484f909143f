#pragma once

#include <unistd.h>

#include <algorithm>
#include <attn/core/shape.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iostream>
#include <string>

/// 9:05, or 1:02:03 with hours.
inline std::string clock_text(double seconds) {
  const long whole = std::lround(std::clamp(seconds, 0.0, 3.6e8));
  char text[32];
  if (whole < 3600) std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  return text;
}

/// The progress of training: on a terminal one line that is overwritten, elsewhere a line every ten
/// seconds.
///
///   [=====     ]  50 %  loss 0.0123  accuracy 98.1 %  1040 examples/s  2:31 left
///
/// Loss and accuracy are exponential moving averages with a decay of 0.98 per step. The clock
/// counts seconds.
class Progress {
 public:
  using Clock = std::function<double()>;
  static double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  explicit Progress(std::ostream& out = std::cout, bool is_terminal = isatty(STDOUT_FILENO) != 0,
                    Clock clock = seconds)
      : out_(out),
        is_terminal_(is_terminal),
        clock_(std::move(clock)),
        begin_(clock_()),
        shown_(begin_) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  /// Reports a step of so many examples, after which a fraction `done` of the run is done, 0 to 1.
  /// A resumed run does not begin at 0.
  void step(double done, double loss, double accuracy, attn::Index examples) {
    if (weight_ == 0) done_before_ = done;
    done_ = std::clamp(done, 0.0, 1.0);
    examples_ += examples;
    weight_ = 0.98 * weight_ + 0.02;
    loss_ = 0.98 * loss_ + 0.02 * loss;
    accuracy_ = 0.98 * accuracy_ + 0.02 * accuracy;
    const double now = clock_();
    if (now - shown_ < (is_terminal_ ? 0.1 : 10)) return;
    shown_ = now;
    if (is_terminal_) out_ << '\r' << text(now) << "\x1b[K" << std::flush;
    else out_ << text(now) << std::endl;
    is_drawn_ = is_terminal_;
  }

  /// Writes a line that remains, above the bar.
  void say(const std::string& line) {
    clear();
    out_ << line << std::endl;
  }

  double elapsed() const { return clock_() - begin_; }

 private:
  std::string text(double now) const {
    const double elapsed = now - begin_, advance = done_ - done_before_;
    const int marks = static_cast<int>(10 * done_);
    char line[160];
    std::snprintf(line, sizeof line,
                  "[%s%s] %3d %%  loss %.4f  accuracy %.1f %%  %ld examples/s  %s left",
                  std::string(static_cast<std::size_t>(marks), '=').c_str(),
                  std::string(static_cast<std::size_t>(10 - marks), ' ').c_str(),
                  static_cast<int>(100 * done_), loss_ / weight_, 100 * accuracy_ / weight_,
                  std::lround(static_cast<double>(examples_) / std::max(elapsed, 1e-9)),
                  advance > 0 ? clock_text((1 - done_) / advance * elapsed).c_str() : "?");
    return line;
  }
  void clear() {
    if (is_drawn_) out_ << "\r\x1b[K" << std::flush;
    is_drawn_ = false;
  }

  std::ostream& out_;
  bool is_terminal_, is_drawn_ = false;
  Clock clock_;
  double begin_, shown_, done_ = 0, done_before_ = 0, weight_ = 0, loss_ = 0, accuracy_ = 0;
  attn::Index examples_ = 0;
};

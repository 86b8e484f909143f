#pragma once

#include <cstdio>
#include <exception>
#include <string>

/// Prints a line for each check: what was measured, its bound, and whether it holds.
class Report {
 public:
  void section(const std::string& title) { std::printf("\n%s\n", title.c_str()); }

  /// Holds if measure() is at most `bound`; a NaN or an exception does not.
  template <class Measure>
  void check(const std::string& name, double bound, Measure&& measure) {
    std::string trouble;
    double measured = 0;
    try {
      measured = measure();
    } catch (const std::exception& error) {
      trouble = std::string("  ") + error.what();
    }
    const bool holds = trouble.empty() && measured <= bound;
    ++(holds ? passed_ : failed_);
    std::printf("  %-76s %8.2g <= %-7.2g %s%s\n", name.c_str(), measured, bound,
                holds ? "ok" : "FAILED", trouble.c_str());
  }

  /// Prints the count; true if every check held.
  bool close() const {
    std::printf("\n%d checks, %d failed\n", passed_ + failed_, failed_);
    return failed_ == 0 && passed_ > 0;
  }

 private:
  int passed_ = 0, failed_ = 0;
};

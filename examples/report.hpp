#pragma once

#include <cstdio>
#include <exception>
#include <string>

/// Prints a line for each check: the measured value, its bound, and whether it holds.
class Report {
 public:
  void section(const std::string& title) { std::printf("\n%s\n", title.c_str()); }

  /// The check holds if measure() is at most `bound`. It fails for a NaN or an exception.
  template <class Measure>
  void check(const std::string& name, double bound, Measure&& measure) {
    std::string fault;
    double measured = 0;
    try {
      measured = measure();
    } catch (const std::exception& error) {
      fault = std::string("  ") + error.what();
    }
    const bool holds = fault.empty() && measured <= bound;
    ++(holds ? passed_ : failed_);
    std::printf("  %-76s %8.2g <= %-7.2g %s%s\n", name.c_str(), measured, bound,
                holds ? "ok" : "FAILED", fault.c_str());
  }

  /// Prints the number of checks. True if every check held.
  bool close() const {
    std::printf("\n%d checks, %d failed\n", passed_ + failed_, failed_);
    return failed_ == 0 && passed_ > 0;
  }

 private:
  int passed_ = 0, failed_ = 0;
};

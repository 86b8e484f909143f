#pragma once

#include <csignal>

/// While one exists, the first Ctrl-C sets a flag, so that a program can stop where it chooses. The
/// second Ctrl-C ends the program.
class Interrupt {
 public:
  Interrupt() {
    flag = 0;
    before_ = std::signal(SIGINT, [](int) {
      flag = 1;
      std::signal(SIGINT, SIG_DFL);
    });
  }
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt() { std::signal(SIGINT, before_ == SIG_ERR ? SIG_DFL : before_); }

  bool requested() const { return flag != 0; }

 private:
  static inline volatile std::sig_atomic_t flag = 0;
  void (*before_)(int);
};

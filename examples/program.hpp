#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <iostream>
#include <new>
#include <string>

/// For an option without a sign, such as a seed: CLI11 reads −1 and what has more than 64 bits as
/// 2⁶⁴ − 1.
inline const CLI::Validator not_negative(
    [](const std::string& value) {
      std::uint64_t number = 0;
      const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
      if (value.starts_with('-')) return value + " must be at least 0";
      if (read.ec == std::errc::result_out_of_range) return value + " must be less than 2^64";
      return std::string();
    },
    "");

/// Parses the options of a program and runs it. Returns the result of `body()`, 0 for --help, and 2
/// for input that cannot be used, with one sentence on standard error that begins with the name of
/// the program.
template <class Body>
int run_program(const char* name, CLI::App& app, int argc, char** argv, Body&& body) {
  try {
    app.parse(argc, argv);
    return body();
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return 0;
  } catch (const std::bad_alloc&) {
    std::cerr << name << ": there is not enough memory for these options\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 2;
  }
}

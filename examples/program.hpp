#pragma once

#include <CLI/CLI.hpp>
#include <iostream>
#include <new>
#include <string>

/// For an option without a sign, such as a seed: CLI11 reads -1 as 2⁶⁴ − 1.
inline const CLI::Validator not_negative(
    [](const std::string& value) {
      return value.starts_with('-') ? value + " must be at least 0" : std::string();
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

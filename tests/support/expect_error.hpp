#pragma once

#include <gtest/gtest.h>

/// Runs `call` and gives the sentence of the Expected that it throws; a test failure if it throws
/// none.
template <class Expected, class Call>
std::string sentence_of(Call&& call) {
  try {
    call();
  } catch (const Expected& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another kind of exception: " << error.what();
    return "";
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

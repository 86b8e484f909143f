#pragma once

// What files/ asks of the operating system: the same functions in either header.
#ifdef _WIN32
#include <attn/files/windows.hpp>
#else
#include <attn/files/posix.hpp>
#endif

#undef NDEBUG
#include "../attend.hpp"

double checked_gap() { return attend_gap(); }
